"""Owns the queries about edges: any copy of the service that hears an edge keeps it alive for all."""

from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec
from chargebus_runtime.columns import columns

_HEARD = """
INSERT INTO edge (slot, epoch, stopped, seen_at)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::bool[], $4::timestamptz[]) AS n (slot) ORDER BY slot
ON CONFLICT (slot) DO UPDATE SET epoch = excluded.epoch, stopped = excluded.stopped, seen_at = excluded.seen_at
WHERE excluded.epoch > edge.epoch
   OR (excluded.epoch = edge.epoch AND (excluded.stopped > edge.stopped OR excluded.seen_at > edge.seen_at))
"""
_LOAD = "SELECT slot, epoch, stopped, seen_at FROM edge"
_FORGET = "DELETE FROM edge"


class Sighting(msgspec.Struct, frozen=True):
    """The newest edge heard of on a slot, and when."""

    slot: int
    epoch: int
    stopped: bool
    seen_at: datetime


async def heard(connection: asyncpg.Connection, sightings: Iterable[Sighting]) -> None:
    """Note sightings, unless another copy noted newer ones."""
    rows = [(sighting.slot, sighting.epoch, sighting.stopped, sighting.seen_at) for sighting in sightings]
    if rows:
        await connection.execute(_HEARD, *columns(rows))


async def load(connection: asyncpg.Connection) -> list[Sighting]:
    """Return the newest edge of each slot that any copy heard, and when it was heard last."""
    return [
        Sighting(row["slot"], row["epoch"], row["stopped"], row["seen_at"]) for row in await connection.fetch(_LOAD)
    ]


async def forget(connection: asyncpg.Connection) -> None:
    """Drop all edges: their epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET)
