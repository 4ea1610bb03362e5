"""What the versions' payloads of installed certificates have in common."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from chargebus_ocppj.payloads import Payload, clean

from chargebus_security.inventory.domain.hashes import HashAlgorithm, HashData

_LONGEST: Final = 256


class CertificateHashData(Payload, frozen=True, rename="camel"):
    """CertificateHashDataType."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str

    @property
    def named(self) -> HashData:
        """The certificate that is meant."""
        texts = (self.issuer_name_hash, self.issuer_key_hash, self.serial_number)
        return HashData(self.hash_algorithm, *(clean(text)[:_LONGEST] for text in texts))


def names(given: Iterable[CertificateHashData]) -> tuple[HashData, ...]:
    """Return the certificates that are meant."""
    return tuple(each.named for each in given)


def listed(members: Mapping[str, Any], name: str, kind: type[Any]) -> list[Any]:
    """Return the readable elements of a list in a station's answer, whatever it sent: its schema may be broken."""
    found = []
    given = members.get(name)
    for each in given if isinstance(given, list) else ():
        try:
            found.append(msgspec.convert(each, kind))
        except msgspec.ValidationError:
            continue
    return found


def delete_certificate(named: HashData) -> dict[str, object]:
    """Return DeleteCertificate. Spec: OCPP 2.0.1 M04.FR.01; OCPP 1.6 security white paper, DeleteCertificate."""
    return {"certificateHashData": named.members()}


def install_certificate(certificate_type: str, pem: str) -> dict[str, object]:
    """Return InstallCertificate. Spec: OCPP 2.0.1 M05.FR.01; OCPP 1.6 security white paper, InstallCertificate."""
    return {"certificateType": certificate_type, "certificate": pem}
