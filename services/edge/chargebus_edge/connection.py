"""One connection of a station: its link, its socket, and the way to Kafka between them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import msgspec
from chargebus_events.registry import Registration
from chargebus_ocppj.actions import empty_answer
from chargebus_ocppj.versions import Version
from chargebus_runtime.clock import Clock
from chargebus_runtime.producer import Sent
from chargebus_runtime.telemetry import Tracing, with_trace
from opentelemetry.trace import Span

from chargebus_edge.deliveries import delivery
from chargebus_edge.frame_records import FrameRecords, Stamp
from chargebus_edge.limits import ConnectionLimits
from chargebus_edge.link import Answer, Link
from chargebus_edge.liveness import Liveness
from chargebus_edge.outputs import Note, Output, Publish, Report, SendText, StationCommand
from chargebus_edge.registry import Admission
from chargebus_edge.routes import route
from chargebus_edge.tally import Tally
from chargebus_edge.uplink import Uplink


class Socket(Protocol):
    """What a connection needs of its WebSocket."""

    @property
    def congested(self) -> bool:
        """Whether the station does not read what was written."""
        ...

    def write(self, text: str) -> bool:
        """Send a text message; return whether the socket was open for it."""
        ...

    def poke(self) -> None:
        """Send a ping."""

    def shut(self, code: int, reason: str) -> None:
        """Close with a word."""

    def cut(self) -> None:
        """Close without one."""

    def hold(self) -> None:
        """Stop reading."""

    def release(self) -> None:
        """Read again."""


class Station(msgspec.Struct, frozen=True):
    """Who connected, how, and on what terms it was let in."""

    station_id: str
    version: Version
    admission: Admission
    remote_address: str = ""


@dataclass(frozen=True)
class ConnectionParts:
    """What all connections of an edge share."""

    slot: int
    uplink: Uplink
    tally: Tally
    clock: Clock
    stamp: Stamp
    monotonic: Callable[[], float]
    limits: ConnectionLimits
    tracing: Tracing
    gone: Callable[["Connection"], None]
    there: Callable[["Connection", float], None]


class Connection:
    """Runs what its link wants done. What the station sends before the connection has an epoch waits for it."""

    __slots__ = (
        "_early",
        "_held",
        "_liveness",
        "_parts",
        "_records",
        "_shown_at",
        "_unacknowledged",
        "ended",
        "epoch",
        "link",
        "socket",
        "station",
    )

    def __init__(self, station: Station, socket: Socket, parts: ConnectionParts) -> None:
        now = parts.monotonic()
        self.station = station
        self.socket = socket
        self.link = Link(station.version, station.admission.registration, parts.limits.link, now)
        self.epoch: int | None = None
        self.ended = False
        self._parts = parts
        self._early: list[bytes] | None = None  # what came before the epoch was known
        self._records: FrameRecords | None = None
        self._unacknowledged = 0
        self._held = False
        self._liveness = Liveness(parts.limits, now)
        self._shown_at = now

    # From the socket

    def received(self, data: bytes) -> None:
        """Take a text message."""
        now = self._parts.monotonic()
        self._liveness.message(now)
        if self._records is not None:
            self._run(self.link.received(data, now))
            if self._unacknowledged >= self._parts.limits.unacknowledged or self.link.waiting or self.socket.congested:
                self._flow()
        elif not self.ended:
            self._early = self._early or []
            self._early.append(data)
            self._flow()

    def refused(self, reason: str) -> None:
        """Count a message that the socket refused and closes for."""
        self._parts.tally.note("unreadable", self.station.station_id, reason)

    def heard(self) -> None:
        """Note that the station is there."""
        self._liveness.message(self._parts.monotonic())

    def ponged(self) -> None:
        """Note that the station answers pings."""
        self._liveness.pong(self._parts.monotonic())

    def lost(self) -> None:
        """Learn that the station says no more and can be told no more."""
        self.end()

    # From Kafka

    def announced(self, epoch: int) -> None:
        """Begin: the log has this connection as the newest of its station."""
        station, parts = self.station, self._parts
        self.epoch = epoch
        self._records = FrameRecords(station.station_id, station.version, parts.slot, epoch, parts.stamp)
        early, self._early = self._early or [], None
        for data in early:
            self._run(self.link.received(data, parts.monotonic()))
        self._flow()

    def acknowledged(self, frame: Publish, span: Span | None, sent: Sent | None) -> None:
        """Learn that Kafka has a frame for good, or (None) that it was given up; answer it if that is all it needs."""
        self._unacknowledged -= 1
        if sent is None:
            self.link.abandon(frame.number)
        elif frame.route.answered_by_edge:
            answer = empty_answer(self.station.version, frame.route.action, self._parts.clock())
            self._parts.tally.answers["edge"] += 1
            self._run(self.link.answer(frame.number, answer, self._parts.monotonic()))
        if self._held:
            self._flow()
        if span is not None:
            span.end()

    # From the downlink

    def answer(self, number: int, answer: Answer, registration: Registration | None) -> None:
        """Take a service's answer to a call."""
        self._parts.tally.answers["service"] += 1
        self._run(self.link.answer(number, answer, self._parts.monotonic(), registration))
        if self._held:
            self._flow()

    def command(self, command: StationCommand) -> None:
        """Take a command for the station."""
        self._run(self.link.command(command, self._parts.monotonic()))

    # From the sweep

    def sweep(self, now: float) -> None:
        """Do what is due: deadlines of the link, pings, and an end for a station that is not there."""
        if self.link.busy:
            self._tick(now)
        if self._held:
            self._catch_up(now)
        elif now >= self._liveness.due_at:
            self._look_after(now)
        if now - self._shown_at >= self._parts.limits.unseen_s:
            self._show(now)

    def _tick(self, now: float) -> None:
        deadline = self.link.next_deadline()
        if deadline is not None and deadline <= now:
            self._run(self.link.tick(now))

    def _catch_up(self, now: float) -> None:
        self._flow()
        if self.socket.congested and self._liveness.silence_s(now) >= self._parts.limits.pong_within_s:
            self._drop("not reading")

    def _look_after(self, now: float) -> None:
        step = self._liveness.step(now)
        if step == "ping":
            self.socket.poke()
        elif step != "wait":
            self._drop(step)

    def _show(self, now: float) -> None:
        """Have the log say that the station is there, if it was heard since the log last showed that."""
        silence_s = self._liveness.silence_s(now)
        if self.epoch is not None and not self.ended and now - silence_s > self._shown_at:
            self._shown_at = now
            self._parts.there(self, silence_s)

    # Endings

    def hold(self) -> None:
        """Stop reading: Kafka does not take what is read."""
        self.socket.hold()

    def release(self) -> None:
        """Read again; the silence meanwhile was not the station's."""
        self._read_again()
        self._flow()

    def close(self, code: int, reason: str) -> None:
        """End the connection from this side."""
        self.end()
        self.socket.shut(code, reason)

    def end(self) -> None:
        """Let the connection speak no more; what its commands became is reported."""
        if self.ended:
            return
        self.ended = True
        self._run(self.link.end())
        self._parts.gone(self)

    def _drop(self, reason: str) -> None:
        self._parts.tally.drop(reason, self.station.station_id)
        self.end()
        self.socket.cut()

    def _flow(self) -> None:
        """Stop reading from a station that sends faster than is taken or answered, or does not read; go on later."""
        backlog = self._unacknowledged + len(self._early or ())
        limit = self._parts.limits.unacknowledged
        ahead = self.link.waiting > 0 or self.socket.congested
        if not self._held and (ahead or backlog >= limit):
            self._held = True
            self.socket.hold()
        elif self._held and not ahead and backlog <= limit // 2:
            self._read_again()

    def _read_again(self) -> None:
        self._held = False
        self._liveness.message(self._parts.monotonic())  # what it said meanwhile was not read
        self.socket.release()

    # What the link wants done

    def _run(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, SendText):
                if not self.socket.write(output.text) and output.is_command:
                    self._run(self.link.unwritten())
            elif isinstance(output, Publish):
                self._publish(output)
            elif isinstance(output, Report):
                self._report(output)
            else:
                self._note(output)

    def _publish(self, frame: Publish) -> None:
        parts = self._parts
        record = cast(FrameRecords, self._records).record(frame)
        span = self._trace(frame) if parts.tracing.enabled else None
        if span is not None:
            record = with_trace(record, span)
        parts.tally.frames[self.station.version, frame.route.action, "published"] += 1
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
        tally, version = self._parts.tally, self.station.version
        tally.note(note.event, self.station.station_id, f"{note.action} {note.about}".strip())
        if note.action:
            # Stations choose what they send: only the names that we know become labels.
            known = note.action if route(version, note.action) is not None else "unknown"
            tally.frames[version, known, note.event] += 1

    def _report(self, report: Report) -> None:
        parts = self._parts
        parts.tally.commands[report.result] += 1
        parts.uplink.post(
            delivery(report, self.station.station_id, cast(int, self.epoch), parts.clock()).record(parts.slot)
        )
