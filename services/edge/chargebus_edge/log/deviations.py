"""In what ways the frames of one connection break their schemas: counted here, and told to `device` now and then.

A station that deviates in every frame would double the traffic if each were told. What is new is told within a second,
with the connection's next look at its timer; what was told before is counted on, and told once a minute and at the end.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Final

from chargebus_events.deviations import DeviationCount
from chargebus_ocppj.deviations import place

TELL_EVERY_S: Final = 60.0
MOST: Final = 64
"""Deviations of one connection that are told apart by their place; of more, only action and kind are."""

DETAIL_LIMIT: Final = 160
PATH_LIMIT: Final = 120

_SECRET: Final = re.compile(r"passw|secret|authori[sz]ationkey|privatekey|credential|\bpin\b", re.IGNORECASE)
# Actions whose data are whatever a vendor likes, secrets too, or all that a station knows of a customer.
_ANYTHING: Final = frozenset({"DataTransfer", "NotifyCustomerInformation"})

_Key = tuple[str, str, str, bool]


class _Count:
    __slots__ = ("count", "detail", "first_at", "last_at")

    def __init__(self, at: datetime, detail: str) -> None:
        self.count = 0
        self.first_at = self.last_at = at
        self.detail = detail


class DeviationCounts:
    """Counts the deviations of one connection."""

    __slots__ = ("_counts", "_due_at", "_untold")

    def __init__(self) -> None:
        self._counts: dict[_Key, _Count] = {}
        self._untold: set[_Key] = set()
        self._due_at = inf

    def note(
        self, action: str, found: Iterable[tuple[str, str, str]], at: datetime, now: float, *, refused: bool
    ) -> None:
        """Count a frame; what was `found` is kind, path and detail of each deviation.

        Args:
            action: what the frame calls, as far as it is known.
            found: a frame counts once for each kind and place, however often it has that.
            at: the time of day.
            now: seconds of the edge's monotonic clock.
            refused: the frame was not passed on.
        """
        seen: dict[_Key, str] = {}
        for kind, path, detail in found:
            seen.setdefault(self._key(action, kind, _printable(place(path), PATH_LIMIT), refused), detail)
        for key, detail in seen.items():
            known = self._counts.get(key)
            if known is None:
                known = self._counts[key] = _Count(at, _shown(key, detail))
                self._due_at = now
            known.count += 1
            known.last_at = at
        self._untold |= seen.keys()
        self._due_at = min(self._due_at, now + TELL_EVERY_S)

    def is_due(self, now: float) -> bool:
        """Tell whether there is something to tell, and it is time."""
        return now >= self._due_at

    def take(self) -> tuple[DeviationCount, ...]:
        """Return what is new or was counted on since the last time."""
        told = tuple(self._told(key) for key in sorted(self._untold))
        self._untold.clear()
        self._due_at = inf
        return told

    def _key(self, action: str, kind: str, where: str, refused: bool) -> _Key:  # noqa: FBT001 - a part of the key
        key = action, kind, where, refused
        return key if key in self._counts or len(self._counts) < MOST else (action, kind, "*", refused)

    def _told(self, key: _Key) -> DeviationCount:
        action, kind, where, refused = key
        counted = self._counts[key]
        return DeviationCount(
            action, kind, where, counted.count, counted.first_at, counted.last_at, counted.detail, refused
        )


def _shown(key: _Key, detail: str) -> str:
    """Return a detail as it may be kept: bounded, printable, and nothing of what may be secret."""
    action, _, where, _ = key
    if action in _ANYTHING or _SECRET.search(f"{where} {detail}"):
        return ""
    return _printable(detail, DETAIL_LIMIT)


def _printable(text: str, limit: int) -> str:
    return "".join(each for each in text[:limit] if each.isprintable())
