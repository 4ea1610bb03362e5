"""Keys, certificates and signatures of images, as manufacturers make them."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

NOW: Final = datetime.now(UTC)
P256: Final = ec.generate_private_key(ec.SECP256R1())
P384: Final = ec.generate_private_key(ec.SECP384R1())
RSA_2048: Final = rsa.generate_private_key(65537, 2048)
RSA_1024: Final = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
ED25519: Final = ed25519.Ed25519PrivateKey.generate()


def certificate(key: Key, *, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)) -> str:
    """Return a self-signed certificate in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Acme firmware")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
    )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def signature(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, content: bytes, salt: int = 32) -> str:
    """Return the signature of a content in base64: ECDSA, or RSA-PSS."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    return base64.b64encode(key.sign(content, pss, hashes.SHA256())).decode()


def signature_pkcs1(key: rsa.RSAPrivateKey, content: bytes) -> str:
    """Return a signature by RSA's older padding, which stations do not take."""
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()
