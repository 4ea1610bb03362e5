"""How OCSP, and OCPP after it, name a certificate: hashes of its issuer's name and key, and its serial number.

Whoever has that name and that key is the issuer, wherever its certificate comes from.
"""

from collections.abc import Iterable
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp


class IssuerName(NamedTuple):
    """The hashes of an issuer's name and of its key."""

    name_hash: bytes
    key_hash: bytes


class CertificateName(NamedTuple):
    """A certificate by the hashes of its issuer, and its serial number."""

    algorithm: hashes.HashAlgorithm
    issuer: IssuerName
    serial_number: int


def name_of(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm
) -> CertificateName:
    """Return the name of a certificate."""
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm).build()
    return CertificateName(
        algorithm, IssuerName(request.issuer_name_hash, request.issuer_key_hash), request.serial_number
    )


def issuer_names(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[IssuerName, IssuerName]:
    """Return the names of an issuer: as it is specified, and with the hash of its whole SubjectPublicKeyInfo.

    Some stations hash the whole where the key alone is meant.
    """
    specified = IssuerName(
        _hash(issuer.subject.public_bytes(), algorithm), name_of(issuer, issuer, algorithm).issuer.key_hash
    )
    whole = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return specified, specified._replace(key_hash=_hash(whole, algorithm))


def issuer_named(name: CertificateName, candidates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return which of these has issued the certificate that is named, None if none has."""
    return next((each for each in candidates if name.issuer in issuer_names(each, name.algorithm)), None)


def _hash(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()
