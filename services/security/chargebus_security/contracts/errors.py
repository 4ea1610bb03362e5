"""Why no contract came of asking for one, and why one is refused."""

from chargebus_events.frames import ContractCheck


class RefusedContractError(Exception):
    """A contract certificate is worth nothing, whatever its state; the message says why, in words for an operator."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.check = ContractCheck(status, why)


class ProvisioningError(Exception):
    """A pool gives nothing; the message says why, in words for an operator."""


class PoolAwayError(ProvisioningError):
    """A pool could not be asked, or is not able to answer now: it may be asked again."""
