"""Queries about the largest power of EVSEs, as it is learned from the registry."""

from collections.abc import Mapping, Sequence
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


async def keep(connection: asyncpg.Connection, limits: Mapping[str, Sequence[PowerLimit]]) -> None:
    """Keep all that is known of stations, in place of what was known; most have nothing."""
    if not limits:
        return
    known = [limit for each in limits.values() for limit in each]
    arguments = _ROWS.arguments(known)
    await connection.execute(_DROP, list(limits), *arguments[:3])
    if known:
        await connection.execute(_KEEP, *arguments)
