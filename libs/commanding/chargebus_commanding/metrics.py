"""Metrics of the commands that a service asks for, through OpenTelemetry.

| name | unit | what |
|---|---|---|
| chargebus.commanding.outcomes | {command} | commands that ended, by `intent`, `outcome` and the station's `status` |
| chargebus.commanding.given_up | {command} | commands of which nothing was heard in time, by `intent` |
| chargebus.commanding.stray_outcomes | {record} | outcomes of commands that are not known or had ended |

All also by `service`.
"""

from collections.abc import Iterable

from opentelemetry import metrics

from chargebus_commanding.outcomes import Outcome


class Metrics:
    """The instruments of the table above, for one service."""

    def __init__(self, service: str) -> None:
        meter = metrics.get_meter("chargebus.commanding")
        self._service = {"service": service}
        self._outcomes = meter.create_counter("chargebus.commanding.outcomes", "{command}")
        self._given_up = meter.create_counter("chargebus.commanding.given_up", "{command}")
        self._stray = meter.create_counter("chargebus.commanding.stray_outcomes", "{record}")

    def ended(self, outcomes: Iterable[Outcome]) -> None:
        """Count ends."""
        for each in outcomes:
            about = {"intent": each.intent, "outcome": each.name, "status": each.status[:50]}
            self._outcomes.add(1, self._service | about)

    def given_up(self, outcomes: Iterable[Outcome]) -> None:
        """Count those that were given up."""
        for each in outcomes:
            self._given_up.add(1, self._service | {"intent": each.intent})

    def stray(self, count: int) -> None:
        """Count outcomes that changed nothing."""
        if count:
            self._stray.add(count, self._service)
