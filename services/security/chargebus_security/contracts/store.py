"""Who may have signed what stations show, among the certificates that are known."""

import asyncio
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

import asyncpg
from cryptography import x509

from chargebus_security.contracts.domain.chain import Authorities
from chargebus_security.contracts.domain.checks import Shown
from chargebus_security.contracts.domain.shown import read_chain
from chargebus_security.inventory import store as inventory
from chargebus_security.inventory.domain.certificate import printable
from chargebus_security.inventory.errors import UnreadableCertificateError

MO_ROOT: Final = "MORootCertificate"
V2G_ROOT: Final = "V2GRootCertificate"
"""What an operator says that a root is for, under which contracts are trusted; under the latter, stations', too."""


async def authorities(connection: asyncpg.Connection, shown: Collection[Shown]) -> Authorities:
    """Return who may have signed what is shown, or told by hashes: roots that are trusted, and others that are known.

    Whoever has signed those others is looked for, too, once: two authorities stand between a contract and its root.
    """
    shared = await inventory.roots(connection, [V2G_ROOT])
    anchors = [*await inventory.roots(connection, [MO_ROOT]), *shared]
    issuers = await asyncio.to_thread(_issuers, [each.chain for each in shown if each.chain])
    hashed = {question.named.issuer_key for each in shown if not each.chain for question in each.named}
    known = dict.fromkeys(await inventory.authorities(connection, issuers) if issuers else ())
    if hashed:
        known |= dict.fromkeys(await inventory.issuers(connection, hashed))
    above = {printable(_load(pem).issuer) for pem in known} - issuers
    if above:
        known |= dict.fromkeys(await inventory.authorities(connection, above))
    return Authorities(
        [_load(pem) for pem in anchors],
        [_load(pem) for pem in known if pem not in anchors],
        [_load(pem) for pem in shared],
    )


def _issuers(chains: Collection[str]) -> set[str]:
    return {printable(each.issuer) for chain in chains for each in _read(chain)}


def _read(chain: str) -> Sequence[x509.Certificate]:
    try:
        return read_chain(chain)
    except UnreadableCertificateError:  # it is refused where it is judged
        return ()


@lru_cache(maxsize=1024)
def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())
