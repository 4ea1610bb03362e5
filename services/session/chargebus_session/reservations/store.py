"""Queries about reservations, and about what stations have that could be reserved."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.rows import Rows

from chargebus_session.reservations.domain.reservation import Reservation
from chargebus_session.reservations.domain.room import Evses
from chargebus_session.tables import ReservationRow, ReservingStationRow

_ROWS: Final = Rows(ReservationRow)
_STATIONS: Final = Rows(ReservingStationRow)
_SELECT: Final = f"SELECT {_ROWS.select('r')} FROM reservation AS r "  # noqa: S608 (names of columns)
_IS_OPEN: Final = "r.state IN ('asked', 'reserved', 'unknown')"  # as the index has it
_LOCKED: Final = "ORDER BY r.reservation_id FOR NO KEY UPDATE OF r"

_HOLD: Final = "SELECT pg_advisory_xact_lock(hashtext('chargebus_session.reservation'), hashtext($1))"
_NEXT: Final = "SELECT nextval('reservation_id')"
_ADD: Final = _ROWS.insert()
_KEEP: Final = _ROWS.update()
_LOCK: Final = f"{_SELECT} WHERE r.reservation_id = ANY($1::bigint[]) {_LOCKED}"
_LOCK_OF_STATIONS: Final = f"{_SELECT} WHERE r.station_id = ANY($1::text[]) AND {_IS_OPEN} {_LOCKED}"
_LOCK_FOR: Final = f"""
{_SELECT} WHERE (r.station_id = ANY($1::text[]) AND {_IS_OPEN})
    OR r.reservation_id = ANY($2::bigint[]) {_LOCKED}
"""
_RUNNING: Final = f"{_SELECT} WHERE r.station_id = $1 AND {_IS_OPEN} AND r.expires_at > $2 ORDER BY r.reservation_id"
# What is due, and what is wanted though its token may not charge any more.
_DUE: Final = f"""
{_SELECT} WHERE {_IS_OPEN} AND (r.due_at <= $1 OR (r.cancel_reason = '' AND NOT EXISTS (
    SELECT FROM token AS t WHERE t.token_key = r.token_key AND NOT t.blocked
    AND (t.expires_at IS NULL OR t.expires_at > $1)
))) ORDER BY r.due_at LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED
"""
_OF_GROUP: Final = """
SELECT id_token FROM token WHERE group_id = $1 AND group_id <> '' AND NOT blocked
    AND (expires_at IS NULL OR expires_at > $2) ORDER BY token_key LIMIT 1
"""
_KEEP_STATIONS: Final = _STATIONS.upsert()
_FORGET_STATIONS: Final = "DELETE FROM reserving_station WHERE station_id = ANY($1::text[])"
_STATION: Final = f"SELECT {_STATIONS.select()} FROM reserving_station WHERE station_id = $1"  # noqa: S608 (columns)
_CONNECTORS: Final = """
SELECT evse_id, connector_id, status FROM connector_state WHERE station_id = $1 AND evse_id > 0
ORDER BY evse_id, connector_id
"""


class ReservationFilter(msgspec.Struct, frozen=True):
    """Which reservations to list, None for any."""

    station_id: str | None = None
    evse_id: int | None = None
    states: Sequence[str] | None = None
    token_keys: Sequence[str] | None = None
    group_id: str | None = None


class Station(msgspec.Struct, frozen=True):
    """What is known of a station: the types of its EVSEs' connectors, and what each connector said last."""

    types: Mapping[int, frozenset[str]]
    statuses: Mapping[int, tuple[str, ...]]

    @property
    def evses(self) -> Evses:
        """Its EVSEs."""
        known = sorted({*self.types, *self.statuses})
        return {evse_id: self.types.get(evse_id, frozenset()) for evse_id in known}


async def hold(connection: asyncpg.Connection, station_id: str) -> None:
    """Keep others from reserving at a station until the transaction ends."""
    await connection.execute(_HOLD, station_id)


async def next_id(connection: asyncpg.Connection) -> int:
    """Return a number that no reservation has; as OCPP has 32 bits for it, it goes round before it is larger."""
    found: int = await connection.fetchval(_NEXT)
    return found


async def add(connection: asyncpg.Connection, reservation: Reservation) -> None:
    """Keep a new reservation."""
    await connection.execute(_ADD, *_ROWS.arguments([reservation]))


async def keep(connection: asyncpg.Connection, reservations: Collection[Reservation]) -> None:
    """Keep reservations as they are now."""
    if reservations:
        await connection.execute(_KEEP, *_ROWS.arguments(reservations))


async def lock(connection: asyncpg.Connection, reservation_ids: Collection[int]) -> dict[int, Reservation]:
    """Return reservations, locked until the transaction ends."""
    return _by_id(await connection.fetch(_LOCK, list(reservation_ids)))


async def lock_of_stations(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[int, Reservation]:
    """Return the open reservations of stations, locked until the transaction ends."""
    return _by_id(await connection.fetch(_LOCK_OF_STATIONS, list(station_ids)))


async def lock_for(
    connection: asyncpg.Connection, station_ids: Collection[str], named: Collection[int]
) -> dict[int, Reservation]:
    """Return the open reservations of stations, and those that are named, locked until the transaction ends."""
    return _by_id(await connection.fetch(_LOCK_FOR, list(station_ids), list(named)))


async def running(connection: asyncpg.Connection, station_id: str, now: datetime) -> list[Reservation]:
    """Return the open reservations of a station whose time is not over."""
    return [_reservation(row) for row in await connection.fetch(_RUNNING, station_id, now)]


async def due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Reservation]:
    """Return up to `limit` reservations about which something is to be done, locked; others' are passed over."""
    return [_reservation(row) for row in await connection.fetch(_DUE, now, limit)]


async def get(pool: asyncpg.Pool, reservation_id: int) -> Reservation | None:
    """Return a reservation."""
    row = await pool.fetchrow(f"{_SELECT} WHERE r.reservation_id = $1", reservation_id)
    return None if row is None else _reservation(row)


async def listed(pool: asyncpg.Pool, wanted: ReservationFilter, before: int | None, limit: int) -> list[Reservation]:
    """Return up to `limit` reservations, the newest first."""
    where = Conditions()
    where.add("r.reservation_id < {}", before)
    where.add("r.station_id = {}", wanted.station_id)
    where.add("r.evse_id = {}", wanted.evse_id)
    where.add("r.state = ANY({}::text[])", wanted.states)
    where.add("r.token_key = ANY({}::text[])", wanted.token_keys)
    where.add("r.group_id = {}", wanted.group_id)
    query = f"{_SELECT} {where.sql} ORDER BY r.reservation_id DESC LIMIT {limit:d}"
    return [_reservation(row) for row in await pool.fetch(query, *where.arguments)]


async def token_of_group(connection: asyncpg.Connection, group_id: str, now: datetime) -> str | None:
    """Return a token of a group that may charge: the first."""
    found: str | None = await connection.fetchval(_OF_GROUP, group_id, now)
    return found


async def keep_stations(connection: asyncpg.Connection, types: Mapping[str, Mapping[int, Collection[str]]]) -> None:
    """Keep which stations there are, and the types of connectors of their EVSEs."""
    rows = [
        ReservingStationRow(station_id=station_id, types={str(evse): sorted(kinds) for evse, kinds in each.items()})
        for station_id, each in types.items()
    ]
    if rows:
        await connection.execute(_KEEP_STATIONS, *_STATIONS.arguments(rows))


async def forget_stations(connection: asyncpg.Connection, station_ids: Collection[str]) -> None:
    """Forget stations that are no more."""
    if station_ids:
        await connection.execute(_FORGET_STATIONS, list(station_ids))


async def station(connection: asyncpg.Connection, station_id: str) -> Station | None:
    """Return what is known of a station; None: there is none."""
    row = await connection.fetchrow(_STATION, station_id)
    if row is None:
        return None
    types = {int(evse_id): frozenset(kinds) for evse_id, kinds in _STATIONS.read(row).types.items()}
    statuses: dict[int, tuple[str, ...]] = {}
    for each in await connection.fetch(_CONNECTORS, station_id):
        statuses[each["evse_id"]] = (*statuses.get(each["evse_id"], ()), each["status"])
    return Station(types, statuses)


def _by_id(rows: Iterable[asyncpg.Record]) -> dict[int, Reservation]:
    return {row["reservation_id"]: _reservation(row) for row in rows}


def _reservation(row: asyncpg.Record) -> Reservation:
    return Reservation(**row)
