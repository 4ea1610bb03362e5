"""Queries about connections and when stations were last heard."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_device.connections.domain import NEVER, Connection, Edge
from chargebus_device.tables import ConnectionRow


class _KeptConnection(NamedTuple):
    """A station's newest connection, and when the station was heard."""

    connection: Connection
    last_seen_at: datetime


_ROWS = Rows(ConnectionRow, sources={"connection": Connection})

_LOCK = "SELECT * FROM connection WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE"
_KEEP = f"""
{_ROWS.upsert(keep=["last_seen_at"])},
    last_seen_at = GREATEST(connection.last_seen_at, excluded.last_seen_at)
"""
_SEEN = """
INSERT INTO connection (station_id, epoch, present, connected, slot, edge_epoch, version, security_profile,
                        remote_address, last_seen_at)
SELECT station_id, $3::int, false, false, $3::int, $3::int, '', 1, '', seen_at
FROM unnest($1::text[], $2::timestamptz[]) AS n (station_id, seen_at) ORDER BY station_id
ON CONFLICT (station_id) DO UPDATE SET last_seen_at = excluded.last_seen_at
WHERE connection.last_seen_at < excluded.last_seen_at
"""
_END = """
WITH void AS (
    SELECT station_id FROM connection JOIN unnest($1::int[], $2::bigint[]) AS e (slot, void_up_to) USING (slot)
    WHERE connected AND edge_epoch <= void_up_to ORDER BY station_id LIMIT $4
    FOR NO KEY UPDATE OF connection SKIP LOCKED
)
UPDATE connection SET connected = false, changed_at = $3
FROM void WHERE connection.station_id = void.station_id RETURNING connection.*
"""
_REVIVE = """
WITH valid AS (
    SELECT station_id FROM connection JOIN unnest($1::int[], $2::bigint[]) AS e (slot, void_up_to) USING (slot)
    WHERE present AND NOT connected AND edge_epoch > void_up_to ORDER BY station_id LIMIT $4
    FOR NO KEY UPDATE OF connection SKIP LOCKED
)
UPDATE connection SET connected = true, changed_at = $3
FROM valid WHERE connection.station_id = valid.station_id RETURNING connection.*
"""
_FORGET = """
UPDATE connection SET epoch = $1::int, slot = $1::int, edge_epoch = $1::int, present = false, connected = false
"""


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Connection]:
    """Return the newest connections of stations and lock their rows until the transaction ends."""
    return {row["station_id"]: _connection(row) for row in await connection.fetch(_LOCK, list(station_ids))}


async def keep(
    connection: asyncpg.Connection, connections: Iterable[Connection], seen_at: Mapping[str, datetime]
) -> None:
    """Keep the newest connection of stations, at least one; `seen_at` tells when each was heard."""
    rows = [_KeptConnection(each, seen_at[each.station_id]) for each in connections]
    await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def seen(connection: asyncpg.Connection, seen_at: Mapping[str, datetime]) -> None:
    """Note when stations were heard, each once."""
    if seen_at:
        await connection.execute(_SEEN, list(seen_at), list(seen_at.values()), NEVER)


async def end(
    connection: asyncpg.Connection, edges: Mapping[int, Edge], now: datetime, limit: int
) -> Sequence[Connection]:
    """End up to `limit` connections whose edge is dead; return them as they are now."""
    return await _sweep(connection, _END, edges, now, limit)


async def revive(
    connection: asyncpg.Connection, edges: Mapping[int, Edge], now: datetime, limit: int
) -> Sequence[Connection]:
    """Open again up to `limit` connections whose edge had only been silent; return them as they are now."""
    return await _sweep(connection, _REVIVE, edges, now, limit)


async def forget(connection: asyncpg.Connection) -> None:
    """Drop all connections: their epochs counted in the log of a Kafka cluster that is no more."""
    await connection.execute(_FORGET, NEVER)


async def _sweep(
    connection: asyncpg.Connection, statement: str, edges: Mapping[int, Edge], now: datetime, limit: int
) -> Sequence[Connection]:
    void_up_to = [edge.void_up_to for edge in edges.values()]
    rows = await connection.fetch(statement, list(edges), void_up_to, now, limit)
    return [_connection(row) for row in rows]


def _connection(row: asyncpg.Record) -> Connection:
    kept = {name: row[name] for name in Connection.__struct_fields__}
    return Connection(**kept | {"deviations": tuple(kept["deviations"])})
