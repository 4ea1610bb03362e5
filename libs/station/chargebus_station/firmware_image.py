"""A firmware image of a virtual station: a first line that names its version, then anything.

Spec: OCPP 2.0.1 L01.FR.02 to L01.FR.12; OCPP 1.6 security white paper, SignedUpdateFirmware: the signature is over the
whole image, with SHA-256 and RSA-PSS or ECDSA.
"""

import base64
import binascii
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

_MARK: Final = b"chargebus-firmware "
_LONGEST_VERSION: Final = 50


def image(version: str, size: int = 4096) -> bytes:
    """Return an image of about so many bytes that brings a version."""
    head = _MARK + version.encode() + b"\n"
    return head + bytes(number % 251 for number in range(max(0, size - len(head))))


def version_of(content: bytes) -> str | None:
    """Return the version that an image brings, None of what is no image for such a station."""
    line, found, _ = content[: len(_MARK) + _LONGEST_VERSION + 1].partition(b"\n")
    if not found or not line.startswith(_MARK):
        return None
    return line.removeprefix(_MARK).decode(errors="replace")


def certificate_of(pem: str) -> x509.Certificate | None:
    """Return the certificate that a text holds, None of any other text."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def is_signed(content: bytes, signature: str, certificate: x509.Certificate) -> bool:
    """Tell whether `signature` (Base64) is the certificate's owner's, of this content."""
    try:
        signed, key = base64.b64decode(signature, validate=True), certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signed, content, padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO), SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signed, content, ec.ECDSA(SHA256()))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error):
        return False
    return True
