"""What one connection has to tell of the ways in which its station deviates."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from chargebus_events.deviations import DeviationReport
from chargebus_events.frames import RpcError
from chargebus_events.record import Record
from chargebus_ocppj.deviations import Deviation

from chargebus_edge.log.deviations import MOST, DeviationCounts
from chargebus_edge.log.frames import Answer, Publish
from chargebus_edge.log.routes import route
from chargebus_edge.log.stations import Station
from chargebus_edge.rpc.effects import Note

_OUR_FAULT: Final = "InternalError"


class Deviations:
    """Counts what a connection's frames, and its handshake, were forgiven or refused for.

    `clock` tells the time of day, `monotonic` seconds for when to tell.
    """

    __slots__ = ("_clock", "_counts", "_monotonic", "_passed", "_station")

    def __init__(self, station: Station, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._station = station
        self._clock = clock
        self._monotonic = monotonic
        self._counts = DeviationCounts()
        self._passed: dict[int, str] = {}  # actions of frames that deviate and wait for an answer, by frame number

    def shook_hands(self) -> None:
        """Count what the opening request was forgiven."""
        self._note("", [("handshake", "", each) for each in self._station.deviations], refused=False)

    def found(self, action: str, deviations: Iterable[Deviation], *, refused: bool) -> None:
        """Count a frame that deviates."""
        self._note(action, [(each.kind, each.path, each.detail) for each in deviations], refused=refused)

    def refused(self, note: Note) -> None:
        """Count a frame that was refused for what the station sent, but not by its schema."""
        self._note(note.action, [(note.code or note.event, "", note.about)], refused=True)

    def passed_on(self, frame: Publish) -> None:
        """Note that a frame that deviates waits for its service's answer; of too many the oldest is forgotten."""
        self._passed[frame.number] = frame.route.action
        if len(self._passed) > MOST:
            del self._passed[next(iter(self._passed))]

    def answered(self, number: int, answer: Answer) -> None:
        """Count a frame that was passed on, if its service refused it, and not for a fault of ours."""
        action = self._passed.pop(number, None)
        if action is not None and isinstance(answer, RpcError) and answer.code != _OUR_FAULT:
            self._note(action, [(answer.code, "", answer.description)], refused=True)

    def is_due(self, now: float) -> bool:
        """Tell whether there is something to report, and it is time."""
        return self._counts.is_due(now)

    def report(self, slot: int, epoch: int | None) -> Record | None:
        """Return the record that reports what was not reported yet, if anything."""
        told = self._counts.take()
        if not told or epoch is None:
            return None
        station = self._station
        return DeviationReport(station.station_id, station.version, slot, epoch, self._clock(), told).record()

    def _note(self, action: str, found: Iterable[tuple[str, str, str]], *, refused: bool) -> None:
        known = action if route(self._station.version, action) is not None else ""  # stations choose what they send
        self._counts.note(known, found, self._clock(), self._monotonic(), refused=refused)
