"""What notification measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.notification.forgotten | {station} | stations that are not kept any more |
| chargebus.notification.events | {event} | events that stations told, by the `type` of the public event |
| chargebus.notification.events.repeated | {event} | those that were known already, by `type` |
| chargebus.notification.judged | {station} | stations that rules looked at |
| chargebus.notification.alerts | {alert} | alerts by `change` (opened, damped, counted, resolved, told) and `rule` |
| chargebus.notification.grouped | {alert} | alerts that did not open, as one stands for them |
| chargebus.notification.open_alerts | {alert} | alerts that are not resolved, by `severity`; every copy reports all |
| chargebus.notification.display.asked | {command} | what stations were asked about messages, by `order` (tell, clear) |
| chargebus.notification.display.ended | {command} | how that ended (accepted, refused, unsupported, unknown, away) |
| chargebus.notification.display.reports | {report} | reports of messages, by `state` (complete, incomplete, not ours) |
| chargebus.notification.customer.parts | {part} | parts that stations told, by `state` (kept, not ours, unreadable) |
| chargebus.notification.delivered | {alert} | changes of alerts that reached a receiver, by `channel` |
| chargebus.notification.attempts | s | how long attempts took, by `channel` and `outcome`: delivered, failed, gone |
| chargebus.notification.waiting_age | s | how long the delivery waits that could have gone out first |
| chargebus.notification.parked | {subscription} | subscriptions whose receivers are given up |
"""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

_SEVERITIES: Final = ("info", "warning", "critical")


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.notification")
        self.forgotten = meter.create_counter("chargebus.notification.forgotten", "{station}")
        self._events = meter.create_counter("chargebus.notification.events", "{event}")
        self._display_asked = meter.create_counter("chargebus.notification.display.asked", "{command}")
        self._display_ended = meter.create_counter("chargebus.notification.display.ended", "{command}")
        self._display_reports = meter.create_counter("chargebus.notification.display.reports", "{report}")
        self._customer_parts = meter.create_counter("chargebus.notification.customer.parts", "{part}")
        self._events_repeated = meter.create_counter("chargebus.notification.events.repeated", "{event}")
        self.judged = meter.create_counter("chargebus.notification.judged", "{station}")
        self.grouped = meter.create_counter("chargebus.notification.grouped", "{alert}")
        self._alerts = meter.create_counter("chargebus.notification.alerts", "{alert}")
        self._open: Mapping[str, int] = {}
        meter.create_observable_gauge("chargebus.notification.open_alerts", [self._observe_open], "{alert}")
        self._delivered = meter.create_counter("chargebus.notification.delivered", "{alert}")
        self._attempts = meter.create_histogram("chargebus.notification.attempts", "s")
        self._waiting_age = meter.create_gauge("chargebus.notification.waiting_age", "s")
        self._parked = meter.create_gauge("chargebus.notification.parked", "{subscription}")

    def events(self, kind: str, told: int, repeated: int) -> None:
        """Count events that stations told, and how many of these were known already."""
        self._events.add(told, {"type": kind})
        self._events_repeated.add(repeated, {"type": kind})

    def changed(self, change: str, rule_id: str) -> None:
        """Count what became of an alert."""
        self._alerts.add(1, {"change": change, "rule": rule_id})

    def count_open(self, by_severity: Mapping[str, int]) -> None:
        """Note how many alerts are open, for the gauge."""
        self._open = by_severity

    def _observe_open(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._open.get(severity, 0), {"severity": severity}) for severity in _SEVERITIES]

    def display_asked(self, order: str) -> None:
        """Count that a station was told a message, or to clear one."""
        self._display_asked.add(1, {"order": order})

    def display_ended(self, kind: str) -> None:
        """Count how that ended."""
        self._display_ended.add(1, {"kind": kind})

    def display_report(self, state: str) -> None:
        """Count a report of a station's messages."""
        self._display_reports.add(1, {"state": state})

    def customer_part(self, state: str) -> None:
        """Count a part of what a station told of a customer."""
        self._customer_parts.add(1, {"state": state})

    def delivered(self, channel: str, alerts: int) -> None:
        """Count changes of alerts that a receiver has."""
        self._delivered.add(alerts, {"channel": channel})

    def attempted(self, channel: str, outcome: str, seconds: float) -> None:
        """Note what came of an attempt to deliver."""
        self._attempts.record(seconds, {"channel": channel, "outcome": outcome})

    def waiting(self, age_s: float, parked: int) -> None:
        """Tell how long deliveries wait, and how many receivers are given up."""
        self._waiting_age.set(age_s)
        self._parked.set(parked)
