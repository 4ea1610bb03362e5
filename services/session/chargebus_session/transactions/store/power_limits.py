"""Queries about the largest power of EVSEs: learned from the registry, read by those batches that need it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_session.tables import PowerLimitRow
from chargebus_session.transactions.domain.power import Place, PowerLimit

_ROWS: Final = Rows(PowerLimitRow, sources={"place": Place})
_DROP: Final = """
DELETE FROM power_limit WHERE station_id = ANY($1::text[])
AND (station_id, evse_id, connector_id) NOT IN (SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[]))
"""
_KEEP: Final = f"{_ROWS.upsert()} WHERE power_limit.max_power_w <> excluded.max_power_w"
_LOAD: Final = f"SELECT {_ROWS.select()} FROM power_limit WHERE station_id = ANY($1::text[])"  # noqa: S608


async def keep(connection: asyncpg.Connection, limits: Mapping[str, Sequence[PowerLimit]]) -> None:
    """Keep all that is known of stations, in place of what was known; most have nothing."""
    if not limits:
        return
    known = [limit for each in limits.values() for limit in each]
    arguments = _ROWS.arguments(known)
    await connection.execute(_DROP, list(limits), *arguments[:3])
    if known:
        await connection.execute(_KEEP, *arguments)


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[Place, float]:
    """Return what is known of stations."""
    if not station_ids:
        return {}
    rows = await connection.fetch(_LOAD, list(station_ids))
    return {Place(station_id, evse_id, connector_id): power_w for station_id, evse_id, connector_id, power_w in rows}
