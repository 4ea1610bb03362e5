"""Whether an image is signed as it should be: what a station will check, checked before it is sent anywhere.

Spec: OCPP 2.0.1 part 2 A00 (certificates), L01; OCPP 1.6 security white paper 3.3: SHA-256, RSA-PSS or, for keys on
curves, ECDSA
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

MOST_CERTIFICATE: Final = 5500
MOST_SIGNATURE: Final = 800
"""In characters, as stations take them."""

_LEAST_RSA_BITS: Final = 2048
_SHA256: Final = Prehashed(hashes.SHA256())


def certificate_objections(pem: str, now: datetime) -> Iterator[str]:
    """Yield what is wrong with a signing certificate in PEM; what follows it may be its issuers'.

    Spec: OCPP 2.0.1 A00.FR.503 (RSA of 2048 bits or more, or a curve of 224 bits or more)
    """
    try:
        certificate = _certificate(pem)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield "is no X.509 certificate in PEM"
        return
    if now < certificate.not_valid_before_utc:
        yield f"is valid from {certificate.not_valid_before_utc.isoformat()} on only"
    if now > certificate.not_valid_after_utc:
        yield f"was valid until {certificate.not_valid_after_utc.isoformat()}"
    match key:
        case rsa.RSAPublicKey() if key.key_size < _LEAST_RSA_BITS:
            yield f"has an RSA key of {key.key_size} bits: it takes {_LEAST_RSA_BITS} at least"
        case rsa.RSAPublicKey():
            pass
        case ec.EllipticCurvePublicKey() if not isinstance(key.curve, ec.SECP256R1):
            yield f"has a key on the curve {key.curve.name}: it takes P-256"
        case ec.EllipticCurvePublicKey():
            pass
        case _:
            yield "has a key that is neither RSA nor on the curve P-256"


def signature_objection(pem: str, signature: str, sha256: bytes) -> str | None:
    """Return what is wrong with a signature in base64 over a content of this hash; None: nothing.

    Spec: OCPP 2.0.1 L01.FR.11, L01.FR.12
    """
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        return "The signature is not base64."
    key = _certificate(pem).public_key()
    try:
        match key:
            case rsa.RSAPublicKey():
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
                key.verify(raw, sha256, pss, _SHA256)
            case ec.EllipticCurvePublicKey():
                key.verify(raw, sha256, ec.ECDSA(_SHA256))
            case _:
                return "The key of the signing certificate signs no images."
    except InvalidSignature:
        kind = "RSA-PSS" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"
        return f"The signature ({kind} over SHA-256) is not of this content by the key of the signing certificate."
    return None


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem.encode())[0]
