"""A pool for trials: it knows the vehicles that it is told of, and no vehicle but a virtual one can read its answers.

A vehicle is found by its provisioning certificate's id, which stands in what virtual ones send, byte by byte.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from chargebus_security.contracts.domain.provisioning import CertificateRequest, Contract
from chargebus_security.contracts.errors import ProvisioningError

_HEADER: Final = b"\x80"
"""What every EXI stream begins with. Spec: W3C EXI 1.0, 5.1"""


class BuiltInPool:
    """The vehicles by the ids of their provisioning certificates, each with its eMAID."""

    def __init__(self, vehicles: Mapping[str, str]) -> None:
        self._vehicles = dict(vehicles)

    async def contracts(self, request: CertificateRequest) -> Sequence[Contract]:
        """Return the contract of a vehicle that is known."""
        try:
            asked = base64.b64decode(request.exi, validate=True)
        except ValueError as error:  # binascii.Error is one; so is what comes of a letter that is not of ASCII
            raise ProvisioningError(f"the vehicle's request is no base64: {error}") from error
        for pcid, emaid in self._vehicles.items():
            if pcid.encode() in asked:
                answer = _HEADER + f"{request.action} {pcid} {emaid}".encode()
                return [Contract(base64.b64encode(answer).decode(), emaid)]
        raise ProvisioningError("the pool for trials does not know this vehicle: see SECURITY_CONTRACTS_TEST_VEHICLES")
