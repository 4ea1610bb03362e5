"""Chains as stations show them, read. Pure."""

from functools import lru_cache
from typing import Final

from cryptography import x509

from chargebus_security.inventory.domain.certificate import read_pem
from chargebus_security.inventory.errors import UnreadableCertificateError

_LONGEST: Final = 10_000
"""How many characters a chain has at most; an edge lets longer ones through, marked. Spec: OCPP 2.1 Authorize"""


@lru_cache(maxsize=256)
def read_chain(chain: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a chain (PEM), in its order; it is read once, whoever asks next.

    Raises:
        UnreadableCertificateError: it is too long, or what stands there is no chain.
    """
    if len(chain) > _LONGEST:
        raise UnreadableCertificateError(f"it has {len(chain)} characters; {_LONGEST} are read at most")
    return tuple(read_pem(chain))
