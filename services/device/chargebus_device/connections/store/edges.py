"""Queries about edges: any copy of the service that hears an edge keeps it alive for all."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.tables import EdgeRow


class Sighting(msgspec.Struct, frozen=True):
    """The newest edge heard of on a slot, and when."""

    slot: int
    epoch: int
    stopped: bool
    seen_at: datetime


_ROWS: Final = Rows(EdgeRow)
_HEARD: Final = f"""
{_ROWS.upsert()}
WHERE excluded.epoch > edge.epoch
   OR (excluded.epoch = edge.epoch AND (excluded.stopped > edge.stopped OR excluded.seen_at > edge.seen_at))
"""
_LOAD: Final = f"SELECT {_ROWS.select()} FROM edge"  # noqa: S608 (names of columns)
_FORGET: Final = "DELETE FROM edge"


async def heard(connection: asyncpg.Connection, sightings: Iterable[Sighting]) -> None:
    """Note sightings, unless another copy noted newer ones."""
    await connection.execute(_HEARD, *_ROWS.arguments(sightings))


async def load(connection: asyncpg.Connection) -> list[Sighting]:
    """Return the newest edge of each slot that any copy heard, and when it was heard last."""
    return [Sighting(**row) for row in await connection.fetch(_LOAD)]


async def forget(connection: asyncpg.Connection) -> None:
    """Drop all edges: their epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET)
