"""Limits of others, read and written in sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period
from chargebus_smart_charging.limits.store.tables import LimitRow
from chargebus_smart_charging.sites.domain.site import Capacity

Key: TypeAlias = tuple[str, str, str]
"""A limit's site, source and id."""

_ROWS: Final = Rows(LimitRow, sources={"limit": KnownLimit})
_FIELDS: Final = KnownLimit.__struct_fields__
_SELECT: Final = f"SELECT {', '.join(_FIELDS)}, cleared FROM charging_limit "  # noqa: S608 - names of columns
_HOLDING: Final = (
    _SELECT
    + """
WHERE site_id = ANY($1) AND NOT cleared AND (gone_at IS NULL OR gone_at > $2) ORDER BY site_id, source, limit_id
"""
)
_LOCK: Final = f"""{_SELECT}
WHERE (site_id, source, limit_id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
ORDER BY site_id, source, limit_id FOR NO KEY UPDATE
"""  # noqa: S608
_LOCK_OF_STATIONS: Final = (
    _SELECT
    + """
WHERE station_id = ANY($1) AND told_by = 'frame' ORDER BY site_id, source, limit_id FOR NO KEY UPDATE
"""
)
_KEEP: Final = f"{_ROWS.upsert()} WHERE charging_limit.told_at <= excluded.told_at"
# A site that is described no more takes its limits with it, but not at once: it may be described anew.
_FORGET: Final = """
DELETE FROM charging_limit AS l WHERE l.gone_at < $1
OR (l.told_at < $1 AND NOT EXISTS (SELECT FROM site AS s WHERE s.site_id = l.site_id))
"""

_periods = msgspec.json.Decoder(tuple[Period, ...]).decode
_capacity = msgspec.json.Decoder(Capacity).decode


class Kept(msgspec.Struct, frozen=True):
    """A limit as it was told last; `cleared`: that it is gone."""

    limit: KnownLimit
    cleared: bool = False

    @property
    def key(self) -> Key:
        """Which it is."""
        return self.limit.site_id, self.limit.source, self.limit.limit_id

    @property
    def gone_at(self) -> datetime | None:
        """From when on it need not be known."""
        return self.limit.told_at if self.cleared else self.limit.over_at


async def holding(
    connection: asyncpg.Connection, site_ids: Collection[str], now: datetime
) -> dict[str, list[KnownLimit]]:
    """Return the limits of sites that are not over, in the order of source and id."""
    found: defaultdict[str, list[KnownLimit]] = defaultdict(list)
    for row in await connection.fetch(_HOLDING, list(site_ids), now):
        found[row["site_id"]].append(_kept(row).limit)
    return dict(found)


async def lock(connection: asyncpg.Connection, keys: Collection[Key]) -> dict[Key, Kept]:
    """Return limits, those that are over and cleared as well, locked until the transaction ends."""
    columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
    return {(kept := _kept(row)).key: kept for row in await connection.fetch(_LOCK, *columns)}


async def lock_of_stations(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[Key, Kept]:
    """Return the limits that stations told of themselves, locked until the transaction ends."""
    return {(kept := _kept(row)).key: kept for row in await connection.fetch(_LOCK_OF_STATIONS, list(station_ids))}


async def keep(connection: asyncpg.Connection, kept: Iterable[Kept]) -> None:
    """Keep limits, each once, unless something newer is known of it."""
    await connection.execute(_KEEP, *_ROWS.arguments(kept))


async def forget(connection: asyncpg.Connection, before: datetime) -> int:
    """Drop what has been gone since then; return how many."""
    return int((await connection.execute(_FORGET, before)).split()[-1])


def _kept(row: asyncpg.Record) -> Kept:
    values = {name: row[name] for name in _FIELDS}
    values["periods"] = _periods(row["periods"])
    values["floor"], values["fallback"] = _capacity(row["floor"]), _capacity(row["fallback"])
    return Kept(KnownLimit(**values), row["cleared"])
