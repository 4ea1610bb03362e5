"""Under whom a server's certificates stand, in words short enough to be told with every heartbeat.

Each is a hash of an issuer's name (in hexadecimal digits; once with each algorithm by which stations name
certificates) and the key identifier by which the certificate below names the issuer's key, empty where it names none:
`9f…:c3…`.
"""

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

from cryptography import x509

_ALGORITHMS: Final = ("sha256", "sha384", "sha512")


def issuers_told(chain: Iterable[x509.Certificate]) -> tuple[str, ...]:
    """Return who has issued the certificates of a chain, whether those are in it or not."""
    return tuple(
        dict.fromkeys(
            f"{_hash(each.issuer, algorithm)}:{_named_key(each)}" for each in chain for algorithm in _ALGORITHMS
        )
    )


def has_issued(certificate: x509.Certificate, told: Collection[str]) -> bool:
    """Tell whether a certificate is, as far as can be told, that of one of the issuers."""
    name = _hash(certificate.subject)
    keys = {key for issuer, _, key in (each.partition(":") for each in told) if issuer == name}
    own = _own_key(certificate)
    return bool(keys) and (not own or "" in keys or own in keys or _key_hash(certificate) in keys)


def is_issuer_named(name_hash: str, told: Collection[str]) -> bool:
    """Tell whether one of the issuers has a name with this hash (in hexadecimal digits, by any of the algorithms)."""
    return any(each.startswith(f"{name_hash.lower()}:") for each in told)


def _hash(name: x509.Name, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, name.public_bytes()).hexdigest()


def _named_key(certificate: x509.Certificate) -> str:
    try:
        named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return (named.key_identifier or b"").hex()


def _own_key(certificate: x509.Certificate) -> str:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except (x509.ExtensionNotFound, ValueError):
        return ""


def _key_hash(certificate: x509.Certificate) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()
