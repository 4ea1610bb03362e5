"""What is done about display messages over HTTP, by time and by what stations answer, each in one transaction."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import asyncpg
import msgspec
from chargebus_commanding import Ask, Commanding, Form, Intents, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_notification.displays import routes
from chargebus_notification.displays.block import judge
from chargebus_notification.displays.domain import reports
from chargebus_notification.displays.domain import shown as domain
from chargebus_notification.displays.domain.limits import TOO_MANY, DisplayLimits, Limits
from chargebus_notification.displays.domain.message import Face, Message, Target
from chargebus_notification.displays.domain.reports import DisplayStation
from chargebus_notification.displays.domain.shown import Order, Shown
from chargebus_notification.displays.domain.view import Entry, side_by_side
from chargebus_notification.displays.errors import ImpossibleMessageError, KeyReusedError, UnknownMessageError
from chargebus_notification.displays.store import limits, messages, shown, stations
from chargebus_notification.metrics import Metrics
from chargebus_notification.stations.store import stations as known_stations

MESSAGE: Final = "display_message"
REPORT: Final = "display_report"
LIMITS: Final = "display_limits"

_OFFLINE: Final = domain.Ending("away", detail="the station is offline")
_KEYS: Final = uuid.UUID("a3b3e2a1-6c1e-4b7b-8a41-0c6f7ad3f9f2")
_TIMEOUT_S: Final = 30.0
_TTL_S: Final = 10.0
"""How long a command waits for its station: one that is away is asked when it is back."""


@dataclass(frozen=True)
class Pace:
    """How many stations are asked at once, how long after a boot, and how long removed messages are kept."""

    at_once: int
    settle: timedelta
    keep: timedelta


class _Subject(msgspec.Struct, frozen=True):
    """What comes back with the outcome of a command about a message."""

    message_id: str
    order: Order


_subject: Final = msgspec.json.Decoder(_Subject).decode


class Displays:
    """Wanted messages: what is said of them, and what is asked of stations for them."""

    def __init__(self, database: Database, commanding: Commanding, metrics: Metrics, pace: Pace) -> None:
        self._database = database
        self._commanding = commanding
        self._metrics = metrics
        self._pace = pace
        self._due = DueWork(database, pace.at_once, self._take_due, self._tell)
        self._over = DueWork(database, 500, self._take_over, self._end)
        self._reports = DueWork(database, pace.at_once, self._take_reports, self._ask_reports)
        self._removed = DueWork(database, 100, self._take_removed, self._forget)

    # Over HTTP

    async def add(self, target: Target, face: Face, key: str | None) -> Message:
        """Want a message; under the same key it is the same one.

        Raises:
            KeyReusedError: the key was used for another message.
            ImpossibleMessageError: it is over already.
        """
        message_id = str(uuid.uuid4() if key is None else uuid.uuid5(_KEYS, key))
        async with self._database.transaction() as tx:
            known = await messages.lock(tx.connection, message_id)
            if known is not None:
                if (known.target, known.face) != (target, face):
                    raise KeyReusedError(f"The Idempotency-Key was used for the message {message_id}; take a new one.")
                return known
            message = Message(message_id, target, _possible(face, tx.now), tx.now, tx.now)
            await messages.keep(tx.connection, message)
            await self._spread(tx, message)
        return message

    async def replace(self, message_id: str, target: Target, face: Face) -> Message:
        """Want another message in its place.

        Raises:
            UnknownMessageError: there is none. ImpossibleMessageError: it is over already.
        """
        async with self._database.transaction() as tx:
            known = await _known(tx.connection, message_id)
            message = Message(message_id, target, _possible(face, tx.now), known.created_at, tx.now)
            await messages.keep(tx.connection, message)
            await self._spread(tx, message)
        return message

    async def remove(self, message_id: str) -> None:
        """Want a message no more: it is cleared from its stations.

        Raises:
            UnknownMessageError: there is none.
        """
        async with self._database.transaction() as tx:
            known = await _known(tx.connection, message_id)
            await messages.keep(tx.connection, msgspec.structs.replace(known, removed_at=tx.now, changed_at=tx.now))
            rows = await shown.of_message(tx.connection, message_id)
            await shown.keep(tx.connection, [domain.unwant(each, tx.now) for each in rows])

    async def find(self, message_id: str) -> tuple[Message, dict[str, int]]:
        """Return a message, and on how many stations it is in each status.

        Raises:
            UnknownMessageError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = (await messages.find(connection, [message_id])).get(message_id)
            if found is None:
                raise UnknownMessageError("See /v1/display-messages for those there are.")
            return found, (await shown.counted(connection, [message_id]))[message_id]

    async def page(self, after: str, limit: int) -> list[tuple[Message, dict[str, int]]]:
        """Return up to `limit` messages that are wanted, each with its stations by status."""
        async with self._database.pool.acquire() as connection:
            found = await messages.page(connection, after, limit)
            counted = await shown.counted(connection, [each.message_id for each in found])
        return [(each, counted[each.message_id]) for each in found]

    async def on_stations(self, message_id: str, after: str, limit: int) -> list[Shown]:
        """Return up to `limit` stations of a message.

        Raises:
            UnknownMessageError: there is none.
        """
        await self.find(message_id)
        async with self._database.pool.acquire() as connection:
            return await shown.page(connection, message_id, after, limit)

    async def of_station(self, station_id: str, after: int, limit: int) -> tuple[DisplayStation, list[Entry]]:
        """Return what is wanted on a station beside what it reported, up to `limit` in the order of their numbers.

        Of a station that nobody heard of there is nothing.
        """
        entries: list[Entry] = []
        async with self._database.pool.acquire() as connection:
            station = await stations.find(connection, station_id) or DisplayStation(station_id)
            reported = {each.number: each.face for each in await shown.reported(connection, [station_id])}
            found = (await limits.find(connection, [station_id])).get(station_id)
            taken = Limits() if found is None else found.limits
            # Of some that are gone there is nothing to show: the next ones take their place.
            while len(entries) < limit and (numbers := await shown.numbers(connection, station_id, after, limit)):
                after = numbers[-1]
                known = await shown.numbered(connection, station_id, numbers)
                wanted = await messages.find(connection, {each.message_id for each in known})
                its = {number: reported[number] for number in numbers if number in reported}
                entries += side_by_side(known, wanted, its, lambda face: taken.told(routes.told(station.version, face)))
        return station, entries[:limit]

    async def compare(self, station_id: str) -> DisplayStation:
        """Have a station report its messages now."""
        async with self._database.transaction() as tx:
            [station] = (await stations.lock(tx.connection, [station_id])).values()
            after = reports.wanted(station, tx.now)
            await stations.keep(tx.connection, [after])
        return after

    async def _spread(self, tx: OwnTransaction, message: Message) -> None:
        """Have a message on the stations for which it is, and on no others."""
        meant = await messages.stations_of(tx.connection, message.target)
        held = await stations.lock(tx.connection, meant)
        rows = await shown.of_message(tx.connection, message.message_id)
        after = [
            domain.want(each, message.face.fingerprint, message.face.ends_at, tx.now)
            if each.station_id in meant
            else domain.unwant(each, tx.now)
            for each in rows
        ]
        pairs = [(station_id, message.message_id) for station_id in meant - {each.station_id for each in rows}]
        await _add(tx.connection, held, pairs, {message.message_id: message}, tx.now)
        await shown.keep(tx.connection, after)

    # What time does

    async def tell(self) -> None:
        """Tell stations what is due, clear what is, and ask for the reports that are: so many at once, as is set."""
        await self._over.sweep()
        await self._due.sweep_some()
        await self._reports.sweep_some()

    async def forget(self) -> None:
        """Drop messages that were removed long ago."""
        await self._removed.sweep()

    async def _take_due(self, tx: OwnTransaction, limit: int) -> Sequence[Shown]:
        return await shown.take_due(tx.connection, tx.now, limit)

    async def _tell(self, tx: OwnTransaction, taken: Sequence[Shown]) -> int:
        ids = {each.station_id for each in taken}
        wanted = await messages.find(tx.connection, {each.message_id for each in taken})
        versions = await stations.versions(tx.connection, ids)
        offline = await _offline(tx.connection, ids)
        displays = _Displays(await limits.find(tx.connection, ids), await shown.held(tx.connection, ids))
        after = []
        for each in taken:
            face = wanted[each.message_id].face
            version = versions.get(each.station_id, "")
            known, order = domain.due(each, tx.now)
            if order == "tell" and (why := routes.why_not(version, face)):
                known = domain.ended(known, domain.Ending("unsupported", "NotSupported", why), tx.now)
            elif order is not None and each.station_id in offline:
                known = domain.ended(known, _OFFLINE, tx.now)
            elif order == "tell" and (until := displays.waits_until(each.station_id, version, tx.now)):
                known = domain.put_off(each, until)
            elif order == "tell":
                known = await self._set(tx, each, known, face, displays)
            elif order == "clear":
                await self._ask_about(tx, each, order, routes.clear_forms(each.number))
            after.append(known)
        await shown.keep(tx.connection, after)
        await limits.keep(tx.connection, displays.asked)
        for station in displays.asked:
            await self._ask(tx, station.station_id, LIMITS, routes.limits_forms(), "")
        return len(after)

    async def _set(self, tx: OwnTransaction, before: Shown, telling: Shown, face: Face, displays: "_Displays") -> Shown:
        """Tell a station a message, if its display takes it."""
        taken = displays.limits(before.station_id)
        told = taken.told(face)
        refusal = taken.why_not(told, displays.others(before))
        if refusal is not None:
            return domain.ended(telling, refusal, tx.now)
        displays.add(before)
        await self._ask_about(tx, before, "tell", routes.set_forms(before.number, told))
        return telling

    async def _ask_about(self, tx: OwnTransaction, each: Shown, order: Order, forms: tuple[Form, ...]) -> None:
        subject = msgspec.json.encode(_Subject(each.message_id, order)).decode()
        await self._ask(tx, each.station_id, MESSAGE, forms, subject)
        self._metrics.display_asked(order)

    async def _take_over(self, tx: OwnTransaction, limit: int) -> Sequence[Shown]:
        return [each for each in await shown.take_over(tx.connection, tx.now, limit) if not each.is_under_way]

    async def _end(self, tx: OwnTransaction, taken: Sequence[Shown]) -> int:
        await shown.keep(tx.connection, [domain.due(each, tx.now)[0] for each in taken])
        await shown.wake(tx.connection, {each.station_id for each in taken}, "refused", TOO_MANY, tx.now)
        return len(taken)

    async def _take_reports(self, tx: OwnTransaction, limit: int) -> Sequence[DisplayStation]:
        return await stations.take_due(tx.connection, tx.now, limit)

    async def _ask_reports(self, tx: OwnTransaction, taken: Sequence[DisplayStation]) -> int:
        after = []
        offline = await _offline(tx.connection, {each.station_id for each in taken})
        for each in taken:
            if each.report == "asked":
                self._metrics.display_report("incomplete")
                after.append(reports.overdue(each, tx.now))
                continue
            asked = reports.asked(each, tx.now)
            if each.version and each.version not in routes.WORDS:
                why = f"OCPP {each.version} has no display messages"
                asked = reports.answered(asked, "unsupported", why, tx.now)
            elif each.station_id in offline:
                asked = reports.answered(asked, _OFFLINE.kind, _OFFLINE.detail, tx.now)
            else:
                forms = routes.report_forms(asked.request_id)
                await self._ask(tx, each.station_id, REPORT, forms, str(asked.request_id))
            after.append(asked)
        await stations.keep(tx.connection, after)
        return len(after)

    async def _take_removed(self, tx: OwnTransaction, limit: int) -> Sequence[str]:
        return await messages.take_removed(tx.connection, tx.now - self._pace.keep, limit)

    async def _forget(self, tx: OwnTransaction, message_ids: Sequence[str]) -> int:
        await messages.delete(tx.connection, message_ids)
        return len(message_ids)

    async def _ask(
        self, tx: OwnTransaction, station_id: str, intent: str, forms: tuple[Form, ...], subject: str
    ) -> None:
        await self._commanding.ask(tx, Ask(station_id, intent, forms, _TIMEOUT_S, _TTL_S, subject))


# What stations answer


def intents(metrics: Metrics) -> Intents:
    """Return what is done about the outcomes of what stations are asked."""

    async def told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        endings = {}
        for each in outcomes:
            subject = _subject(each.subject)
            endings[each.station_id, subject.message_id] = routes.ending(subject.order, each)
        known = await shown.lock(tx.connection, list(endings))
        after = [domain.ended(each, endings[each.station_id, each.message_id], tx.now) for each in known]
        for ending in endings.values():
            metrics.display_ended(ending.kind)
        await shown.keep(tx.connection, after)
        free = {each.station_id for each in after if each.status == "gone"}
        await shown.wake(tx.connection, free, "refused", TOO_MANY, tx.now)

    async def reported(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        known = await stations.lock(tx.connection, {each.station_id for each in outcomes})
        nothing = []
        for each in outcomes:
            station = known[each.station_id]
            if not reports.is_of(station, int(each.subject)):
                continue
            if each.name == "answered" and each.status == _NO_MESSAGES:
                station = reports.completed(station, tx.now)
                nothing.append(station)
            else:
                ending = routes.ending("tell", each)
                station = reports.answered(station, ending.kind, ending.detail or ending.reason, tx.now)
            known[each.station_id] = station
        await stations.keep(tx.connection, known.values())
        await judge(tx.connection, nothing, routes.told, tx.now)

    return {MESSAGE: told, REPORT: reported, LIMITS: limits_told}


async def limits_told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Take what stations say that their displays take; what waits for it is told now."""
    ids = {each.station_id for each in outcomes}
    await shown.wake(tx.connection, ids, "waiting", "", tx.now)
    asked = await limits.find(tx.connection, ids)
    known = []
    for each in outcomes:
        before = asked.get(each.station_id)
        if before is None:  # it has booted since: it is asked anew
            continue
        said = routes.limits_of(each)
        state: Literal["told", "silent"] = "silent" if said is None else "told"
        known.append(msgspec.structs.replace(before, state=state, limits=said or Limits()))
    await limits.keep(tx.connection, known)


class _Displays:
    """What displays take that are told something, and how many messages they have; `asked` are those to be asked."""

    def __init__(self, known: Mapping[str, DisplayLimits], held: Mapping[str, int]) -> None:
        self._known = dict(known)
        self._held = Counter(held)
        self.asked: list[DisplayLimits] = []

    def waits_until(self, station_id: str, version: str, now: datetime) -> datetime | None:
        """Return until when what is told waits for what the station says that it takes; None: it does not.

        A station of which nothing is heard yet is asked in the words of each version.
        """
        if station_id not in self._known and (not version or version in routes.WORDS):
            self._known[station_id] = DisplayLimits(station_id, now)
            self.asked.append(self._known[station_id])
        known = self._known.get(station_id)
        return None if known is None else known.waits_until(now)

    def limits(self, station_id: str) -> Limits:
        """Return what a display takes, as far as known."""
        known = self._known.get(station_id)
        return Limits() if known is None else known.limits

    def others(self, shown_here: Shown) -> int:
        """Return how many other messages the display has."""
        return self._held[shown_here.station_id] - shown_here.is_held

    def add(self, telling: Shown) -> None:
        """Count a message that is told."""
        self._held[telling.station_id] += not telling.is_held


_NO_MESSAGES: Final = "Unknown"


# What becomes known of stations


async def follow(
    connection: asyncpg.Connection, known: dict[str, DisplayStation], now: datetime, described: Collection[str]
) -> None:
    """Have the messages on stations that are for them by their labels, as these were told."""
    pairs = await messages.of_stations(connection, described)
    rows = await shown.of_stations(connection, described)
    wanted = await messages.find(connection, {message_id for _, message_id in pairs})
    after = []
    for each in rows:
        message = wanted.get(each.message_id) if (each.station_id, each.message_id) in pairs else None
        if message is None:
            after.append(domain.unwant(each, now))
        else:
            after.append(domain.want(each, message.face.fingerprint, message.face.ends_at, now))
    there = {(each.station_id, each.message_id) for each in rows}
    await shown.keep(connection, [new for new, old in zip(after, rows, strict=True) if new != old])
    await _add(connection, known, sorted(pairs - there), wanted, now)


async def _add(
    connection: asyncpg.Connection,
    known: dict[str, DisplayStation],
    pairs: Iterable[tuple[str, str]],
    wanted: dict[str, Message],
    now: datetime,
) -> None:
    """Want messages on stations that did not have them, each under a number of its own."""
    new: list[Shown] = []
    numbered: dict[str, DisplayStation] = {}
    for station_id, message_id in pairs:
        station, face = numbered.get(station_id) or known[station_id], wanted[message_id].face
        if face.ends_at is not None and face.ends_at <= now:
            continue
        number = station.next_number
        numbered[station_id] = known[station_id] = msgspec.structs.replace(station, next_number=number + 1)
        new.append(Shown(station_id, message_id, number, face.fingerprint, now, due_at=now, ends_at=face.ends_at))
    await stations.keep(connection, list(numbered.values()))
    await shown.keep(connection, new)


async def _offline(connection: asyncpg.Connection, station_ids: Collection[str]) -> set[str]:
    """Return which stations are known to be offline: they are asked when they are back."""
    known = await known_stations.load(connection, station_ids)
    return {station_id for station_id, station in known.items() if station.connected is False}


async def _known(connection: asyncpg.Connection, message_id: str) -> Message:
    found = await messages.lock(connection, message_id)
    if found is None or found.removed_at is not None:
        raise UnknownMessageError("See /v1/display-messages for those there are.")
    return found


def _possible(face: Face, now: datetime) -> Face:
    if face.ends_at is not None and face.ends_at <= now:
        raise ImpossibleMessageError("ends_at has passed: it would never be shown.")
    return face
