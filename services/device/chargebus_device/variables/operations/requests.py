"""What stations are asked about their variables, piece by piece, and what is done about what they answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec
from chargebus_commanding import Ask, Commanding, Form, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.sealing import SealingError
from chargebus_runtime.tasks import DueWork
from chargebus_runtime.waiters import Waiters

from chargebus_device.metrics import Metrics
from chargebus_device.variables import routes
from chargebus_device.variables.domain import request as domain
from chargebus_device.variables.domain.report import Parts
from chargebus_device.variables.domain.request import FULL, SUMMARY, Item, Kind, Limits, Origin, Request
from chargebus_device.variables.domain.variable import Reported
from chargebus_device.variables.routes import WORDS, Words
from chargebus_device.variables.store import requests, stations, variables
from chargebus_device.variables.store.stations import Station
from chargebus_device.variables.store.variables import Told

INTENT: Final = "variables"
"""The row of the service's table of intents."""

NO_VERSION: Final = "it has not yet told which version of OCPP it speaks"
_TIMEOUT_S: Final = 60.0
_TTL_S: Final = 30.0
_AT_ONCE: Final = 100
_AGAIN_IN: Final = timedelta(minutes=10)
_MOST_TRIES: Final = 5
_SKEW: Final = timedelta(minutes=1)
"""How far the clocks of two copies may be apart."""

Ended = Callable[[Transaction, Sequence[Request]], Awaitable[None]]
Heard = Callable[[Transaction, Sequence[str]], Awaitable[None]]


class Wanted(msgspec.Struct, frozen=True):
    """What a station is to be asked: `base`, `criteria` and `items` as a `Request` has them."""

    kind: Kind
    origin: Origin
    items: tuple[Item, ...] = ()
    base: str = FULL
    criteria: tuple[str, ...] = ()


class Requests:
    """What is asked, in the transaction of whoever asks.

    `ended` is told of requests that have ended, by their origin; `heard` of stations whose variables were told.
    """

    def __init__(self, database: Database, commanding: Commanding, metrics: Metrics) -> None:
        self._database = database
        self._commanding = commanding
        self._metrics = metrics
        self._waiters = Waiters(database, requests.CHANNEL)
        self._due = DueWork(database, _AT_ONCE, self._take_due, self._look)
        self.ended: dict[Origin, Ended] = {"boot": self._boot_ended}
        self.heard: list[Heard] = []
        self.wait_for_calls = self._waiters.run

    async def start(
        self, tx: Transaction, station: Station, wanted: Wanted, ttl: timedelta, after: timedelta | None = None
    ) -> Request:
        """Ask a station: now, if it is there, else once it is, until `ttl` is over; not before `after`.

        The request may have ended already, if it cannot be asked at all.
        """
        due_at = tx.now + (after or timedelta())
        request = Request(
            request_id=uuid4(),
            station_id=station.station_id,
            kind=wanted.kind,
            origin=wanted.origin,
            base=wanted.base,
            criteria=wanted.criteria,
            items=wanted.items,
            created_at=tx.now,
            expires_at=tx.now + ttl,
            due_at=due_at,
        )
        if after is None:
            request = await self._step(tx, request, station)
        await requests.keep(tx.connection, [request])
        await self.changed(tx, [request], [])
        return request

    async def wait(self, request: Request, within_s: float) -> Request:
        """Return a request once it has ended, or as it is then."""
        key = str(request.request_id)
        async with self._waiters.waiting(key) as waiter:
            found = await requests.find(self._database.pool, request.station_id, request.request_id)
            if within_s <= 0 or found is None or found.state == "ended":
                return found or request
            await waiter.wait(within_s)
        return await requests.find(self._database.pool, request.station_id, request.request_id) or request

    async def answered(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what stations answered: keep what they told, and go on with what is left."""
        known = await requests.lock(tx.connection, {UUID(each.subject) for each in outcomes})
        found = await stations.find(tx.connection, {each.station_id for each in outcomes})
        heard: set[str] = set()
        for outcome in outcomes:
            request = known.get(UUID(outcome.subject))
            station = found.get(outcome.station_id)
            if request is None or request.state == "ended" or station is None:
                continue
            after = await self._answered(tx, request, outcome)
            if outcome.name == "answered" and not request.is_reported:
                heard.add(outcome.station_id)
            if after.state == "waiting" and after.due_at is not None and after.due_at <= tx.now:
                after = await self._step(tx, after, station)
            known[request.request_id] = after
        changed = [known[request_id] for request_id in sorted(known)]
        await requests.keep(tx.connection, changed)
        await self.changed(tx, changed, sorted(heard))

    async def changed(self, tx: Transaction, changed: Sequence[Request], heard: Sequence[str]) -> None:
        """Do what follows from requests that have ended, and from what was heard of stations."""
        by_origin: dict[Origin, list[Request]] = {}
        for request in changed:
            if request.state == "ended":
                self._metrics.variable_requests.add(1, {"kind": request.kind, "result": request.result})
                by_origin.setdefault(request.origin, []).append(request)
                await self._all_read(tx, request)
        for origin, group in by_origin.items():
            if (ended := self.ended.get(origin)) is not None:
                await ended(tx, group)
        if heard:
            for hear in self.heard:
                await hear(tx, heard)

    async def sweep(self) -> None:
        """Ask what is due, and give up what does not come any more."""
        await self._due.sweep()

    async def _take_due(self, tx: OwnTransaction, limit: int) -> Sequence[Request]:
        return await requests.take_due(tx.connection, tx.now, limit)

    async def _look(self, tx: OwnTransaction, taken: Sequence[Request]) -> int:
        found = await stations.find(tx.connection, {each.station_id for each in taken})
        after = [await self._next(tx, each, found.get(each.station_id)) for each in taken]
        await requests.keep(tx.connection, after)
        await self.changed(tx, after, [])
        return len(after)

    async def _next(self, tx: Transaction, request: Request, station: Station | None) -> Request:
        if request.state == "reporting":
            return domain.overdue(request, tx.now)
        if station is None:
            return domain.ended(request, "failed", "there is no such station any more", tx.now)
        if not station.connected:
            return domain.not_answered(request, "away", "the station is away", tx.now)
        return await self._step(tx, request, station)

    async def _step(self, tx: Transaction, request: Request, station: Station) -> Request:
        """Ask for what is next of a request; a station that is away is waited for.

        What holds a secret that cannot be sealed is not asked at all.
        """
        try:
            return await self._asked(tx, request, station)
        except SealingError as error:
            return domain.ended(request, "failed", str(error), tx.now)

    async def _asked(self, tx: Transaction, request: Request, station: Station) -> Request:
        words = WORDS.get(station.version)
        if words is None:
            return domain.ended(request, "failed", NO_VERSION, tx.now) if station.connected else request
        if not station.connected:
            return request
        if request.kind in ("all", "report") and (request.kind == "report" or not request.items):
            return await self._ask_all(tx, words, request)
        asking = words.asking(request)
        limits = await variables.limits(tx.connection, request.station_id, (asking.items, asking.bytes))
        limits = Limits(asking.most or limits.items, limits.bytes)
        piece = domain.piece_of(request, limits, routes.sizes(words, request))
        await self._ask(tx, request, routes.items_form(words, request, piece))
        return domain.asked(request, piece, tx.now)

    async def _ask_all(self, tx: Transaction, words: Words, request: Request) -> Request:
        if words.is_reported:
            number = await requests.report_id(tx.connection)
            request = msgspec.structs.replace(request, report_id=number, parts=Parts())
        await self._ask(tx, request, routes.all_form(words, request))
        return domain.asked(request, (), tx.now)

    async def _ask(self, tx: Transaction, request: Request, form: Form) -> None:
        subject = str(request.request_id)
        await self._commanding.ask(tx, Ask(request.station_id, INTENT, (form,), _TIMEOUT_S, _TTL_S, subject))

    async def _answered(self, tx: Transaction, request: Request, outcome: Outcome) -> Request:
        words = WORDS.get(outcome.version)
        told = routes.told_of(outcome)
        if told != "answered" or words is None:
            return domain.not_answered(request, told, outcome.why, tx.now)
        if request.is_reported:
            return _will_report(request, outcome, tx.now)
        if request.kind == "change":
            return await self._set(tx, words, request, outcome)
        return await self._told(tx, words, request, outcome)

    async def _told(self, tx: Transaction, words: Words, request: Request, outcome: Outcome) -> Request:
        """Keep what a station told in its answer."""
        said = domain.answers(request, words.told(outcome.members))
        told = [
            Told(request.station_id, each, outcome.ended_at, outcome.action)
            for each, status in said
            if status in domain.TELLING
        ]
        self._metrics.dropped_variables.add(await variables.keep(tx.connection, told))
        read = request.read + sum(each.is_known for each, _ in said)
        unread = request.unread + words.unread(outcome.members)
        request = msgspec.structs.replace(request, read=read, unread=unread)
        if request.piece:
            statuses = {each.place.key: (status, "") for each, status in said}
            return domain.answered(request, _by_number(request, statuses), tx.now)
        limits = await variables.limits(tx.connection, request.station_id, (words.named.items, None))
        more = domain.remaining(request, [each.place for each, _ in said], words.expected(), limits.items)
        if more is None:
            return domain.told_all(request, tx.now)
        return msgspec.structs.replace(more, state="waiting", due_at=tx.now)

    async def _set(self, tx: Transaction, words: Words, request: Request, outcome: Outcome) -> Request:
        """Keep what a station took, and what it takes with its next boot."""
        said = words.changed(outcome.members, [request.items[number] for number in request.piece])
        statuses = {place.key: (status, detail) for place, status, detail in said}
        after = domain.answered(request, _by_number(request, statuses), tx.now)
        items = [after.items[number] for number in request.piece]
        known = await variables.find(tx.connection, [request.station_id], [each.place.key for each in items])
        own = known.get(request.station_id, {})
        told = []
        for item in items:
            if item.status == "Accepted":
                told.append(Reported(place=item.place, value=item.value))
            elif item.status == "RebootRequired" and item.place.key not in own:
                told.append(Reported(place=item.place))
            elif item.status in ("UnknownVariable", "UnknownComponent"):
                told.append(Reported(place=item.place, is_known=False))
        taken = [Told(request.station_id, each, outcome.ended_at, outcome.action) for each in told]
        self._metrics.dropped_variables.add(await variables.keep(tx.connection, taken))
        pending = {
            each.place.key: each.value if each.status == "RebootRequired" else None
            for each in items
            if each.status in ("Accepted", "RebootRequired")
        }
        await variables.pend(tx.connection, request.station_id, pending, outcome.ended_at)
        for item in items:
            self._metrics.variables_set.add(1, {"status": item.status})
        return after

    async def _all_read(self, tx: Transaction, request: Request) -> None:
        """Note that all of a station was read: what it did not tell, it does not have any more."""
        if request.kind != "all" or request.result != "complete" or request.base == SUMMARY:
            return
        found = await stations.find(tx.connection, [request.station_id])
        station = found.get(request.station_id)
        if station is None:
            return
        if request.base == FULL and request.asked_at is not None:
            await variables.forget_others(tx.connection, request.station_id, request.asked_at - _SKEW)
        await stations.read(tx.connection, request.station_id, station.version, tx.now)

    async def _boot_ended(self, tx: Transaction, ended: Sequence[Request]) -> None:
        for request in ended:
            if request.result != "complete":
                await stations.ask_again(tx.connection, request.station_id, tx.now + _AGAIN_IN, _MOST_TRIES)


def _will_report(request: Request, outcome: Outcome, now: datetime) -> Request:
    """Spec: OCPP 2.0.1 B07.FR.01 to FR.05, B08.FR.01 to FR.05 (GenericDeviceModelStatusEnumType)."""
    if outcome.status == "Accepted":
        return domain.reporting(request, now)
    if outcome.status == "EmptyResultSet":
        return domain.told_all(request, now)
    other = domain.poorer(request) if outcome.status == "NotSupported" and request.kind == "all" else None
    if other is not None:
        return msgspec.structs.replace(other, state="waiting", due_at=now)
    return domain.ended(request, "failed", ": ".join(filter(None, (outcome.status, outcome.why))), now)


def _by_number(request: Request, statuses: Mapping[str, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    keys = {number: request.items[number].place.key for number in request.piece}
    return {number: statuses[key] for number, key in keys.items() if key in statuses}
