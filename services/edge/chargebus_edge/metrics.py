"""The edge's metrics, exported from its counts.

| name | unit | what |
|---|---|---|
| chargebus.edge.connections | {connection} | open connections |
| chargebus.edge.registered | {station} | stations in the registry as this edge knows it |
| chargebus.edge.unacknowledged | {record} | records on their way to Kafka |
| chargebus.edge.waiting | By | what waits in memory for Kafka, and what stations sent before its turn |
| chargebus.edge.frames | {frame} | CALLs and SENDs, by `version`, `action` and `result` (published, refused, kept, …) |
| chargebus.edge.deviations | {frame} | frames that deviate, by `version`, `action`, `kind`, `result` (taken, refused) |
| chargebus.edge.events | {event} | what else happened, by `event`: unreadable, forgotten, late_answer, near_miss, … |
| chargebus.edge.answers | {answer} | answers to calls, by `source`: edge or service |
| chargebus.edge.commands | {command} | commands that ended, by `result` |
| chargebus.edge.compressed | By | compressed messages, by `direction` (received, sent) and `form` (wire, plain) |
| chargebus.edge.handshakes.refused | {handshake} | refused handshakes, of TLS or of WebSocket, by `reason` |
| chargebus.edge.tls.handshakes | {handshake} | TLS handshakes under way |
| chargebus.edge.tls.expiry | s | until the first certificate expires that is used, by `use`: server, clients |
| chargebus.edge.tls.reloads | {reload} | files of TLS that changed, by `result`: taken, refused (the old ones go on) |
| chargebus.edge.drops | {connection} | connections given up, by `reason`: half-open, silent, not reading |
| chargebus.edge.dark | s | time in which Kafka did not take what stations sent |
| chargebus.edge.publish.duration | s | from handing a record over to its acknowledgement; one in sixteen is measured |
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from opentelemetry.metrics import CallbackOptions, Histogram, Observation, get_meter

from chargebus_edge.counts import Counts

K = TypeVar("K", str, tuple[str, str], tuple[str, str, str], tuple[str, str, str, str])


@dataclass(frozen=True)
class Levels:
    """How to read the gauges."""

    connections: Callable[[], int]
    registered: Callable[[], int]
    unacknowledged: Callable[[], int]
    waiting_bytes: Callable[[], int]
    handshakes: Callable[[], int]
    expires_in_s: Callable[[], Mapping[str, float]]


class Metrics:
    """Makes the instruments of the table above."""

    def __init__(self) -> None:
        self._meter = get_meter("chargebus.edge")

    def publish_duration(self) -> Histogram:
        """Return the histogram of acknowledgements."""
        return self._meter.create_histogram("chargebus.edge.publish.duration", "s")

    def export(self, counts: Counts, levels: Levels) -> None:
        """Export what is counted and how large things are."""
        self._gauge("connections", "{connection}", levels.connections)
        self._gauge("registered", "{station}", levels.registered)
        self._gauge("unacknowledged", "{record}", levels.unacknowledged)
        self._gauge("waiting", "By", levels.waiting_bytes)
        self._gauge("tls.handshakes", "{handshake}", levels.handshakes)
        self._expiry(levels.expires_in_s)
        self._counter("tls.reloads", "{reload}", counts.tls_reloads, ("result",))
        self._counter("frames", "{frame}", counts.frames, ("version", "action", "result"))
        self._counter("deviations", "{frame}", counts.deviations, ("version", "action", "kind", "result"))
        self._counter("events", "{event}", counts.events, ("event",))
        self._counter("answers", "{answer}", counts.answers, ("source",))
        self._counter("commands", "{command}", counts.commands, ("result",))
        self._counter("compressed", "By", counts.compressed, ("direction", "form"))
        self._counter("handshakes.refused", "{handshake}", counts.handshakes_refused, ("reason",))
        self._counter("drops", "{connection}", counts.drops, ("reason",))
        self._meter.create_observable_counter(
            "chargebus.edge.dark", [lambda _options: [Observation(counts.dark_s)]], "s"
        )

    def _expiry(self, read: Callable[[], Mapping[str, float]]) -> None:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(seconds, {"use": use}) for use, seconds in read().items()]

        self._meter.create_observable_gauge("chargebus.edge.tls.expiry", [observe], "s")

    def _gauge(self, name: str, unit: str, read: Callable[[], int]) -> None:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        self._meter.create_observable_gauge(f"chargebus.edge.{name}", [observe], unit)

    def _counter(self, name: str, unit: str, counts: Mapping[K, int], labels: tuple[str, ...]) -> None:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(count, dict(zip(labels, (key,) if isinstance(key, str) else key, strict=True)))
                for key, count in counts.items()
            ]

        self._meter.create_observable_counter(f"chargebus.edge.{name}", [observe], unit)
