"""What smart-charging measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.smart_charging.told | {message} | sites, limits, readings, series told: `what`, `by` whom, its `result` |
"""

from opentelemetry.metrics import get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.smart_charging")
        self._told = meter.create_counter("chargebus.smart_charging.told", "{message}")

    def count(self, what: str, by: str, result: str, times: int = 1) -> None:
        """Count what somebody told, and what became of it."""
        if times:
            self._told.add(times, {"what": what, "by": by, "result": result})
