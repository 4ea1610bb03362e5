"""What stations are asked about their EVSEs and themselves, and what is done about their answers."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
from chargebus_commanding import Ask, Commanding, Form, Intents, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due, evses, sites
from chargebus_smart_charging.steering import routes
from chargebus_smart_charging.steering.domain import learning
from chargebus_smart_charging.steering.domain import stations as domain
from chargebus_smart_charging.steering.domain.composite import allowed_a, composite_of
from chargebus_smart_charging.steering.domain.habits import Habits, Rung
from chargebus_smart_charging.steering.domain.held import UNLIMITED, Level, Order
from chargebus_smart_charging.steering.domain.reports import ReportedProfile
from chargebus_smart_charging.steering.domain.resolving import USUAL_VOLTAGE_V
from chargebus_smart_charging.steering.domain.said import habits_of, measurands_needed
from chargebus_smart_charging.steering.domain.stations import Station, is_to_be_asked, is_to_report, reported, slowed
from chargebus_smart_charging.steering.domain.steered import ALL_PHASES, Steerable, Steered, counted_a
from chargebus_smart_charging.steering.domain.stepping import Step
from chargebus_smart_charging.steering.errors import UnheardStationError, UnplacedEvseError
from chargebus_smart_charging.steering.store import habits, reports, stations, steering
from chargebus_smart_charging.steering.store.known import SteeringKnown, load
from chargebus_smart_charging.steering.store.steering import AnsweredOrder

ORDER: Final = "order"
VERIFY: Final = "verify"
LIMITS: Final = "limits"
HABITS: Final = "habits"
MEASURANDS: Final = "measurands"
PROFILES: Final = "profiles"
COMPOSITE: Final = "composite"

_GRACE_S: Final = 2.0
_SOON: Final = timedelta(seconds=1)
_REQUEST_IDS: Final = 2**31
_FORGET_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Patience:
    """How long a station may take to answer, and how long a command may wait for it; a limit never fires late."""

    timeout_s: float = 10.0
    ttl_s: float = 20.0


_USUAL: Final = Patience()


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes back with the outcome of an order: whose it is, and what it was.

    Of a station that is asked of itself: `limit_keys` were asked for, at `asked_at`, among so many `questions`.
    """

    evse_id: int
    number: int
    asking: str = ""
    rung: Rung = "TxProfile"
    limit_a: float = UNLIMITED
    sets: bool = False
    dynamic: bool = False
    phases: int = len(ALL_PHASES)
    voltage_v: float = USUAL_VOLTAGE_V
    limit_keys: tuple[str, ...] = ()
    asked_at: datetime | None = None
    questions: int = 0


_subject: Final = msgspec.json.Decoder(Subject).decode


class Steering:
    """Asks stations, in the transaction of who plans their sites.

    `limit_keys` are the configuration keys that vendors have for the largest current of a station of OCPP 1.6.
    """

    def __init__(
        self,
        commanding: Commanding,
        metrics: Metrics,
        patience: Patience = _USUAL,
        limit_keys: tuple[str, ...] = (),
    ) -> None:
        self._commanding = commanding
        self._metrics = metrics
        self._patience = patience
        self._limit_keys = limit_keys

    async def act(self, tx: Transaction, known: SteeringKnown, steps: Mapping[EvseKey, Step]) -> None:
        """Keep the steering of EVSEs after a step of each, and ask what that asks for; who calls holds their sites."""
        after = {key: done.steered for key, done in steps.items()}
        changed = {key: steered for key, steered in after.items() if steered != known.stored.get(key)}
        await steering.keep(tx.connection, changed, tx.now)
        await steering.drop(tx.connection, {key: known.answers.get(key, ()) for key in steps})
        for key, done in steps.items():
            for order in done.orders:
                await self._ask(tx, key, order, known.steerables[key])
        await self._ask_stations(tx, known, after)
        await _learn(tx, known, after)
        for key, steered in after.items():
            self._count_falls(known.stored.get(key, Steered()), steered)

    def _count_falls(self, before: Steered, after: Steered) -> None:
        """Count the ways that were given up with an EVSE since it was kept the last time."""
        why = "refused" if after.disobeys_since is None else "disobeyed"
        for way in set(after.refused) - set(before.refused):
            self._metrics.fell(way, why)

    async def _ask(self, tx: Transaction, key: EvseKey, order: Order, steerable: Steerable) -> None:
        station_id, evse_id = key
        forms = routes.forms_of(order, steerable)
        if not forms:
            nothing = AnsweredOrder(station_id, evse_id, order.number, "unsupported", tx.now, reason="no words for it")
            await steering.tell(tx.connection, [nothing])
            return
        subject = Subject(
            evse_id,
            order.number,
            order.asking,
            order.rung,
            order.limit_a,
            sets=order.asking in ("limit", "default"),
            dynamic=order.dynamic,
            phases=len(steerable.evse.phases or ALL_PHASES),
            voltage_v=steerable.evse.voltage_v or USUAL_VOLTAGE_V,
        )
        await self._command(tx, station_id, VERIFY if order.asking == "verify" else ORDER, forms, subject)

    async def _ask_stations(self, tx: Transaction, known: SteeringKnown, after: Mapping[EvseKey, Steered]) -> None:
        """Ask stations what they can take and what they hold, where that is not known or was before they booted."""
        asked: dict[str, Station] = {}
        by_station: defaultdict[str, list[EvseKey]] = defaultdict(list)
        for key in known.steerables:
            by_station[key[0]].append(key)
        for station_id, keys in sorted(by_station.items()):
            station = known.stations.get(station_id)
            if station is not None:
                evses_of = [known.steerables[key] for key in keys]
                steered = [after[key] for key in keys if key in after]
                asking = await self._ask_station(tx, station, evses_of, steered)
                if asking != station:
                    asked[station_id] = asking
        if not asked:
            return
        now = await stations.lock(tx.connection, asked)
        noted = [
            domain.noted(now.get(station_id, asking), known.stations[station_id], asking)
            for station_id, asking in asked.items()
        ]
        await stations.keep(tx.connection, noted, tx.now)

    async def _ask_station(
        self, tx: Transaction, station: Station, evses_of: Sequence[Steerable], steered: Sequence[Steered]
    ) -> Station:
        nobody = Subject(0, 0)
        if is_to_be_asked(station, tx.now):
            station = await self._ask_of_itself(tx, station, evses_of)
        if station.version in routes.REPORTING and is_to_report(station, steered, tx.now):
            request_id = int(tx.now.timestamp()) % _REQUEST_IDS
            await self._command(tx, station.station_id, PROFILES, routes.profiles_forms(request_id), nobody)
            station = msgspec.structs.replace(station, profiles_asked_at=tx.now, report_id=request_id)
        needed = measurands_needed(station.said) if _is_to_measure(station, evses_of) else None
        if needed is not None:
            await self._command(tx, station.station_id, MEASURANDS, routes.measurands_forms(needed), nobody)
            station = msgspec.structs.replace(station, measurands_asked_at=tx.now)
        return station

    async def _ask_of_itself(self, tx: Transaction, station: Station, evses_of: Sequence[Steerable]) -> Station:
        """Ask a station what it can take, in pieces that it takes; how large those may be is asked before."""
        if station.most_at is None:
            if not domain.is_to_tell_limit(station, tx.now):
                return station
            await self._command(tx, station.station_id, LIMITS, routes.limit_forms(), Subject(0, 0))
            return msgspec.structs.replace(station, most_asked_at=tx.now)
        evse_ids = sorted(each.evse.evse_id for each in evses_of if each.evse.evse_id)
        asked = routes.habits_forms(station.version, evse_ids, self._limit_keys, station.most)
        for forms, questions in asked:
            subject = Subject(0, 0, limit_keys=self._limit_keys, asked_at=tx.now, questions=questions)
            await self._command(tx, station.station_id, HABITS, forms, subject)
        return domain.asked(station, len(asked), tx.now) if asked else station

    async def _command(
        self, tx: Transaction, station_id: str, intent: str, forms: tuple[Form, ...], subject: Subject
    ) -> None:
        ask = Ask(
            station_id,
            intent,
            forms,
            timeout_s=self._patience.timeout_s,
            ttl_s=self._patience.ttl_s,
            subject=msgspec.json.encode(subject).decode(),
        )
        await self._commanding.ask(tx, ask)


def _is_to_measure(station: Station, evses_of: Sequence[Steerable]) -> bool:
    """Tell whether a station is to be told what to sample: once after each time that it said what it does."""
    if not station.online or station.said_at is None:
        return False
    if station.measurands_asked_at is not None and station.measurands_asked_at >= station.said_at:
        return False
    return any(each.policy.sets_measurands for each in evses_of)


async def _learn(tx: Transaction, known: SteeringKnown, after: Mapping[EvseKey, Steered]) -> None:
    """Learn of kinds of stations how they obeyed, where that was seen now."""
    lessons: list[tuple[habits.Kind, Callable[[learning.Tally], learning.Tally]]] = []
    for key, steered in after.items():
        before, station = known.steered.get(key), known.stations.get(key[0])
        if before is None or station is None or not any(station.kind):
            continue
        if len(steered.refused) > len(before.refused) and steered.disobeys_since is not None:
            lessons.append((station.kind, partial(learning.disobeyed, rung=steered.refused[-1])))
        if before.settling is not None and steered.settling is None and steered.seen is not None:
            took_s = (steered.seen.at - before.settling.since).total_seconds()
            if took_s > 0:
                lessons.append((station.kind, partial(learning.obeyed, seconds=took_s)))
        if steered.default_kept is not None and steered.default_kept != _kept_before(known.stored.get(key), steered):
            lessons.append((station.kind, partial(learning.default_after_boot, kept=steered.default_kept)))
    if not lessons:
        return
    known_of = await habits.lock(tx.connection, {kind for kind, _ in lessons})
    for kind, lesson in lessons:
        known_of[kind] = lesson(known_of.get(kind, learning.Tally()))
    await habits.keep(tx.connection, known_of, tx.now)


def _kept_before(stored: Steered | None, steered: Steered) -> bool | None:
    """Return what was known before of whether its default has outlived the boot that it knows of."""
    return None if stored is None or stored.booted_at != steered.booted_at else stored.default_kept


# What comes of it


def intents(metrics: Metrics) -> Intents:
    """Return what is done about the outcomes of each intent; what EVSEs were asked is counted."""

    def counted(outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            subject = _subject(outcome.subject)
            metrics.ordered(subject.asking, subject.rung, routes.answer_of(outcome))

    async def orders(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        counted(outcomes)
        await orders_ended(tx, outcomes)

    async def verifications(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        counted(outcomes)
        await verified(tx, outcomes)

    return {
        ORDER: orders,
        VERIFY: verifications,
        LIMITS: limits_told,
        HABITS: habits_told,
        MEASURANDS: nothing_to_do,
        PROFILES: profiles_told,
        COMPOSITE: nothing_to_do,
    }


async def orders_ended(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Note what came of orders for who plans next, and learn by it."""
    told = [(outcome, _subject(outcome.subject), routes.answer_of(outcome)) for outcome in outcomes]
    await steering.tell(
        tx.connection,
        [
            AnsweredOrder(
                outcome.station_id, subject.evse_id, subject.number, answer, outcome.ended_at, None, outcome.why
            )
            for outcome, subject, answer in told
        ],
    )
    limited = {outcome.station_id for outcome, _, answer in told if answer == "limited"}
    slower = await stations.lock(tx.connection, limited)
    await stations.keep(tx.connection, map(slowed, slower.values()), tx.now)
    known = await stations.load(tx.connection, {outcome.station_id for outcome, _, _ in told})
    kinds = {station_id: station.kind for station_id, station in known.items() if any(station.kind)}
    setting = [each for each in told if each[1].sets and each[0].station_id in kinds]
    tallies = await habits.lock(tx.connection, {kinds[outcome.station_id] for outcome, _, _ in setting})
    for outcome, subject, answer in setting:
        kind = kinds[outcome.station_id]
        tally = tallies.get(kind, learning.Tally())
        tallies[kind] = learning.answered(tally, subject.rung, subject.limit_a, answer, dynamic=subject.dynamic)
    await habits.keep(tx.connection, tallies, tx.now)
    await _plan_soon(tx, outcomes)


async def verified(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Note what stations said that they allow, for who plans next."""
    told = []
    for outcome in outcomes:
        subject, answer = _subject(outcome.subject), routes.answer_of(outcome)
        schedule = composite_of(outcome.members, outcome.ended_at) if answer == "accepted" else None
        levels = () if schedule is None else allowed_a(schedule, subject.phases, subject.voltage_v)
        amperes = levels[0][1] if levels else None
        told.append(
            AnsweredOrder(
                outcome.station_id, subject.evse_id, subject.number, answer, outcome.ended_at, amperes, outcome.why
            )
        )
    await steering.tell(tx.connection, told)
    await _plan_soon(tx, outcomes)


async def limits_told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Keep how much stations may be asked at once; who does not say it is asked all the same."""
    ended = [outcome for outcome in outcomes if routes.answer_of(outcome) != "undelivered"]
    known = await stations.lock(tx.connection, {outcome.station_id for outcome in ended})
    after = [
        domain.limited(known[outcome.station_id], routes.limit_said(outcome), outcome.ended_at)
        for outcome in ended
        if outcome.station_id in known
    ]
    await stations.keep(tx.connection, after, tx.now)
    await _plan_soon(tx, ended)


async def habits_told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Keep what stations said of themselves."""
    known = await stations.lock(tx.connection, {outcome.station_id for outcome in outcomes})
    after: dict[str, Station] = {}
    for outcome in outcomes:
        station = after.get(outcome.station_id) or known.get(outcome.station_id)
        if station is not None:
            after[outcome.station_id] = _told_of_itself(station, outcome)
    await stations.keep(tx.connection, after.values(), tx.now)
    await _plan_soon(tx, outcomes)


def _told_of_itself(station: Station, outcome: Outcome) -> Station:
    """Return a station after it was asked a piece of what it says of itself; what was asked before counts no more."""
    subject = _subject(outcome.subject)
    if subject.asked_at != station.asked_at:
        return station
    if routes.is_too_much(outcome):
        return domain.overasked(station, subject.questions)
    if outcome.name != "answered":
        return station
    after = domain.answered_piece(station, routes.entries_said(outcome))
    if after.answered_pieces < after.pieces:
        return after
    return domain.said(after, routes.said_by(outcome.version, after.entries, subject.limit_keys), outcome.ended_at)


async def profiles_told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Drop what stations reported before that hold nothing now; what others hold, they report."""
    none = {outcome.station_id for outcome in outcomes if outcome.status == "NoProfiles"}
    known = await stations.lock(tx.connection, none)
    await stations.keep(tx.connection, [reported(station, ()) for station in known.values()], tx.now)
    await reports.clear(tx.connection, none)
    await _plan_soon(tx, [outcome for outcome in outcomes if outcome.station_id in none])


async def nothing_to_do(_tx: Transaction, _outcomes: Sequence[Outcome]) -> None:
    """Do nothing: who asked waits for it, or it is seen by what the station does."""


async def _plan_soon(tx: Transaction, outcomes: Iterable[Outcome]) -> None:
    placed = await evses.sites_of(tx.connection, {outcome.station_id for outcome in outcomes})
    await due.mark_by(tx, set(placed.values()), tx.now + _SOON)


# What people see


class EvseShown(msgspec.Struct, frozen=True):
    """How an EVSE is steered, and what it counts for."""

    evse_id: int
    steered: Steered
    counted_a: float


class StationShown(msgspec.Struct, frozen=True):
    """A station, its EVSEs that hang under a site, and how they are steered."""

    station: Station
    site_id: str
    habits: Habits
    limit_key: str
    evses: tuple[EvseShown, ...]


class Compared(msgspec.Struct, frozen=True):
    """What a station says that an EVSE is allowed, beside what it was told; the times are by the station's clock."""

    outcome: Outcome | None
    unit: str
    allowed: tuple[Level, ...]
    told: tuple[Level, ...]


class Viewing:
    """Shows how stations are steered, and asks them what they allow."""

    def __init__(self, database: Database, commanding: Commanding, patience: Patience = _USUAL) -> None:
        self._database = database
        self._commanding = commanding
        self._patience = patience

    async def show(self, station_id: str) -> StationShown:
        """Return how a station is steered.

        Raises:
            UnheardStationError: nothing was ever heard of it.
        """
        async with self._database.transaction() as tx:
            station, site_id, known = await self._known(tx, station_id)
        shown = tuple(
            EvseShown(key[1], known.steered[key], counted_a(known.steered[key], each, tx.now))
            for key, each in known.steerables.items()
            if key[0] == station_id
        )
        any_evse = next((each for key, each in known.steerables.items() if key[0] == station_id), None)
        own = habits_of(station.said, Habits()) if any_evse is None else any_evse.habits
        return StationShown(station, site_id, own, station.said.limit_key, shown)

    async def profiles(self, station_id: str) -> Sequence[ReportedProfile]:
        """Return the charging profiles that a station reported last.

        Raises:
            UnheardStationError: nothing was ever heard of it.
        """
        async with self._database.transaction() as tx:
            if station_id not in await stations.load(tx.connection, {station_id}):
                raise _unheard(station_id)
            return await reports.of_station(tx.connection, station_id)

    async def composite(self, station_id: str, evse_id: int) -> Compared:
        """Ask a station what an EVSE is allowed, and wait for its answer.

        Raises:
            UnheardStationError: nothing was ever heard of it. UnplacedEvseError: the EVSE hangs under no site.
        """
        key = station_id, evse_id
        async with self._database.transaction() as tx:
            _, _, known = await self._known(tx, station_id)
            steerable = known.steerables.get(key)
            if steerable is None:
                raise UnplacedEvseError(f"EVSE {evse_id} of {station_id} hangs under no site: see /v1/sites.")
            forms = routes.composite_forms(evse_id, steerable.habits.unit or "A")
            ask = Ask(station_id, COMPOSITE, forms, self._patience.timeout_s, self._patience.ttl_s)
            asked = await self._commanding.ask(tx, ask)
        outcome = await self._commanding.wait(asked, self._patience.ttl_s + self._patience.timeout_s + _GRACE_S)
        schedule = None if outcome is None else composite_of(outcome.members, outcome.ended_at)
        evse = steerable.evse
        phases, voltage_v = len(evse.phases or ALL_PHASES), evse.voltage_v or USUAL_VOLTAGE_V
        newest = known.steered[key].limit.newest or known.steered[key].default.newest
        return Compared(
            outcome,
            "" if schedule is None else schedule.unit,
            () if schedule is None else allowed_a(schedule, phases, voltage_v),
            () if newest is None else newest.levels,
        )

    async def habits(self, after: habits.Kind, limit: int) -> Sequence[habits.LearnedOf]:
        """Return up to `limit` kinds of stations, and what was learned of each."""
        async with self._database.transaction() as tx:
            return await habits.page(tx.connection, after, limit)

    async def _known(self, tx: OwnTransaction, station_id: str) -> tuple[Station, str, SteeringKnown]:
        found = await stations.load(tx.connection, {station_id})
        site_id = (await evses.sites_of(tx.connection, {station_id})).get(station_id, "")
        if station_id not in found and not site_id:
            raise _unheard(station_id)
        described = await sites.load(tx.connection, [site_id]) if site_id else {}
        known = await load(tx.connection, described.values())
        return found.get(station_id) or Station(station_id), site_id, known


def _unheard(station_id: str) -> UnheardStationError:
    return UnheardStationError(f"Nothing was heard of a station {station_id!r}.")


class Forgetting:
    """Drops stations of which nothing was heard for `keep`."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._keep = keep
        self._stale = DueWork(database, _FORGET_AT_ONCE, self._take, self._forget)

    async def sweep(self) -> None:
        """Drop all that are due."""
        await self._stale.sweep()

    async def _take(self, tx: OwnTransaction, limit: int) -> Sequence[str]:
        return await stations.take_stale(tx.connection, tx.now - self._keep, limit)

    async def _forget(self, tx: OwnTransaction, station_ids: Collection[str]) -> int:
        await stations.forget(tx.connection, station_ids)
        return len(station_ids)
