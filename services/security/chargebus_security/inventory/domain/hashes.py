"""How OCPP names a certificate: hashes of its issuer's name and key, and its serial number. Pure.

Stations write them in upper or lower case, with `0x`, colons or leading zeros, and some hash the issuer's whole
SubjectPublicKeyInfo where its key alone is meant: all of these name the same certificate here.

Spec: OCPP 2.0.1 and 2.1 Part 2, CertificateHashDataType; OCPP 1.6 security white paper, CertificateHashDataType
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from chargebus_certificates.names import CertificateName, IssuerName, issuer_names, name_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes

HashAlgorithm = Literal["SHA256", "SHA384", "SHA512"]

_NOISE: Final = re.compile(r"^0x|[^0-9a-f]")
_HASHES: Final[Mapping[HashAlgorithm, hashes.HashAlgorithm]] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}


class HashData(msgspec.Struct, frozen=True):
    """A certificate as a station names it, word by word."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str

    @property
    def key(self) -> str:
        """What is the same for all ways of writing the same."""
        return ":".join(
            (
                self.hash_algorithm,
                _digits(self.issuer_name_hash),
                _digits(self.issuer_key_hash),
                _digits(self.serial_number).lstrip("0") or "0",
            )
        )

    @property
    def issuer_key(self) -> str:
        """What all certificates of its issuer have in common."""
        return self.key.rpartition(":")[0]

    @property
    def name(self) -> CertificateName:
        """What it says, for whoever asks about the certificate.

        Raises:
            ValueError: it names none.
        """
        issuer = IssuerName(self._bytes(self.issuer_name_hash), self._bytes(self.issuer_key_hash))
        return CertificateName(_HASHES[self.hash_algorithm], issuer, int(_digits(self.serial_number), 16))

    def members(self) -> dict[str, str]:
        """Return it as OCPP's messages have it, word by word."""
        return {
            "hashAlgorithm": self.hash_algorithm,
            "issuerNameHash": self.issuer_name_hash,
            "issuerKeyHash": self.issuer_key_hash,
            "serialNumber": self.serial_number,
        }

    def _bytes(self, text: str) -> bytes:
        found = bytes.fromhex(_digits(text))
        if len(found) != _HASHES[self.hash_algorithm].digest_size:
            raise ValueError(f"it is no hash of {self.hash_algorithm}")
        return found


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: HashAlgorithm = "SHA256") -> HashData:
    """Return how OCPP names a certificate."""
    named = name_of(certificate, issuer, _HASHES[algorithm])
    return _written(algorithm, named.issuer, named.serial_number)


def keys_of(certificate: x509.Certificate, issuer: x509.Certificate) -> list[str]:
    """Return the `key` of each name that a station may give a certificate."""
    return [
        _written(algorithm, name, certificate.serial_number).key
        for algorithm, kind in _HASHES.items()
        for name in issuer_names(issuer, kind)
    ]


def issuer_keys_of(issuer: x509.Certificate) -> list[str]:
    """Return the `issuer_key` of each name that a station may give what an authority has signed."""
    return [
        _written(algorithm, name, issuer.serial_number).issuer_key
        for algorithm, kind in _HASHES.items()
        for name in issuer_names(issuer, kind)
    ]


def _written(algorithm: HashAlgorithm, issuer: IssuerName, serial_number: int) -> HashData:
    return HashData(algorithm, issuer.name_hash.hex(), issuer.key_hash.hex(), f"{serial_number:x}")


def _digits(text: str) -> str:
    return _NOISE.sub("", text.strip().lower())
