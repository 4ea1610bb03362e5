"""Placing a command over HTTP: checked, written and dispatched in one transaction of its own."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec
from chargebus_ocppj.versions import VERSIONS
from chargebus_runtime.database import Database

from chargebus_command import stations
from chargebus_command.desk import Case, Desk
from chargebus_command.domain.events import Asked
from chargebus_command.domain.state import Command, Form, Station, expiry
from chargebus_command.ledger import Origin
from chargebus_command.payloads import misfits, versions_with
from chargebus_command.records import outgoing

REQUESTER = "http"

_BY_KEY = "SELECT command_id, fingerprint FROM command WHERE station_id = $1 AND idempotency_key = $2"
_AWAIT = "UPDATE command SET awaited = true WHERE command_id = $1 AND NOT awaited"


class PlacingError(Exception):
    """A command cannot be placed; the text says why, in words for the caller."""


class UnknownStationError(PlacingError):
    """There is no such station."""


class MisfitError(PlacingError):
    """No version that the station may speak takes the action with this payload."""


class QueueFullError(PlacingError):
    """Too many commands wait for the station."""


class KeyReusedError(PlacingError):
    """The idempotency key was used for another command."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command as a caller wants it; `payload` is JSON, `waits` tells that the caller waits for its end."""

    command_id: str
    station_id: str
    action: str
    payload: bytes
    timeout_s: float
    ttl_s: float
    caller: str
    idempotency_key: str | None = None
    waits: bool = False

    @property
    def fingerprint(self) -> str:
        """What must be equal in two orders under one idempotency key."""
        payload = msgspec.json.encode(msgspec.json.decode(self.payload), order="sorted")
        head = msgspec.json.encode((self.station_id, self.action, self.timeout_s, self.ttl_s))
        return hashlib.sha256(head + payload).hexdigest()


class Counter:
    """Where HTTP's commands are placed."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    async def place(self, order: Order) -> str:
        """Place an order, or find the one placed before under its idempotency key; return the command's id.

        Raises:
            PlacingError: nothing was placed.
        """
        async with self._database.transaction() as tx:
            taken = await stations.take(tx.connection, [order.station_id])
            station = _known(taken.get(order.station_id), order)
            placed = await self._placed_before(tx.connection, order)
            if placed is not None:
                return placed
            self._check(station, order)
            command = _command(order, tx.now)
            case = Case(
                stations={order.station_id: station},
                edges=await stations.load_edges(tx.connection),
                now=tx.now,
                events={order.station_id: [Asked(command)]},
                origins={order.command_id: _origin(order)},
            )
            for decision in (await self._desk.carry_out(tx.connection, case)).values():
                for record in outgoing(decision):
                    tx.send(record)
        return order.command_id

    async def _placed_before(self, connection: asyncpg.Connection, order: Order) -> str | None:
        if order.idempotency_key is None:
            return None
        row = await connection.fetchrow(_BY_KEY, order.station_id, order.idempotency_key)
        if row is None:
            return None
        command_id: str = row["command_id"]
        if row["fingerprint"] != order.fingerprint:
            raise KeyReusedError(
                f"The Idempotency-Key was used for another command of this station ({command_id}); "
                "take a new key for a new command."
            )
        if order.waits:
            await connection.execute(_AWAIT, command_id)
        return command_id

    def _check(self, station: Station, order: Order) -> None:
        if len(station.waiting) >= self._desk.rules.max_waiting:
            raise QueueFullError(
                f"{len(station.waiting)} commands already wait for {station.station_id}; try again later."
            )
        versions = (station.version,) if station.version else versions_with(order.action) or VERSIONS
        found = misfits(versions, order.action, order.payload)
        if found:
            raise MisfitError("; ".join(found))


def _known(station: Station | None, order: Order) -> Station:
    if station is None or not station.known:
        raise UnknownStationError(
            f"No station {order.station_id!r} is registered or connected; register it with POST /v1/stations."
        )
    return station


def _command(order: Order, now: datetime) -> Command:
    return Command(
        command_id=order.command_id,
        station_id=order.station_id,
        forms=(Form(order.action, order.payload),),
        requester=REQUESTER,
        requested_at=now,
        expires_at=expiry(now, order.timeout_s, order.ttl_s),
        timeout_s=order.timeout_s,
        ttl_s=order.ttl_s,
    )


def _origin(order: Order) -> Origin:
    fingerprint = "" if order.idempotency_key is None else order.fingerprint
    return Origin(order.caller, order.idempotency_key, fingerprint, order.waits)
