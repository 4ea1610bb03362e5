"""What is proved of a certificate: whether it was revoked, and until when that counts."""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm

State = Literal["Good", "Revoked", "Unknown"]
"""`Unknown`: whoever should know the certificate does not."""

SKEW: Final = timedelta(minutes=5)
"""How far in the future an answer may have been made: clocks differ."""

LONGEST: Final = timedelta(days=7)
"""How long an answer counts at most, whatever it says; stations keep none for longer. Spec: OCPP 2.1 M07.FR.09"""

UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What is raised where somebody's bytes are not what they should be: they are decoded when they are first looked at."""

_KEYS: Final = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
SigningKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey


class NoProofError(Exception):
    """Nothing is proved; the message says why, in words for an operator."""


class UnknownIssuerError(NoProofError):
    """Nobody can tell whether an answer counts: the certificate of who issued what it is about is not at hand."""

    def __init__(self) -> None:
        super().__init__("the certificate of its issuer is not known here and does not come along")


class Proof(NamedTuple):
    """The state of a certificate, and until when that may be relied on."""

    state: State
    until: datetime


def counts_until(this_update: datetime, next_update: datetime | None, now: datetime, keep: timedelta) -> datetime:
    """Return until when an answer, or a list, counts; one that does not say how long counts for `keep`.

    Raises:
        NoProofError: it does not count now.
    """
    if this_update > now + SKEW:
        raise NoProofError(f"the answer is from the future: it counts from {this_update:%Y-%m-%d %H:%M} UTC on")
    if next_update is None and this_update < now - LONGEST:
        raise NoProofError(f"the answer is old: it is of {this_update:%Y-%m-%d %H:%M} UTC")
    if next_update is not None and next_update < now:
        raise NoProofError(f"the answer is old: it counted until {next_update:%Y-%m-%d %H:%M} UTC")
    return min(next_update or now + keep, now + LONGEST)


def signing_key(certificate: x509.Certificate) -> SigningKey:
    """Return the key of who signs.

    Raises:
        NoProofError: it is of a kind that signs nothing here.
        UNREADABLE: it cannot be understood.
    """
    key = certificate.public_key()
    if not isinstance(key, _KEYS):
        raise NoProofError(f"a {type(key).__name__} signs nothing here")
    return key


def has_signed(signer: x509.Certificate, signature: bytes, signed: bytes, algorithm: HashAlgorithm | None) -> bool:
    """Tell whether a signature is that of a certificate's key; `algorithm` is what it names for hashing, if any."""
    key = signing_key(signer)
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(signature, signed, ec.ECDSA(algorithm))
        elif not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            key.verify(signature, signed)
        else:
            return False
    except InvalidSignature:
        return False
    return True
