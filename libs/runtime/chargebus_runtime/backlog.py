"""Owns where nothing can be sent to at present, and in which outbox rows records wait for that; pure.

While a destination has a backlog, whatever comes for it waits behind it, so that the order stays; the rows are looked
through in their order, and once no row is left, records go out at once again.
"""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

from chargebus_runtime.producer import Destination

BEHIND = "earlier records wait for it"


@dataclass
class _Span:
    """The ids of the first and the newest row in which records wait, and why they could not be sent.

    `since` is the first of those that came while the rows were being looked through: that look may have missed it.
    """

    first: int
    newest: int
    reason: str
    since: int | None


class Backlog:
    """Destinations with records that wait in rows; of the rows only the first and the newest id are kept."""

    def __init__(self) -> None:
        self._spans: dict[Destination, _Span] = {}
        self._topics: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._spans)

    def objection(self, topic: str, partition: int | None) -> str:
        """Say why nothing may be sent to a destination at once; empty if it may."""
        if topic not in self._topics:
            return ""
        waits = partition is None or (topic, partition) in self._spans or (topic, None) in self._spans
        return BEHIND if waits else ""

    def unknown(self) -> set[str]:
        """Return the topics for which records wait because nobody knows their partitions."""
        return {topic for topic, partition in self._spans if partition is None}

    def defer(self, destination: Destination, row: int, reason: str) -> None:
        """Note that a record waits in a row."""
        span = self._spans.get(destination)
        if span is None:
            self._spans[destination] = _Span(row, row, reason, row)
            self._topics[destination.topic] += 1
            return
        span.first = min(span.first, row)
        span.newest = max(span.newest, row)
        span.since = row if span.since is None else min(span.since, row)
        if reason != BEHIND:
            span.reason = reason

    def holds(self, row: int) -> bool:
        """Tell whether a row is among those that will be looked through."""
        return any(span.first <= row <= span.newest for span in self._spans.values())

    def begin(self, but_not: Container[Destination]) -> tuple[int, int] | None:
        """Return which rows are to be looked through now, for all destinations but some; None if there are none."""
        spans = [span for destination, span in self._spans.items() if destination not in but_not]
        for span in spans:
            span.since = None
        return (min(span.first for span in spans), max(span.newest for span in spans)) if spans else None

    def passed(self, first: int, last: int, but_not: Container[Destination]) -> None:
        """Note that nothing was left in the rows from `first` to `last`, but for some destinations.

        What was deferred since the look at them began stays.
        """
        for destination, span in list(self._spans.items()):
            if destination in but_not or not first <= span.first <= last:
                continue
            span.first = last + 1 if span.since is None else min(last + 1, span.since)
            if span.first > span.newest:
                del self._spans[destination]
                self._topics -= Counter([destination.topic])

    def reasons(self) -> list[str]:
        """Return for each destination why it could not be written to."""
        return [f"{destination}: {span.reason}" for destination, span in self._spans.items()]
