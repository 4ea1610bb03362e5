"""Stations and edges in the database: locked in one order, loaded with their open commands, written set by set."""

from collections.abc import Collection, Iterable, Sequence

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_command.domain.state import Command, Connection, Edge, Form, Sent, Station, Void
from chargebus_command.ledger import forms_from_json

_ENSURE = """
INSERT INTO station (station_id, registered, connected, version)
SELECT station_id, false, false, '' FROM unnest($1::text[]) AS s (station_id) ORDER BY station_id COLLATE "C"
ON CONFLICT (station_id) DO NOTHING
"""
_LOCK = """
SELECT station_id, registered, connected, epoch, slot, edge_epoch, version, void_epoch, void_until
FROM station WHERE station_id = ANY($1::text[]) ORDER BY station_id FOR NO KEY UPDATE
"""
_LOCK_FREE = """
SELECT station_id FROM station WHERE station_id = ANY($1::text[]) ORDER BY station_id FOR NO KEY UPDATE SKIP LOCKED
"""
_OPEN = """
SELECT command_id, station_id, requester, intent, subject, requested_at, timeout_s, ttl_s, expires_at, forms,
       action, payload, version, state, due_at, slot, epoch, sent_at
FROM command WHERE station_id = ANY($1::text[]) AND state <> 'ended' ORDER BY station_id, number
"""
_WRITE = """
UPDATE station AS s SET registered = n.registered, connected = n.connected, epoch = n.epoch, slot = n.slot,
    edge_epoch = n.edge_epoch, version = n.version, void_epoch = n.void_epoch, void_until = n.void_until
FROM unnest($1::text[], $2::bool[], $3::bool[], $4::bigint[], $5::int[], $6::bigint[], $7::text[], $8::bigint[],
    $9::timestamptz[])
    AS n (station_id, registered, connected, epoch, slot, edge_epoch, version, void_epoch, void_until)
WHERE s.station_id = n.station_id
"""
_EDGES = "SELECT slot, epoch, seen_at, stopped FROM edge"
_WRITE_EDGES = """
INSERT INTO edge (slot, epoch, seen_at, stopped)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::bool[])
ON CONFLICT (slot) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at, stopped = excluded.stopped
"""
_IN_FLIGHT_ON = (
    "SELECT slot, station_id FROM command WHERE state = 'sent' AND state <> 'ended' AND slot = ANY($1::int[])"
)
_FORGET_CONNECTIONS = """
UPDATE station SET connected = false, epoch = NULL, slot = NULL, edge_epoch = NULL, void_epoch = NULL, void_until = NULL
WHERE epoch IS NOT NULL
"""


async def ensure(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Give each station a row, so that it can be locked."""
    if station_ids:
        await connection.execute(_ENSURE, list(station_ids))


async def lock_free(connection: asyncpg.Connection, station_ids: Collection[str]) -> list[str]:
    """Lock those of the stations that nobody else holds, and return them."""
    return [row["station_id"] for row in await connection.fetch(_LOCK_FREE, list(station_ids))]


async def take(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Lock stations until the transaction ends, and load them with their open commands.

    A station without a row is left out. The commands are read by a second statement, which sees what the one that
    held the lock before has committed.
    """
    rows = await connection.fetch(_LOCK, list(station_ids))
    if not rows:
        return {}
    opened: dict[str, list[Command]] = {row["station_id"]: [] for row in rows}
    for row in await connection.fetch(_OPEN, list(opened)):
        opened[row["station_id"]].append(_command(row))
    return {row["station_id"]: _station(row, opened[row["station_id"]]) for row in rows}


async def write(connection: asyncpg.Connection, stations: Sequence[Station]) -> None:
    """Write the rows of stations, without their commands."""
    if stations:
        await connection.execute(_WRITE, *columns(map(_row, stations)))


async def load_edges(connection: asyncpg.Connection) -> dict[int, Edge]:
    """Return what is known of each slot."""
    rows = await connection.fetch(_EDGES)
    return {row["slot"]: Edge(row["slot"], row["epoch"], row["seen_at"], row["stopped"]) for row in rows}


async def write_edges(connection: asyncpg.Connection, edges: Iterable[Edge]) -> None:
    """Write what is known of slots."""
    rows = [(edge.slot, edge.epoch, edge.seen_at, edge.stopped) for edge in edges]
    if rows:
        await connection.execute(_WRITE_EDGES, *columns(rows))


async def in_flight_on(connection: asyncpg.Connection, slots: Collection[int]) -> list[tuple[int, str]]:
    """Return the stations with a command in flight through one of the slots, each with its slot."""
    if not slots:
        return []
    return [(row["slot"], row["station_id"]) for row in await connection.fetch(_IN_FLIGHT_ON, list(slots))]


async def forget_connections(connection: asyncpg.Connection) -> None:
    """Drop what a Kafka log told of connections and edges: its offsets mean nothing in another one."""
    await connection.execute(_FORGET_CONNECTIONS)
    await connection.execute("DELETE FROM edge")


def _station(row: asyncpg.Record, opened: Sequence[Command]) -> Station:
    return Station(
        station_id=row["station_id"],
        registered=row["registered"],
        connection=_connection(row),
        void=None if row["void_epoch"] is None else Void(row["void_epoch"], row["void_until"]),
        in_flight=next((command for command in opened if command.sent is not None), None),
        waiting=tuple(command for command in opened if command.sent is None),
    )


def _connection(row: asyncpg.Record) -> Connection | None:
    if row["epoch"] is None:
        return None
    return Connection(row["epoch"], row["slot"], row["edge_epoch"], row["version"], row["connected"])


def _command(row: asyncpg.Record) -> Command:
    return Command(
        command_id=row["command_id"],
        station_id=row["station_id"],
        forms=forms_from_json(row["forms"]),
        requester=row["requester"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        timeout_s=row["timeout_s"],
        ttl_s=row["ttl_s"],
        intent=row["intent"],
        subject=row["subject"],
        sent=_sent(row) if row["state"] == "sent" else None,
    )


def _sent(row: asyncpg.Record) -> Sent:
    form = Form(row["action"], row["payload"].encode())
    return Sent(row["slot"], row["epoch"], row["version"], form, row["sent_at"], row["due_at"])


def _row(station: Station) -> tuple[object, ...]:
    connection, void = station.connection, station.void
    where = (None, None, None) if connection is None else (connection.epoch, connection.slot, connection.edge_epoch)
    return (
        station.station_id,
        station.registered,
        connection is not None and connection.connected,
        *where,
        station.version,
        *((None, None) if void is None else (void.epoch, void.until)),
    )
