"""The metrics of the command service.

| name | unit | what |
|---|---|---|
| chargebus.command.ended | {command} | commands that ended, by `action` and `outcome` |
| chargebus.command.duration | s | from the request to the outcome, by `outcome` |
| chargebus.command.open | {command} | commands that have not ended, by `state` (queued, sent); every copy reports all |
| chargebus.command.stray_deliveries | {record} | reports of edges that concerned no command in flight |
| chargebus.command.repeated_requests | {record} | requests whose command id was known already |

A batch that is tried again may count what it counted before.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from chargebus_ocppj.actions import lookup
from chargebus_ocppj.versions import VERSIONS
from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from chargebus_command.domain.decision import Decision


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.command")
        self.repeated_requests = meter.create_counter("chargebus.command.repeated_requests", "{record}")
        self._ended = meter.create_counter("chargebus.command.ended", "{command}")
        self._duration = meter.create_histogram("chargebus.command.duration", "s")
        self._stray_deliveries = meter.create_counter("chargebus.command.stray_deliveries", "{record}")
        self._open: Mapping[str, int] = {}
        meter.create_observable_gauge("chargebus.command.open", [self._observe_open], "{command}")

    def count(self, decision: Decision) -> None:
        """Count what a decision ended and what it could not place."""
        if decision.ignored:
            self._stray_deliveries.add(decision.ignored)
        for ended in decision.ended:
            self._ended.add(1, {"action": _known(ended.command.form.action), "outcome": ended.outcome})
            duration = ended.ended_at - ended.command.requested_at
            self._duration.record(max(duration.total_seconds(), 0.0), {"outcome": ended.outcome})

    def count_open(self, by_state: Mapping[str, int]) -> None:
        """Note how many commands are open, for the gauge."""
        self._open = by_state

    def _observe_open(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._open.get(state, 0), {"state": state}) for state in ("queued", "sent")]


@lru_cache(maxsize=256)
def _known(action: str) -> str:
    """Return an action's name: anybody may ask for one that no version has; it must not become a series of its own."""
    return action if any(lookup(version, action, "csms") is not None for version in VERSIONS) else "unknown"
