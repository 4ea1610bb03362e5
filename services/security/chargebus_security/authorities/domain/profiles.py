"""What is signed, and what comes of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

BUILT_IN: Final = "built-in"
EST: Final = "est"

STATION: Final = "ChargingStationCertificate"
V2G: Final = "V2GCertificate"
V2G20: Final = "V2G20Certificate"
COMBINED: Final = ""
"""A certificate for both, the connection to the CSMS and that to vehicles: OCPP names no type then."""

TYPES: Final = (STATION, V2G, V2G20, COMBINED)

_CLIENT: Final = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_SERVER: Final = (ExtendedKeyUsageOID.SERVER_AUTH,)
_USES: Final[dict[str, tuple[ObjectIdentifier, ...]]] = {
    STATION: _CLIENT,
    V2G: _SERVER,
    V2G20: _SERVER,
    COMBINED: (*_CLIENT, *_SERVER),
}


@dataclass(frozen=True)
class Profile:
    """What a certificate is to be: what for, and for how long."""

    certificate_type: str
    valid: timedelta

    @property
    def uses(self) -> tuple[ObjectIdentifier, ...]:
        """What its key may be used for in TLS: towards the CSMS a station is the client, towards a vehicle the server.

        Spec: OCPP 2.0.1 A00.FR.508; ISO 15118-2 annex F
        """
        return _USES[self.certificate_type]


@dataclass(frozen=True)
class Signed:
    """A certificate, and what leads from it to its root, which is left out."""

    chain: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return self.chain[0]


@dataclass(frozen=True)
class Later:
    """The authority is to be asked again, at a time that it named, or when whoever asks thinks fit."""

    why: str
    at: datetime | None = None


@dataclass(frozen=True)
class Refused:
    """The authority does not sign that."""

    why: str


Answer: TypeAlias = Signed | Later | Refused


def serial_hex(certificate: x509.Certificate) -> str:
    """Return a serial number as it is written here."""
    return f"{certificate.serial_number:x}"


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def leading_up(leaf: x509.Certificate, known: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Return a leaf and the intermediates above it, in their order, of those that are known; without a root."""
    chain, left = [leaf], [each for each in known if each != leaf]
    while (above := next((each for each in left if _issued(chain[-1], each)), None)) is not None:
        if above.issuer == above.subject:
            break
        chain.append(above)
        left.remove(above)
    return tuple(chain)


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    if below.issuer != above.subject:
        return False
    try:
        below.verify_directly_issued_by(above)
    except Exception:  # noqa: BLE001 - whatever does not fit: cryptography has an error for each way
        return False
    return True
