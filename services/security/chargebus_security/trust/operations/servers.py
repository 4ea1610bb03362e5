"""Under whom the edges' own certificates stand, as their heartbeats tell: stations must trust one of these."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
from chargebus_certificates.anchors import has_issued
from chargebus_runtime.clock import Clock
from chargebus_runtime.edge_liveness import EdgeLiveness

from chargebus_security.inventory.domain.certificate import Certificate
from chargebus_security.trust.domain.station import UNDER_EDGES

_COUNTS_FOR: Final = timedelta(days=7)
"""How long what an edge has told counts after it was heard last: one that is away comes back with its certificates."""


@dataclass(frozen=True)
class Servers:
    """What the edges tell."""

    edges: EdgeLiveness
    clock: Clock

    def issuers(self) -> frozenset[str]:
        """Return who has issued what edges show, as `chargebus_certificates.anchors` tells it."""
        since = self.clock() - _COUNTS_FOR
        heard = (each for each in self.edges.newest() if each.told_at is not None and each.told_at > since)
        return frozenset(issuer for each in heard for issuer in each.issuers)

    async def needed_for(self, _connection: asyncpg.Connection, certificate: Certificate) -> str:
        """Return whether edges stand under a certificate, in words; empty: none does."""
        itself = certificate.x509
        return f"It stays: {UNDER_EDGES}." if itself is not None and has_issued(itself, self.issuers()) else ""
