"""Transactions of a batch: what is known of all of them at once, each event decided in its turn, one write."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.transactions.domain import outside
from chargebus_session.transactions.domain.announcements import announcement, new_flags
from chargebus_session.transactions.domain.decide import record
from chargebus_session.transactions.domain.events import CLOCK_IMPLAUSIBLE
from chargebus_session.transactions.domain.outside import LatelyEnded, Readings
from chargebus_session.transactions.domain.sessions import Report, Session, energy_of, settled_anew, summarize
from chargebus_session.transactions.domain.state import Change, Contradiction, Issue, TransactionState
from chargebus_session.transactions.store import batch as store
from chargebus_session.transactions.store import endings, identities, refusals, remote_starts
from chargebus_session.transactions.store import outside as outside_store
from chargebus_session.transactions.store.outside import Found

log = logging.getLogger(__name__)

_LEVELS: Final = {CLOCK_IMPLAUSIBLE: logging.INFO}  # whole fleets have no clock, and their energy is right all the same


@dataclass
class Reported:
    """The state of a batch's transactions, and which record brought which change."""

    state: TransactionState
    caused: list[tuple[Change, Received]] = field(default_factory=list)


class Listener(Protocol):
    """What takes part in what stations report of transactions, in the same batch."""

    async def note(self, batch: Batch, changes: Sequence[Change], reserving: Collection[str]) -> None:
        """Take what a batch changed, after it is written; `reserving` are the stations where something is reserved."""
        ...


class Transactions(Block[Report, Reported]):
    """Makes charging sessions of what stations report; keeps nothing between batches but ids to hand out.

    `max_power_w` is the largest power of an EVSE of which nothing is known. What goes on where another one begins is
    doubted after `doubted_for`. `reserving` ends the reservations that are used.
    """

    def __init__(
        self,
        metrics: Metrics,
        max_power_w: float,
        doubted_for: timedelta,
        lately_ended: LatelyEnded,
        reserving: Listener,
    ) -> None:
        self._metrics = metrics
        self._reserving = reserving
        self._max_power_w = max_power_w
        self._doubted_for = doubted_for
        self._lately_ended = lately_ended
        self._transaction_ids = identities.TransactionIds()

    async def load(self, batch: Batch, calls: Sequence[Call[Report]]) -> Reported:
        """Return the sessions and tokens that the reports are about."""
        reports = [call.request for call in calls]
        named = await remote_starts.named_tokens(batch.connection, reports)
        tokens = {report.event.token for report in reports if report.event.token} | set(named.values())
        known = msgspec.structs.replace(await store.load(batch.connection, tokens, reports), named=named)
        refused = await refusals.of_reports(batch.connection, reports, known)
        known = msgspec.structs.replace(known, refusals=refused)
        starts = sum(1 for report in reports if report.reference.start)
        await store.reserve(batch.connection, self._transaction_ids, starts)
        issue = Issue(partial(identities.session_id, batch.now), self._transaction_ids.take)
        return Reported(TransactionState(known, issue, self._max_power_w))

    def decide(self, state: Reported, call: Call[Report]) -> Answer:
        """Decide an event; one that came before gets its first answer."""
        answer, changes = settle(state.state, call)
        state.caused += [(change, call.record) for change in changes]
        return answer

    async def save(self, batch: Batch, state: Reported) -> None:
        """Write what became of sessions, and tell of it."""
        reserving = await store.save(batch.connection, state.state.changes, batch.now, self._doubted_for)
        await store.name(batch.connection, state.state.renamed)
        await endings.note(batch.connection, state.state.superseded(), batch.now, batch.now + self._doubted_for)
        self._lately_ended.note(state.state.changes, batch.now)
        await self._reserving.note(batch, state.state.changes, reserving)
        for change, because in state.caused:
            _announce(self._metrics, batch, change, because)
        for contradiction in state.state.contradictions:
            _log(contradiction)
        self._count(state.state)

    def _count(self, state: TransactionState) -> None:
        self._metrics.judged(judgement.status for judgement in state.judged)
        self._metrics.recorded(each.event.kind for each in state.recorded)
        if state.duplicates:
            self._metrics.duplicates.add(state.duplicates)
        if state.contradictions:
            self._metrics.contradictions.add(len(state.contradictions))


@dataclass
class Heard:
    """A batch's sessions that readings are of, and what these changed of them, with the record that brought it last."""

    found: Found
    changes: dict[str, tuple[Change, Received]] = field(default_factory=dict)


class MeterValues(Block[Readings, Heard]):
    """Takes readings that come apart from events to the sessions that they are of; answers none, the edge has.

    It makes no event of them, and tells of them only where they bring a mark, or change what was settled.
    """

    def __init__(self, metrics: Metrics, lately_ended: LatelyEnded) -> None:
        self._metrics = metrics
        self._lately_ended = lately_ended

    async def load(self, batch: Batch, calls: Sequence[Call[Readings]]) -> Heard:
        """Return the sessions that the readings may be of; most messages have none that matter."""
        readings = [call.request for call in calls if call.request.samples]
        if not readings:
            return Heard(Found())
        return Heard(await outside_store.load(batch.connection, readings, self._lately_ended, batch.now))

    def decide(self, state: Heard, call: Call[Readings]) -> None:
        """Add readings to their session."""
        readings, found = call.request, state.found
        if not readings.samples:
            return
        session = _session_of(readings, found)
        if session is None:
            return
        fold = outside.with_readings(session.fold, readings)
        if fold is session.fold:
            return
        if session.over and energy_of(fold) == energy_of(session.fold):  # most that come late: nothing to write
            return
        fold = settled_anew(session, fold, readings.received_at)
        before = state.changes[session.session_id][0].before if session.session_id in state.changes else session
        updated_at = max(session.updated_at, readings.received_at)
        after = msgspec.structs.replace(session, fold=fold, updated_at=updated_at)
        found.sessions[session.session_id] = after
        state.changes[session.session_id] = (Change(before, after, summarize(fold)), call.record)

    async def save(self, batch: Batch, state: Heard) -> None:
        """Write what changed, and tell of it where it was settled."""
        if not state.changes:
            return
        await outside_store.save(batch.connection, [change for change, _ in state.changes.values()])
        for change, because in state.changes.values():
            _announce(self._metrics, batch, change, because)


def settle(state: TransactionState, call: Call[Report]) -> tuple[Answer, Sequence[Change]]:
    """Decide an event and keep the decision with its answer, which the same event gets again whenever it is resent.

    Returns:
        The answer, and what changed.
    """
    changed_before = len(state.changes)
    recorded = record(state, call.request)
    if isinstance(recorded, bytes):
        return Answer(recorded), state.changes[changed_before:]
    answer = call.answered(recorded)
    state.keep(msgspec.structs.replace(recorded, payload=answer.payload))
    return answer, state.changes[changed_before:]


def _session_of(readings: Readings, found: Found) -> Session | None:
    if readings.names:
        ids = (found.by_name.get((readings.station_id, name)) for name in readings.names)
        session_id = next((each for each in ids if each), None)
        return None if session_id is None else found.sessions[session_id]
    return outside.whose(readings, [found.sessions[each] for each in found.by_station.get(readings.station_id, ())])


def _announce(metrics: Metrics, batch: Batch, change: Change, because: Received) -> None:
    told = announcement(change, batch.now)
    if told is not None:
        batch.send(told, because=because)
    for flag in new_flags(change):
        session = change.session
        level = _LEVELS.get(flag, logging.WARNING)
        log.log(level, "station %s: session %s is marked %s", session.station_id, session.session_id, flag)
        metrics.flags.add(1, {"flag": flag})


def _log(contradiction: Contradiction) -> None:
    session, event = contradiction.session, contradiction.event
    log.warning(
        "station %s sent event %d (%s) of session %s again with another %s",
        session.station_id,
        event.number,
        event.kind,
        session.session_id,
        contradiction.about,
    )
