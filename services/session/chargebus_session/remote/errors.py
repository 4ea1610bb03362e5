"""Why nothing was asked of a station; each text is for the caller."""


class RemoteError(Exception):
    """What was asked for cannot be done."""


class TokenRefusedError(RemoteError):
    """The token may not charge; `status` is what it is told."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class TokenInUseError(RemoteError):
    """The token may be in one transaction at a time, and is in one."""


class NoSessionError(RemoteError):
    """There is no such session."""


class SessionEndedError(RemoteError):
    """There is nothing to stop."""


class EvseReservedError(RemoteError):
    """The EVSE is kept for somebody else."""
