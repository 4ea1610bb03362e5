"""Stations in the database: locked in one order, loaded with their open commands, written set by set."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.commands import CommandForm
from chargebus_runtime.rows import Rows

from chargebus_command.domain.state import Avoided, Command, Sent, Station, StationConnection
from chargebus_command.payload import Keeping
from chargebus_command.store.tables import CommandRow, StationRow


@dataclass(frozen=True, slots=True)
class Entry:
    """A station on its way into its row: the columns that are no attributes of a Station."""

    station: Station

    @property
    def connected(self) -> bool:
        """Whether its newest connection is open."""
        return self.station.connection is not None and self.station.connection.connected

    @property
    def epoch(self) -> int | None:
        """Which connection that is."""
        return None if self.station.connection is None else self.station.connection.epoch

    @property
    def slot(self) -> int | None:
        """Which edge holds it."""
        return None if self.station.connection is None else self.station.connection.slot

    @property
    def edge_epoch(self) -> int | None:
        """In which life."""
        return None if self.station.connection is None else self.station.connection.edge_epoch

    @property
    def version(self) -> str:
        """What it speaks."""
        return self.station.version

    @property
    def avoided_epoch(self) -> int | None:
        """Which connection is left alone."""
        return None if self.station.avoided is None else self.station.avoided.epoch

    @property
    def avoided_until(self) -> datetime | None:
        """Until when."""
        return None if self.station.avoided is None else self.station.avoided.until


_STATIONS: Final = Rows(StationRow, sources={"station": Station})
_COMMANDS: Final = Rows(CommandRow)

_ENSURE: Final = """
INSERT INTO station (station_id, registered, connected, version)
SELECT station_id, false, false, '' FROM unnest($1::text[]) AS s (station_id) ORDER BY station_id COLLATE "C"
ON CONFLICT (station_id) DO NOTHING
"""
_LOCK: Final = f"""
SELECT {_STATIONS.select()} FROM station WHERE station_id = ANY($1::text[]) ORDER BY station_id FOR NO KEY UPDATE
"""  # noqa: S608 - no input
_LOCK_FREE: Final = """
SELECT station_id FROM station WHERE station_id = ANY($1::text[]) ORDER BY station_id FOR NO KEY UPDATE SKIP LOCKED
"""
_OPEN: Final = f"""
SELECT {_COMMANDS.select()} FROM command WHERE station_id = ANY($1::text[]) AND state <> 'ended'
ORDER BY station_id, number
"""  # noqa: S608 - no input
_WRITE: Final = _STATIONS.update()
_FORGET_CONNECTIONS: Final = """
UPDATE station SET connected = false, epoch = NULL, slot = NULL, edge_epoch = NULL, avoided_epoch = NULL,
    avoided_until = NULL
WHERE epoch IS NOT NULL
"""

_read_forms = msgspec.json.Decoder(tuple[CommandForm, ...]).decode


async def ensure(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Give each station a row, so that it can be locked."""
    if station_ids:
        await connection.execute(_ENSURE, list(station_ids))


async def lock_free(connection: asyncpg.Connection, station_ids: Collection[str]) -> list[str]:
    """Lock those of the stations that nobody else holds, and return them."""
    return [row["station_id"] for row in await connection.fetch(_LOCK_FREE, list(station_ids))]


async def take(
    connection: asyncpg.Connection, station_ids: Collection[str], keeping: Keeping, now: datetime
) -> dict[str, Station]:
    """Lock stations until the transaction ends, and load them with their open commands.

    A station without a row is left out. The commands are read by a second statement, which sees what the one that
    held the lock before has committed.
    """
    rows = await connection.fetch(_LOCK, list(station_ids))
    if not rows:
        return {}
    opened: dict[str, list[Command]] = {row["station_id"]: [] for row in rows}
    for row in await connection.fetch(_OPEN, list(opened)):
        opened[row["station_id"]].append(_command(row, keeping, now))
    return {row["station_id"]: _station(row, opened[row["station_id"]]) for row in rows}


async def write(connection: asyncpg.Connection, stations: Sequence[Station]) -> None:
    """Write the rows of stations, without their commands."""
    if stations:
        await connection.execute(_WRITE, *_STATIONS.arguments(map(Entry, stations)))


async def forget_connections(connection: asyncpg.Connection) -> None:
    """Drop what a Kafka log told of connections: its offsets mean nothing in another one."""
    await connection.execute(_FORGET_CONNECTIONS)


def _station(row: asyncpg.Record, opened: Sequence[Command]) -> Station:
    return Station(
        station_id=row["station_id"],
        registered=row["registered"],
        connection=_connection(row),
        avoided=None if row["avoided_epoch"] is None else Avoided(row["avoided_epoch"], row["avoided_until"]),
        in_flight=next((command for command in opened if command.sent is not None), None),
        waiting=tuple(command for command in opened if command.sent is None),
    )


def _connection(row: asyncpg.Record) -> StationConnection | None:
    if row["epoch"] is None:
        return None
    return StationConnection(row["epoch"], row["slot"], row["edge_epoch"], row["version"], row["connected"])


def _command(row: asyncpg.Record, keeping: Keeping, now: datetime) -> Command:
    return Command(
        command_id=row["command_id"],
        station_id=row["station_id"],
        forms=keeping.opened(_read_forms(row["open_forms"]), row["command_id"], row["station_id"], now),
        requester=row["requester"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        timeout_s=row["timeout_s"],
        ttl_s=row["ttl_s"],
        intent=row["intent"],
        subject=row["subject"],
        absent_until=row["absent_until"],
        held_until=row["held_until"],
        sent=_sent(row) if row["state"] == "sent" else None,
    )


def _sent(row: asyncpg.Record) -> Sent:
    form = CommandForm(row["action"], msgspec.Raw(row["payload"].encode()))
    return Sent(row["slot"], row["epoch"], row["version"], form, row["sent_at"], row["due_at"])
