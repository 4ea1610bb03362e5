"""Registered stations with which no version is spoken: told to `device` as a deviation of a refused handshake.

A station that is refused comes again every few seconds, for ever: what is told of one is told once a minute.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from chargebus_events.deviations import DeviationCount, DeviationReport
from chargebus_events.record import Record
from chargebus_runtime.clock import Clock

TELL_EVERY: Final = timedelta(minutes=1)
MOST: Final = 10_000
"""Stations of which it is known when they were told last; more are told more often."""


class _Told:
    __slots__ = ("at", "first_at", "untold")

    def __init__(self, at: datetime) -> None:
        self.at = self.first_at = at
        self.untold = 0


class UnspokenStations:
    """Counts the handshakes of an edge that ended without a subprotocol in common, and tells of them with `post`."""

    def __init__(self, slot: int, clock: Clock, post: Callable[[Record], None]) -> None:
        self._slot = slot
        self._clock = clock
        self._post = post
        self._told: dict[str, _Told] = {}

    def note(self, station_id: str, version: str, reason: str) -> None:
        """Count one.

        Args:
            station_id: a station that is registered, and has proved who it is.
            version: what it speaks, if that is known.
            reason: why nothing is spoken, and what to do about it.
        """
        at, known = self._clock(), self._told.get(station_id)
        if known is None:
            known = self._told[station_id] = _Told(at)
            if len(self._told) > MOST:
                del self._told[next(iter(self._told))]
        elif at - known.at < TELL_EVERY:
            known.first_at = known.first_at if known.untold else at
            known.untold += 1
            return
        first_at = known.first_at if known.untold else at
        counted = DeviationCount("", "handshake", "", known.untold + 1, first_at, at, reason, refused=True)
        known.at, known.untold = at, 0
        # There is no connection whose handshakes these are; each report counts by itself, the later one above.
        epoch = int(at.timestamp() * 1000)
        self._post(DeviationReport(station_id, version, self._slot, epoch, at, (counted,)).record())
