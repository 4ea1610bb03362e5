"""Client certificates: whose one is, by the names in it or as it is pinned for a station. Pure.

That it is vouched for, and valid, is TLS's part; whether it was revoked, `revocation`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

from chargebus_certificates.proof import UNREADABLE
from chargebus_ocppj import identities
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from chargebus_edge.tls.files import look_through

IdentityKind = Literal["cn", "san", "serial"]
"""Where a station's identity stands in its certificate: common name, subject alternative name, or the subject's
serialNumber. Which of them, authorities differ in."""

_ATTRIBUTES: Final = {"cn": NameOID.COMMON_NAME, "serial": NameOID.SERIAL_NUMBER}


@dataclass(frozen=True)
class ClientCertificate:
    """The certificate that a client has the key of; `chain` are those above it as far as the client sent them.

    `resumed`: it was shown in an earlier handshake, and this one resumed its session.
    """

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    resumed: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """Its SHA-256, in hexadecimal digits."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    def has_expired(self, now: datetime) -> bool:
        """Tell whether it is too late for it: a session that is resumed is not looked at by TLS again."""
        return not self.leaf.not_valid_before_utc <= now <= self.leaf.not_valid_after_utc


def read(leaf: bytes, chain: Sequence[bytes] = (), *, resumed: bool = False) -> ClientCertificate | None:
    """Return a certificate of what DER has it, None where it cannot be understood."""
    try:
        return ClientCertificate(_read(leaf), tuple(_read(each) for each in chain), resumed)
    except UNREADABLE:
        return None


def _read(der: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(der)
    look_through(certificate)
    return certificate


def belongs(certificate: ClientCertificate, identity: str, pins: Sequence[str], kinds: Sequence[IdentityKind]) -> bool:
    """Tell whether a certificate is that of a station.

    Args:
        certificate: vouched for by a trust anchor.
        identity: what is to be in it, exactly: the station's identity unless it is registered with another.
        pins: serial numbers or SHA-256 fingerprints in hexadecimal digits; with any, it has to be one of those. What a
            fingerprint pins may have any names; a serial number is its issuer's alone, so the names count as well.
        kinds: where the identity may stand.

    Spec: OCPP 2.0.1 A00.FR.405, A00.FR.509 (the common name is the station's serial number; many have it elsewhere)
    """
    pinned = {_digits(pin) for pin in pins}
    if _digits(certificate.fingerprint) in pinned:
        return True
    if pins and _digits(f"{certificate.leaf.serial_number:x}") not in pinned:
        return False
    return any(identities.canonical(name) == identity for name in _names(certificate.leaf, kinds))


def _names(certificate: x509.Certificate, kinds: Sequence[IdentityKind]) -> Iterator[str]:
    for kind in kinds:
        if kind == "san":
            yield from _alternative_names(certificate)
        else:
            for attribute in certificate.subject.get_attributes_for_oid(_ATTRIBUTES[kind]):
                yield str(attribute.value)


def _alternative_names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return
    for kind in (x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name):
        yield from names.get_values_for_type(kind)


def _digits(text: str) -> str:
    return text.replace(":", "").replace(" ", "").lower().lstrip("0")
