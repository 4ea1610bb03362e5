"""What HTTP does: commands placed, waited for, and read; those that come at the same time, in one transaction."""

import asyncio
import contextvars
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

import asyncpg
import msgspec
from chargebus_events.commands import CommandForm
from chargebus_ocppj.secrets import Secrets
from chargebus_ocppj.versions import VERSIONS
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.http import Role
from chargebus_runtime.together import Together
from chargebus_runtime.waiters import Waiters

from chargebus_command.block import Queues, Situation
from chargebus_command.domain.events import Asked
from chargebus_command.domain.state import Command, Station, expiry
from chargebus_command.errors import (
    KeyReusedError,
    MisfitError,
    NotAllowedError,
    OwnedError,
    QueueFullError,
    UnknownCommandError,
    UnknownStationError,
)
from chargebus_command.payload import misfits, versions_with
from chargebus_command.routes import OWNED, role_for
from chargebus_command.store import commands, queries
from chargebus_command.store.commands import Key, Keyed, Origin
from chargebus_command.store.queries import CommandFilter

REQUESTER: Final = "http"
NEWS_WITHIN_S: Final = 3.0
"""How long a command that would be denied waits until all news of its station are read."""


class News(Protocol):
    """Whether all that is known elsewhere of a station is known here."""

    async def with_all_of(self, key: str, within_s: float) -> bool:
        """Wait until it is, at most so many seconds; return whether it is."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """A command as a caller wants it; `payload` is JSON, `waits` tells that the caller waits for its end.

    `fingerprint` is what must be equal in two orders under one idempotency key. `sure`: all news of its station are
    read, so that it can be denied.
    """

    command_id: str
    station_id: str
    action: str
    payload: bytes
    timeout_s: float
    ttl_s: float
    caller: str
    idempotency_key: str | None = None
    fingerprint: str = ""
    waits: bool = False
    sure: bool = False
    context: contextvars.Context = field(default_factory=contextvars.copy_context, compare=False)

    @property
    def key(self) -> Key | None:
        """Under which it may come again."""
        return None if self.idempotency_key is None else (self.station_id, self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an order: `again`: it is a command that was placed before; `ended`: at once."""

    command_id: str
    again: bool = False
    ended: bool = False


@dataclass
class _Round:
    """The orders of one transaction, as they are looked at one by one."""

    stations: dict[str, Station]
    keyed: dict[Key, Keyed]
    now: datetime
    taken: list[Order] = field(default_factory=list)
    waited_for: list[str] = field(default_factory=list)
    coming: Counter[str] = field(default_factory=Counter)


class Commands:
    """Commands, as callers of the HTTP API have to do with them."""

    def __init__(self, database: Database, queues: Queues, waiters: Waiters, news: News) -> None:
        self._database = database
        self._queues = queues
        self._waiters = waiters
        self._news = news
        self._place: Together[Order, Placed | None] = Together(self._place_all)
        self._read: Together[str, asyncpg.Record] = Together(self._read_all)

    def check_role(self, role: Role, action: str, payload: dict[str, Any]) -> None:
        """Check whether a caller may send a command.

        Raises:
            NotAllowedError: it takes a larger role.
            OwnedError: nobody may, another route does it.
        """
        needed = role_for(action, payload)
        if role < needed:
            raise NotAllowedError(
                f"This {action} changes whom the station trusts or what it runs: it needs the role "
                f"{needed.name.lower()}."
            )

        if action in OWNED:
            raise OwnedError(f"{action} is not sent from here: use {OWNED[action]}.")

    async def place(self, order: Order, wait_s: float) -> asyncpg.Record:
        """Place an order, or find the one placed before under its idempotency key; return its row of the ledger.

        If the order waits, that is after its end, or after `wait_s`.

        Raises:
            CommandError: nothing was placed.
        """
        if order.idempotency_key is not None:
            order = replace(order, fingerprint=await asyncio.to_thread(fingerprint, order, self._queues.secrets))
        async with self._waiters.waiting(order.command_id) as waiter:
            placed = await self._placed(order)
            if not placed.again:
                if order.waits and not placed.ended:
                    await waiter.wait(wait_s)
                return await self.get(placed.command_id)
        return await self._wait(placed.command_id, wait_s if order.waits else 0.0)

    async def get(self, command_id: str) -> asyncpg.Record:
        """Return a command's row of the ledger.

        Raises:
            UnknownCommandError: there is none.
        """
        return await self._read(command_id)

    async def find(self, wanted: CommandFilter, limit: int) -> list[asyncpg.Record]:
        """Return up to `limit` commands, the newest first.

        Raises:
            UnknownStationError: of a station that was never heard of, and has none.
        """
        rows = await queries.find(self._database.pool, wanted, limit)
        station_id = wanted.station_id
        if not rows and station_id is not None and not await queries.is_station(self._database.pool, station_id):
            raise UnknownStationError(f"Nothing is known of a station {station_id!r}.")
        return rows

    async def _wait(self, command_id: str, wait_s: float) -> asyncpg.Record:
        async with self._waiters.waiting(command_id) as waiter:
            row = await self.get(command_id)
            if row["outcome"] is not None or wait_s <= 0:
                return row
            await waiter.wait(wait_s)
        return await self.get(command_id)

    async def _read_all(self, command_ids: Sequence[str]) -> list[asyncpg.Record | Exception]:
        rows = await queries.get(self._database.pool, command_ids)
        return [rows.get(command_id) or _unknown(command_id) for command_id in command_ids]

    # Placing

    async def _placed(self, order: Order) -> Placed:
        placed = await self._place(order)
        if placed is not None:
            return placed
        await self._news.with_all_of(order.station_id, NEWS_WITHIN_S)
        placed = await self._place(replace(order, sure=True))
        if placed is None:
            raise TypeError("an order that is sure was not decided")
        return placed

    async def _place_all(self, orders: Sequence[Order]) -> list[Placed | Exception | None]:
        async with self._database.transaction() as tx:
            found = await self._queues.take(tx.connection, {order.station_id for order in orders}, tx.now)
            keyed = await commands.by_key(tx.connection, [order.key for order in orders if order.key is not None])
            around = _Round(found, keyed, tx.now)
            results = [self._look_at(order, around) for order in orders]
            await commands.await_end(tx.connection, around.waited_for)
            ended = await self._carry_out(tx, around)
        return [
            replace(each, ended=True) if isinstance(each, Placed) and each.command_id in ended else each
            for each in results
        ]

    def _look_at(self, order: Order, around: _Round) -> Placed | Exception | None:
        """Decide about an order: it is taken, was placed before, or is denied; None: that would hang on unread news."""
        before = order.key and around.keyed.get(order.key)
        if before:
            if before.fingerprint != order.fingerprint:
                return _reused(before)
            if order.waits:
                around.waited_for.append(before.command_id)
            return Placed(before.command_id, again=True)
        station = around.stations.get(order.station_id)
        known = station is not None and station.known
        in_vain = station is None or not known or (order.ttl_s <= 0 and self._queues.offline(station, around.now))
        if in_vain and not order.sure:
            return None
        if station is None or not known:
            return UnknownStationError(
                f"No station {order.station_id!r} is registered or connected; register it with POST /v1/stations."
            )
        denied = self._misfit(order, station) or self._no_room(station, around)
        if denied is not None:
            return denied
        around.taken.append(order)
        around.coming[order.station_id] += 1
        if order.key is not None:
            around.keyed[order.key] = Keyed(order.command_id, order.fingerprint)
        return Placed(order.command_id)

    def _no_room(self, station: Station, around: _Round) -> QueueFullError | None:
        waiting = len(station.waiting) + around.coming[station.station_id]
        if waiting < self._queues.rules.max_waiting:
            return None
        return QueueFullError(f"{waiting} commands already wait for {station.station_id}; try again later.")

    def _misfit(self, order: Order, station: Station) -> MisfitError | None:
        versions = (station.version,) if station.version else versions_with(order.action) or VERSIONS
        found = misfits(self._queues.misfit, CommandForm(order.action, msgspec.Raw(order.payload)), versions)
        return MisfitError("; ".join(found)) if found else None

    async def _carry_out(self, tx: Transaction, around: _Round) -> set[str]:
        """Queue what was taken, and send what can be sent; return what ended by it."""
        contexts = {order.station_id: order.context for order in around.taken}
        events: dict[str, list[Asked]] = {station_id: [] for station_id in contexts}
        for order in around.taken:
            events[order.station_id].append(Asked(_command(order, tx.now)))
        situation = Situation(
            stations={station_id: around.stations[station_id] for station_id in events},
            now=tx.now,
            events=events,
            origins={order.command_id: _origin(order) for order in around.taken},
        )
        decisions = await self._queues.carry_out(tx.connection, situation)
        for station_id, decision in decisions.items():
            for record in self._queues.records(decision):
                contexts[station_id].copy().run(tx.send, record)  # it is the call's trace that goes on
        return {ended.command.command_id for decision in decisions.values() for ended in decision.ended}


def fingerprint(order: Order, secrets: Secrets) -> str:
    """Return what tells two orders under one idempotency key apart; a secret cannot be guessed from it at any speed."""
    payload = msgspec.json.encode(msgspec.json.decode(order.payload), order="sorted")
    whole = msgspec.json.encode((order.station_id, order.action, order.timeout_s, order.ttl_s)) + payload
    if secrets.masked_call(order.action, order.payload) == order.payload:
        return hashlib.sha256(whole).hexdigest()
    salt = f"{order.station_id}/{order.idempotency_key}".encode()
    return hashlib.scrypt(whole, salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


def _unknown(command_id: str) -> UnknownCommandError:
    return UnknownCommandError(f"There is no command {command_id!r}; ended ones are kept for a while only.")


def _reused(before: Keyed) -> KeyReusedError:
    return KeyReusedError(
        f"The Idempotency-Key was used for another command of this station ({before.command_id}); "
        "take a new key for a new command."
    )


def _command(order: Order, now: datetime) -> Command:
    return Command(
        command_id=order.command_id,
        station_id=order.station_id,
        forms=(CommandForm(order.action, msgspec.Raw(order.payload)),),
        requester=REQUESTER,
        requested_at=now,
        expires_at=expiry(now, order.timeout_s, order.ttl_s),
        timeout_s=order.timeout_s,
        ttl_s=order.ttl_s,
    )


def _origin(order: Order) -> Origin:
    return Origin(order.caller, order.idempotency_key, order.fingerprint, order.waits)
