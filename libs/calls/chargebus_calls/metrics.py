"""Metrics of stations' calls, through OpenTelemetry.

| name | unit | what |
|---|---|---|
| chargebus.calls.refused | {call} | calls answered with a CALLERROR, by `code` |
| chargebus.calls.unusable | {call} | calls that nobody waits for and that say what cannot be |
| chargebus.calls.kept | {call} | refused calls about transactions that were parked with their text |

All also by `service`, `version` and `action`.
"""

from chargebus_events.frames import Frame
from opentelemetry import metrics


class Metrics:
    """The instruments of the table above, for one service."""

    def __init__(self, service: str) -> None:
        meter = metrics.get_meter("chargebus.calls")
        self._service = service
        self.refused = meter.create_counter("chargebus.calls.refused", "{call}")
        self.kept = meter.create_counter("chargebus.calls.kept", "{call}")
        self.unusable = meter.create_counter("chargebus.calls.unusable", "{call}")

    def about(self, frame: Frame) -> dict[str, str]:
        """Return the attributes of a call."""
        return {"service": self._service, "action": frame.action, "version": frame.version}
