"""What is refused about roots on stations."""


class TrustError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownPolicyError(TrustError):
    """There is no such policy."""

    def __init__(self, policy_id: object) -> None:
        super().__init__(f"There is no policy {policy_id}; GET /v1/trust/policies lists them.")


class NoSuchTypeError(TrustError):
    """The station's version of OCPP has no certificates of that type."""


class NotInstalledError(TrustError):
    """The station has no such certificate, as far as it told."""


class ProtectedError(TrustError):
    """The certificate must stay where it is."""


class UnfitRootError(TrustError):
    """A certificate cannot be given to stations as a root; `where` is its place in what was sent."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where
