"""Where contracts come from: one interface, whatever is behind it."""

from collections.abc import Sequence
from typing import Protocol

from chargebus_security.contracts.domain.provisioning import CertificateRequest, Contract


class Provisioning(Protocol):
    """A pool of contracts for vehicles."""

    async def contracts(self, request: CertificateRequest) -> Sequence[Contract]:
        """Return what the pool has for a vehicle.

        Raises:
            PoolAwayError: it may be asked again.
            ProvisioningError: it has nothing, or nothing that it could be asked for.
        """
        ...
