"""OCPP 1.6 with the security extension: two types of roots, asked about one by one, in words of its own."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_security.trust import payload
from chargebus_security.trust.domain.station import Installed

TYPES: Final[Mapping[str, str]] = {
    "CSMSRootCertificate": "CentralSystemRootCertificate",
    "ManufacturerRootCertificate": "ManufacturerRootCertificate",
}
LONGEST: Final = 5500


def reports(types: tuple[str, ...]) -> list[tuple[tuple[str, ...], dict[str, object]]]:
    """Return what asks for some types, or for all: each request with the types that it is about."""
    return [((kind,), {"certificateType": word}) for kind, word in TYPES.items() if not types or kind in types]


def installed(members: Mapping[str, Any], types: tuple[str, ...]) -> list[Installed]:
    """Read the answer to one of them; it does not say the type."""
    kind = types[0]
    found = payload.listed(members, "certificateHashData", payload.CertificateHashData)
    return [Installed(kind, each.named) for each in found]
