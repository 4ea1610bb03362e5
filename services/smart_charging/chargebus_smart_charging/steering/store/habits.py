"""What was learned of kinds of stations, read and written in sets."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.steering.domain.learning import Tally
from chargebus_smart_charging.steering.store.tables import HabitRow

Kind: TypeAlias = tuple[str, str, str]
"""Make, model and firmware."""

_ROWS: Final = Rows(HabitRow)
_LOAD: Final = """
SELECT h.* FROM habit AS h JOIN unnest($1::text[], $2::text[], $3::text[]) AS n (vendor, model, firmware_version)
USING (vendor, model, firmware_version)
"""
_LOCK: Final = f"{_LOAD} ORDER BY h.vendor, h.model, h.firmware_version FOR NO KEY UPDATE OF h"
_KEEP: Final = _ROWS.upsert()
_PAGE: Final = """
SELECT h.*, (
    SELECT count(*) FROM steered_station AS s
    WHERE (s.vendor, s.model, s.firmware_version) = (h.vendor, h.model, h.firmware_version)
) AS stations
FROM habit AS h WHERE (vendor, model, firmware_version) > ($1, $2, $3)
ORDER BY vendor, model, firmware_version LIMIT $4
"""

_decode: Final = msgspec.json.Decoder(Tally).decode


class LearnedOf(msgspec.Struct, frozen=True):
    """What was learned of a kind, and of how many stations that are known."""

    vendor: str
    model: str
    firmware_version: str
    tally: Tally
    changed_at: datetime
    stations: int = 0


async def load(connection: asyncpg.Connection, kinds: Collection[Kind]) -> dict[Kind, Tally]:
    """Return what was learned of kinds."""
    return _by_kind(await connection.fetch(_LOAD, *_columns(kinds)))


async def lock(connection: asyncpg.Connection, kinds: Collection[Kind]) -> dict[Kind, Tally]:
    """Return what was learned of kinds, locked until the transaction ends."""
    return _by_kind(await connection.fetch(_LOCK, *_columns(kinds)))


async def keep(connection: asyncpg.Connection, tallies: Mapping[Kind, Tally], now: datetime) -> None:
    """Keep what was learned of kinds."""
    rows = [LearnedOf(*kind, tally, now) for kind, tally in tallies.items()]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def page(connection: asyncpg.Connection, after: Kind, limit: int) -> list[LearnedOf]:
    """Return up to `limit` kinds in the order of make, model and firmware."""
    rows = await connection.fetch(_PAGE, *after, limit)
    return [
        LearnedOf(
            row["vendor"],
            row["model"],
            row["firmware_version"],
            _decode(row["tally"]),
            row["changed_at"],
            row["stations"],
        )
        for row in rows
    ]


def _by_kind(rows: Collection[asyncpg.Record]) -> dict[Kind, Tally]:
    return {(row["vendor"], row["model"], row["firmware_version"]): _decode(row["tally"]) for row in rows}


def _columns(kinds: Collection[Kind]) -> tuple[list[str], list[str], list[str]]:
    return [kind[0] for kind in kinds], [kind[1] for kind in kinds], [kind[2] for kind in kinds]
