"""OCPP 2.0.1: roots of four types, and the chain of the certificate for ISO 15118, in its words."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_ocppj.payloads import Payload

from chargebus_security.trust import payload
from chargebus_security.trust.domain.station import Installed

TYPES: Final[Mapping[str, str]] = {
    kind: kind
    for kind in ("CSMSRootCertificate", "ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate")
}
CHAIN: Final = "V2GCertificateChain"
LONGEST: Final = 5500


class _HashDataChain(Payload, frozen=True, rename="camel"):
    certificate_type: str
    certificate_hash_data: payload.CertificateHashData
    child_certificate_hash_data: tuple[payload.CertificateHashData, ...] = ()


def reports(types: tuple[str, ...]) -> list[tuple[tuple[str, ...], dict[str, object]]]:
    """Return what asks for some types, or for all. Spec: OCPP 2.0.1 M03.FR.01 to FR.05."""
    wanted = tuple(each for each in types if each in TYPES or each == CHAIN)
    if types and not wanted:
        return []
    return [(wanted, {"certificateType": list(wanted)} if wanted else {})]


def installed(members: Mapping[str, Any], _types: tuple[str, ...]) -> list[Installed]:
    """Read the answer."""
    found = payload.listed(members, "certificateHashDataChain", _HashDataChain)
    return [
        Installed(
            each.certificate_type[:50],
            each.certificate_hash_data.named,
            payload.names(each.child_certificate_hash_data),
        )
        for each in found
    ]
