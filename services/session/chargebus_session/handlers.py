"""Kafka in: stations' frames, their presence, and the outcomes of our commands, a batch at a time."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_events.presence import Presence
from chargebus_events.record import Received, Record
from chargebus_events.topics import PRESENCE, frames_topic, outcomes_topic
from chargebus_ocppj.actions import lookup
from chargebus_ocppj.errors import NotSupportedRpcError, OcppError, error_code
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.versions import as_version
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.waiters import Waiters

from chargebus_session import identities
from chargebus_session.announcements import SOURCE, announcement, new_flags
from chargebus_session.domain.desk import Change, Desk, Issue
from chargebus_session.domain.events import CLOCK_IMPLAUSIBLE
from chargebus_session.metrics import Metrics
from chargebus_session.payload import unreadable
from chargebus_session.routes import ROUTES, Call
from chargebus_session.store import batch as store
from chargebus_session.store import intents, stations
from chargebus_session.store.intents import Result

log = logging.getLogger(__name__)

FRAMES: Final = frames_topic("session")
OUTCOMES: Final = outcomes_topic("session")

PRESENCE_S: Final = 0.03
"""How long what nobody waits for may wait for more of it: no longer than a boot takes, as a remote start may follow."""

_LEVELS: Final = {CLOCK_IMPLAUSIBLE: logging.INFO}  # whole fleets have no clock, and their energy is right all the same


class Outcome(msgspec.Struct, frozen=True):
    """What we read of a command's outcome; the payload is whatever the station sent, its schema broken or not."""

    command_id: str
    outcome: str
    ended_at: datetime
    payload: object = None
    error_code: str = ""
    error_description: str = ""
    reason: str = ""


_decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_presence = msgspec.json.Decoder(Presence).decode


class Arrival(msgspec.Struct, frozen=True):
    """A frame that was read, and the record that it came in."""

    record: Received
    frame: Frame
    call: Call


class Handlers:
    """Applies batches; keeps nothing between them but ids to hand out."""

    def __init__(self, waiters: Waiters, metrics: Metrics, clock: Clock) -> None:
        self._waiters = waiters
        self._clock = clock
        self._metrics = metrics
        self._transaction_ids = identities.TransactionIds()

    def consumer(self) -> ConsumerSpec:
        """Return what the service consumes."""
        return ConsumerSpec((FRAMES, PRESENCE, OUTCOMES), self.handle, self.refuse, patience=patience)

    async def handle(self, batch: Batch) -> None:
        """Apply a batch."""
        by_topic: dict[str, list[Received]] = {FRAMES: [], PRESENCE: [], OUTCOMES: []}
        for record in batch.records:
            by_topic[record.topic].append(record)
        await self._follow_presence(batch, by_topic[PRESENCE])
        await self._answer_frames(batch, by_topic[FRAMES])
        await self._end_intents(batch, by_topic[OUTCOMES])

    def refuse(self, record: Received, _reason: str) -> Sequence[Record]:
        """Return what a station gets whose frame was parked: our fault, and it may try again."""
        try:
            frame = Frame.read(record)
            code = error_code(as_version(frame.version), "internal")
        except (KeyError, ValueError):  # not a frame: nobody waits for an answer
            return ()
        return (frame.error(code, "The CSMS could not handle this message.", SOURCE, self._clock()),)

    async def _follow_presence(self, batch: Batch, records: Sequence[Received]) -> None:
        """Note which version stations speak: what the newest connection of each was announced with."""
        presences = [_decode_presence(record.value) for record in records if record.value is not None]
        told = {presence.station_id: presence.version for presence in presences if presence.connected}
        if told:
            await stations.keep(batch.connection, told)

    async def _answer_frames(self, batch: Batch, records: Sequence[Received]) -> None:
        arrivals = [arrival for record in records if (arrival := self._read(batch, record)) is not None]
        if not arrivals:
            return
        desk = await self._desk(batch, [arrival.call for arrival in arrivals])
        for arrival in arrivals:
            changed_before = len(desk.changes)
            answer = arrival.call.settle(desk)
            batch.send(arrival.frame.answer(answer, SOURCE, batch.now), because=arrival.record)
            for change in desk.changes[changed_before:]:
                self._announce(batch, change, arrival.record)
        await store.save(batch.connection, desk.changes)
        self._metrics.decided(desk)
        for contradiction in desk.contradictions:
            session, event = contradiction.session, contradiction.event
            log.warning(
                "station %s sent event %d (%s) of session %s again with another %s; the first one counts",
                session.station_id,
                event.number,
                event.kind,
                session.session_id,
                contradiction.about,
            )

    def _read(self, batch: Batch, record: Received) -> Arrival | None:
        """Read a frame; one that is not for this service, or that nobody can read, is dealt with here."""
        frame = Frame.read(record)
        route = ROUTES.get((frame.version, frame.action))
        if route is not None:
            try:
                return Arrival(record, frame, route.call(frame))
            except msgspec.MsgspecError as error:
                self._refuse(batch, record, frame, unreadable(frame.version, error))
        elif _wants_answer(frame):
            reason = f"{frame.action} is not supported by this CSMS"
            self._refuse(batch, record, frame, NotSupportedRpcError(as_version(frame.version), reason))
        return None

    def _refuse(self, batch: Batch, record: Received, frame: Frame, error: OcppError) -> None:
        log.warning("station %s: %s refused: %s", frame.station_id, frame.action, error)
        self._metrics.refused.add(1, {"code": error.code})
        batch.send(frame.error(error.code, error.description, SOURCE, batch.now), because=record)

    async def _desk(self, batch: Batch, calls: Sequence[Call]) -> Desk:
        reports = [call.report for call in calls if call.report is not None]
        known = await store.load(batch.connection, {call.token_key for call in calls if call.token_key}, reports)
        starts = sum(1 for report in reports if report.reference.start)
        await store.reserve(batch.connection, self._transaction_ids, starts)
        return Desk(known, Issue(partial(identities.session_id, batch.now), self._transaction_ids.take))

    def _announce(self, batch: Batch, change: Change, because: Received) -> None:
        record = announcement(change, batch.now)
        if record is not None:
            batch.send(record, because=because)
        for flag in new_flags(change):
            session = change.session
            level = _LEVELS.get(flag, logging.WARNING)
            log.log(level, "station %s: session %s is marked %s", session.station_id, session.session_id, flag)
            self._metrics.flags.add(1, {"flag": flag})

    async def _end_intents(self, batch: Batch, records: Sequence[Received]) -> None:
        results = [_result(record) for record in records]
        if not results:
            return
        for command_id in await intents.end(batch.connection, results):
            await self._waiters.notify(batch.connection, command_id)
        for result in results:
            self._metrics.intents.add(1, {"outcome": result.outcome, "status": result.status})


def patience(record: Received) -> float:
    """Return how long a record may wait for others, in seconds."""
    return PRESENCE_S if record.topic == PRESENCE else 0.0


def _wants_answer(frame: Frame) -> bool:
    row = lookup(as_version(frame.version), frame.action)
    return frame.expects_answer and row is not None and row.answered_by == "service"


def _result(record: Received) -> Result:
    outcome = _decode_outcome(record.value or b"")
    status = outcome.payload.get("status") if isinstance(outcome.payload, dict) else None
    reason = outcome.reason or ": ".join(filter(None, (outcome.error_code, outcome.error_description)))
    return Result(outcome.command_id, outcome.outcome, clean(str(status or "")), clean(reason), outcome.ended_at)
