"""One connection of a station: its socket, the protocol on it, and the way to Kafka between them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from chargebus_events.registry import Registration
from chargebus_ocppj.actions import empty_answer
from chargebus_runtime.clock import Clock
from chargebus_runtime.producer import Sent
from chargebus_runtime.telemetry import Tracing, with_trace
from opentelemetry.trace import Span

from chargebus_edge.counts import Counts
from chargebus_edge.door.registry import Terms
from chargebus_edge.log.commands import Report, StationCommand, delivery
from chargebus_edge.log.frames import Answer, FrameRecords, Publish, Seal, Stamp
from chargebus_edge.log.routes import route
from chargebus_edge.log.stations import Ending, Station
from chargebus_edge.log.uplink import Uplink
from chargebus_edge.rpc.deviating import Deviations
from chargebus_edge.rpc.effects import Deviating, Effect, Note, SendText
from chargebus_edge.rpc.keepalive import KeepAlive
from chargebus_edge.rpc.limits import ConnectionLimits
from chargebus_edge.rpc.protocol import OcppProtocol
from chargebus_edge.rpc.sockets import CODES, Socket


@dataclass(frozen=True)
class ConnectionParts:
    """What all connections of an edge share."""

    slot: int
    uplink: Uplink
    counts: Counts
    clock: Clock
    stamp: Stamp
    seal: Seal | None
    monotonic: Callable[[], float]
    limits: ConnectionLimits
    tracing: Tracing
    gone: Callable[["OcppConnection"], None]
    there: Callable[["OcppConnection", float], None]


class OcppConnection:
    """Does what its protocol wants done. What the station sends before the connection has an epoch waits for it.

    There are two reasons not to read from it: it is ahead of what is taken or answered (`_ahead`), and the edge reads
    from nobody (`_held`).
    """

    __slots__ = (
        "_ahead",
        "_buffered",
        "_deviations",
        "_early",
        "_early_bytes",
        "_held",
        "_keepalive",
        "_parts",
        "_records",
        "_shown_at",
        "_unacknowledged",
        "ended",
        "epoch",
        "protocol",
        "socket",
        "station",
        "terms",
    )

    def __init__(self, station: Station, terms: Terms, socket: Socket, parts: ConnectionParts) -> None:
        now = parts.monotonic()
        self.station = station
        self.terms = terms
        self.socket = socket
        self.protocol = OcppProtocol(station.version, terms.registration, parts.limits.protocol, now)
        self.epoch: int | None = None
        self.ended = False
        self._parts = parts
        self._early: list[tuple[bytes, int]] | None = None  # what came before: see `_wait_for_epoch`
        self._early_bytes = 0
        self._records: FrameRecords | None = None
        self._unacknowledged = 0
        self._ahead = False
        self._held = False
        self._buffered = 0  # bytes that wait here, as the uplink was told
        self._keepalive = KeepAlive(parts.limits, now)
        self._shown_at = now
        self._deviations: Deviations | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is open in either direction, or waits."""
        return self.protocol.busy

    # From the socket

    def received(self, data: bytes) -> None:
        """Take a text message."""
        now = self._parts.monotonic()
        self._keepalive.message(now)
        if self._records is not None:
            self._run(self.protocol.received(data, now))
            if (
                self._unacknowledged >= self._parts.limits.unacknowledged
                or self.protocol.waiting
                or self.socket.congested
            ):
                self._flow()
        elif not self.ended:
            self._wait_for_epoch(data, 0)

    def oversized(self, head: bytes, size: int) -> None:
        """Take what is left of a message that was too large to be read."""
        now = self._parts.monotonic()
        self._keepalive.message(now)
        if self._records is not None:
            self._run(self.protocol.oversized(head, size, now))
            self._flow()
        elif not self.ended:
            self._wait_for_epoch(head, size)

    def refused(self, reason: str) -> None:
        """Count a message that the socket refused and closes for."""
        self._parts.counts.note("unreadable", self.station.station_id, reason)

    def heard(self) -> None:
        """Note that the station is there."""
        self._keepalive.message(self._parts.monotonic())

    def ponged(self) -> None:
        """Note that the station answers pings."""
        self._keepalive.pong(self._parts.monotonic())

    def lost(self) -> None:
        """Learn that the station says no more and can be told no more."""
        self.end()

    def _wait_for_epoch(self, data: bytes, oversize: int) -> None:
        """Keep a message, or the beginning of one of `oversize` bytes, until the connection begins."""
        self._early = self._early or []
        self._early.append((data, oversize))
        self._early_bytes += len(data)
        self._flow()

    # From Kafka

    def announced(self, epoch: int) -> None:
        """Begin: the log has this connection as the newest of its station."""
        station, parts = self.station, self._parts
        self.epoch = epoch
        self._records = FrameRecords(station.station_id, station.version, parts.slot, epoch, parts.stamp, parts.seal)
        if station.deviations:
            self._deviating().shook_hands()
        early, self._early, self._early_bytes = self._early or [], None, 0
        for data, size in early:
            now = parts.monotonic()
            self._run(self.protocol.oversized(data, size, now) if size else self.protocol.received(data, now))
        self._flow()

    def acknowledged(self, frame: Publish, span: Span | None, sent: Sent | None) -> None:
        """Learn that Kafka has a frame for good, or (None) that it was given up; answer it if that is all it needs."""
        self._unacknowledged -= 1
        if sent is None:
            self.protocol.abandon(frame.number)
        elif frame.refusal is not None:
            self._run(self.protocol.kept(frame, self._parts.monotonic()))
        elif frame.route.answered_by_edge:
            answer = empty_answer(self.station.version, frame.route.action, self._parts.clock())
            self._parts.counts.answers["edge"] += 1
            self._run(self.protocol.answer(frame.number, answer, self._parts.monotonic()))
        if self._ahead:
            self._flow()
        if span is not None:
            span.end()

    # From the downlink

    def answer(self, number: int, answer: Answer, registration: Registration | None) -> None:
        """Take a service's answer to a call."""
        self._parts.counts.answers["service"] += 1
        if self._deviations is not None:
            self._deviations.answered(number, answer)
        self._run(self.protocol.answer(number, answer, self._parts.monotonic(), registration))
        if self._ahead:
            self._flow()

    def command(self, command: StationCommand) -> None:
        """Take a command for the station."""
        self._run(self.protocol.command(command, self._parts.monotonic()))

    # From the timer

    def tick(self, now: float) -> None:
        """Do what is due: deadlines of the protocol, pings, and an end for a station that is not there."""
        if self.protocol.busy:
            self._meet_deadlines(now)
        if self._ahead:
            self._catch_up(now)
        elif not self._held and now >= self._keepalive.due_at:
            self._look_after(now)
        if now - self._shown_at >= self._parts.limits.unseen_s:
            self._show(now)
        if self._deviations is not None and self._deviations.is_due(now):
            self._tell_deviations()

    def _meet_deadlines(self, now: float) -> None:
        deadline = self.protocol.next_deadline()
        if deadline is not None and deadline <= now:
            self._run(self.protocol.tick(now))

    def _catch_up(self, now: float) -> None:
        self._flow()
        if (
            self.socket.congested
            and not self._held
            and self._keepalive.silence_s(now) >= self._parts.limits.pong_within_s
        ):
            self._drop("not reading")

    def _look_after(self, now: float) -> None:
        step = self._keepalive.step(now)
        if step == "ping":
            self.socket.poke()
        elif step != "wait":
            self._drop(step)

    def _show(self, now: float) -> None:
        """Have the log say that the station is there, if it was heard since the log last showed that."""
        silence_s = self._keepalive.silence_s(now)
        if self.epoch is not None and not self.ended and now - silence_s > self._shown_at:
            self._shown_at = now
            self._parts.there(self, silence_s)

    # Reading

    def hold(self) -> None:
        """Stop reading: the edge reads from nobody."""
        self._held = True
        self.socket.hold()

    def release(self) -> None:
        """Read again, unless the station is ahead."""
        self._held = False
        if self._ahead:
            self._flow()
        else:
            self._read_again()

    def _flow(self) -> None:
        """Stop reading from a station that sends faster than is taken or answered, or does not read; go on later."""
        self._tell_buffered()
        if self.ended:
            return  # what is left to read is its goodbye
        backlog = self._unacknowledged + len(self._early or ())
        limit = self._parts.limits.unacknowledged
        ahead = self.protocol.waiting > 0 or self.socket.congested
        if not self._ahead and (ahead or backlog >= limit):
            self._ahead = True
            self.socket.hold()
        elif self._ahead and not ahead and backlog <= limit // 2:
            self._ahead = False
            self._read_again()

    def _read_again(self) -> None:
        self._keepalive.message(self._parts.monotonic())  # what it said meanwhile was not read
        if not self._held:
            self.socket.release()

    def _tell_buffered(self) -> None:
        buffered = self._early_bytes + self.protocol.waiting_bytes
        self._parts.uplink.buffer(buffered - self._buffered)
        self._buffered = buffered

    # Endings

    def close(self, ending: Ending, reason: str = "") -> None:
        """End the connection from this side; `reason` says more than the ending itself."""
        self.end()
        self.socket.shut(CODES[ending], reason or ending.value)

    def end(self) -> None:
        """Let the connection speak no more; what its commands became is reported."""
        if self.ended:
            return
        self.ended = True
        self._early, self._early_bytes = None, 0
        self._run(self.protocol.end())
        self._tell_buffered()
        self._tell_deviations()
        self._parts.gone(self)

    def _drop(self, reason: str) -> None:
        self._parts.counts.drop(reason, self.station.station_id)
        self.end()
        self.socket.cut()

    # What the protocol wants done

    def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendText):
                if not self.socket.write(effect.text) and effect.is_command:
                    self._run(self.protocol.unwritten())
            elif isinstance(effect, Publish):
                self._publish(effect)
            elif isinstance(effect, Report):
                self._report(effect)
            elif isinstance(effect, Deviating):
                self._deviates(effect)
            else:
                self._note(effect)

    def _publish(self, frame: Publish) -> None:
        parts = self._parts
        record = cast(FrameRecords, self._records).record(frame)
        span = self._trace(frame) if parts.tracing.enabled else None
        if span is not None:
            record = with_trace(record, span)
        result = "published" if frame.refusal is None else "kept"
        parts.counts.frames[self.station.version, frame.route.action, result] += 1
        if frame.deviations and frame.refusal is None and not frame.route.answered_by_edge:
            self._deviating().passed_on(frame)
        self._unacknowledged += 1
        if frame.route.seen:
            self._shown_at = parts.monotonic()
        parts.uplink.publish(record, partial(self.acknowledged, frame, span))

    def _trace(self, frame: Publish) -> Span | None:
        span = self._parts.tracing.start(
            f"edge {frame.route.action}",
            **{"chargebus.station": self.station.station_id, "chargebus.ocpp.version": self.station.version},
        )
        return span if span.is_recording() else None  # not sampled: nothing to carry along

    def _note(self, note: Note) -> None:
        counts, version = self._parts.counts, self.station.version
        counts.note(note.event, self.station.station_id, f"{note.action} {note.about}".strip())
        if note.action:
            # Stations choose what they send: only the names that we know become labels.
            known = note.action if route(version, note.action) is not None else "unknown"
            counts.frames[version, known, note.event] += 1
        if note.code or note.event == "oversized":
            self._deviating().refused(note)

    def _deviates(self, frame: Deviating) -> None:
        counts, result = self._parts.counts, "refused" if frame.refused else "taken"
        for kind in {each.kind for each in frame.deviations}:
            counts.deviations[self.station.version, frame.action, kind, result] += 1
        self._deviating().found(frame.action, frame.deviations, refused=frame.refused)

    def _deviating(self) -> Deviations:
        """Return what counts the station's deviations; most keep to the schemas, and need none."""
        if self._deviations is None:
            self._deviations = Deviations(self.station, self._parts.clock, self._parts.monotonic)
        return self._deviations

    def _tell_deviations(self) -> None:
        record = None if self._deviations is None else self._deviations.report(self._parts.slot, self.epoch)
        if record is not None:
            self._parts.uplink.post(record)

    def _report(self, report: Report) -> None:
        parts = self._parts
        parts.counts.commands[report.result] += 1
        parts.uplink.post(
            delivery(report, self.station.station_id, cast(int, self.epoch), parts.clock()).record(parts.slot)
        )
