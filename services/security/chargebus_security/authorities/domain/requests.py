"""Signing requests as stations send them: read leniently, checked strictly. Pure.

Spec: RFC 2986; OCPP 2.0.1 A02, A00.FR.504 to A00.FR.511; OCPP 1.6 security white paper A02
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from chargebus_certificates.proof import UNREADABLE
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

LONGEST_NAME: Final = 64
"""How many octets there are for a common name, and characters for an organization. Spec: RFC 5280 appendix A."""

LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 8192
CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_ARMOUR: Final = re.compile(
    r"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.*?)-----END (?:NEW )?CERTIFICATE REQUEST-----", re.DOTALL
)
_SPACE: Final = re.compile(r"\s|\\r|\\n")  # some send the two characters of a JSON escape
_SEQUENCE: Final = 0x30
_VERSION_0: Final = bytes((0x02, 0x01, 0x00))
_WEAK: Final = frozenset({"md5", "sha1"})


class UnreadableRequestError(ValueError):
    """It is no signing request, or one of a kind that nobody here knows; the message says why."""


@dataclass(frozen=True)
class SigningRequest:
    """A signing request that was read; its signature holds.

    Attributes:
        der: as it came, whatever its version.
        subject, key: whose certificate it asks for.
        hash_name: by which it is signed, such as sha256.
        alternative_names: what else its certificate is to name.
    """

    der: bytes
    subject: x509.Name
    key: PublicKey
    hash_name: str
    alternative_names: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What tells it apart from others."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def common_name(self) -> str:
        """Whom it names."""
        return self._text(NameOID.COMMON_NAME)

    @property
    def organization(self) -> str:
        """Whose station that is."""
        return self._text(NameOID.ORGANIZATION_NAME)

    @property
    def domain(self) -> str:
        """Which of ISO 15118's parties it is for."""
        return self._text(NameOID.DOMAIN_COMPONENT)

    @property
    def other_names(self) -> tuple[str, ...]:
        """What it names beside its common name."""
        numbers = self.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        return (*(str(each.value) for each in numbers), *self.alternative_names)

    @property
    def key_kind(self) -> str:
        """Its key, for people."""
        return self.key.curve.name if isinstance(self.key, ec.EllipticCurvePublicKey) else f"RSA {self.key.key_size}"

    def _text(self, oid: x509.ObjectIdentifier) -> str:
        found = self.subject.get_attributes_for_oid(oid)
        value = found[0].value if len(found) == 1 else ""
        return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True)
class Expected:
    """What a request has to say: one of the names, and the organization; empty: any.

    `alone`: nothing else in it may name anybody but the station, since whoever signs it may take that over.
    """

    common_names: Collection[str]
    organization: str = ""
    alone: bool = False


def read(text: str) -> SigningRequest:
    """Read a signing request in PEM; a version that there is not is taken, as stations send it, and signed over.

    Raises:
        UnreadableRequestError: it is none, or its signature does not hold.
    """
    der = _der(text)
    body, version = _parts(der)
    try:
        loaded = x509.load_der_x509_csr(der[:version] + _VERSION_0 + der[version + len(_VERSION_0) :])
        key, algorithm, parameters = (
            loaded.public_key(),
            loaded.signature_hash_algorithm,
            loaded.signature_algorithm_parameters,
        )
        subject, names = loaded.subject, _alternative_names(loaded)
    except UNREADABLE as error:
        raise UnreadableRequestError(f"it is no PKCS#10 request: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or algorithm is None:
        raise UnreadableRequestError("its key is neither ECDSA nor RSA")
    request = SigningRequest(der, subject, key, algorithm.name, names)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(loaded.signature, body, ec.ECDSA(algorithm))
        else:
            if not isinstance(parameters, padding.PSS | padding.PKCS1v15):
                raise UnreadableRequestError("it is signed in a way that nobody here knows")
            key.verify(loaded.signature, body, parameters, algorithm)
    except UnreadableRequestError:
        raise
    except (InvalidSignature, *UNREADABLE) as error:
        raise UnreadableRequestError("its signature does not fit its key: whoever sent it has not the key") from error
    return request


def misfit(request: SigningRequest, expected: Expected) -> str:
    """Return why a request is not to be signed; empty: it may be.

    Spec: OCPP 2.0.1 A00.FR.505, A00.FR.506, A02.FR.11
    """
    return _key_misfit(request) or _names_misfit(request, expected)


def pem(der: bytes) -> str:
    """Return a request in PEM."""
    encoded = base64.b64encode(der).decode()
    lines = "\n".join(encoded[start : start + 64] for start in range(0, len(encoded), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n"


def public_bytes(key: PublicKey) -> bytes:
    """Return a key as it can be compared."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_misfit(request: SigningRequest) -> str:
    key = request.key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        return f"the curve {key.curve.name} is not one of {', '.join(CURVES)}"
    if isinstance(key, rsa.RSAPublicKey) and not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        return f"an RSA key of {key.key_size} bits; it must have {LEAST_RSA_BITS} to {MOST_RSA_BITS}"
    if request.hash_name in _WEAK:
        return f"it is signed by {request.hash_name}, which is broken"
    return ""


def _names_misfit(request: SigningRequest, expected: Expected) -> str:
    own = set(filter(None, expected.common_names))
    if request.common_name not in own:
        return f"its common name {request.common_name[:64]!r} is not the station's"
    if expected.organization and request.organization != expected.organization:
        return f"its organization {request.organization[:64]!r} is not {expected.organization!r}"
    if len(request.common_name.encode()) > LONGEST_NAME or len(request.organization) > LONGEST_NAME:
        return f"its common name or its organization is longer than {LONGEST_NAME}"
    others = [each for each in request.other_names if each not in own]
    if expected.alone and others:
        return f"it names {others[0][:64]!r} as well, which is not the station's"
    return ""


def _alternative_names(loaded: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(each.value) for each in found)


def _der(text: str) -> bytes:
    armoured = _ARMOUR.search(text)
    try:
        return base64.b64decode(_SPACE.sub("", armoured[1] if armoured else text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableRequestError("it is not PEM") from error


def _parts(der: bytes) -> tuple[bytes, int]:
    """Return what is signed of a request, and where its version stands."""
    begin, _ = _inside(der, 0)
    version, end = _inside(der, begin)
    if der[version : version + 2] != _VERSION_0[:2] or version + len(_VERSION_0) > len(der):
        raise UnreadableRequestError("it is no PKCS#10 request: it has no version")
    return der[begin:end], version


def _inside(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of a sequence begins and ends.

    Raises:
        UnreadableRequestError: there is none.
    """
    try:
        tag, length, begin = der[at], der[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, begin = int.from_bytes(der[begin : begin + octets], "big"), begin + octets
    except IndexError:
        tag, length, begin = 0, 0, 0
    if tag != _SEQUENCE or begin + length > len(der):
        raise UnreadableRequestError("it is no PKCS#10 request")
    return begin, begin + length
