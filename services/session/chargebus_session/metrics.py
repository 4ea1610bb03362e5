"""Metrics of the service, through OpenTelemetry.

| name | unit | what |
|---|---|---|
| chargebus.session.judgements | {judgement} | tokens judged, by `status` |
| chargebus.session.events | {event} | new events of transactions, by `kind` (Started, Updated, Ended) |
| chargebus.session.duplicates | {event} | events that came again and got their first answer |
| chargebus.session.contradictions | {event} | new events that had the number and kind of another one |
| chargebus.session.flags | {session} | marks that sessions got, by `flag` (meter_went_back, …) |
| chargebus.session.reservations | {reservation} | reservations that came to a `state` (asked, reserved, used, …) |
"""

from collections import Counter
from collections.abc import Iterable

from opentelemetry import metrics


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = metrics.get_meter("chargebus.session")
        self.judgements = meter.create_counter("chargebus.session.judgements", "{judgement}")
        self.events = meter.create_counter("chargebus.session.events", "{event}")
        self.duplicates = meter.create_counter("chargebus.session.duplicates", "{event}")
        self.contradictions = meter.create_counter("chargebus.session.contradictions", "{event}")
        self.flags = meter.create_counter("chargebus.session.flags", "{session}")
        self.reservations = meter.create_counter("chargebus.session.reservations", "{reservation}")

    def judged(self, statuses: Iterable[str]) -> None:
        """Count what tokens were told."""
        for status, count in Counter(statuses).items():
            self.judgements.add(count, {"status": status})

    def recorded(self, kinds: Iterable[str]) -> None:
        """Count new events."""
        for kind, count in Counter(kinds).items():
            self.events.add(count, {"kind": kind})

    def reserved(self, states: Iterable[str]) -> None:
        """Count the states that reservations came to."""
        for state, count in Counter(states).items():
            self.reservations.add(count, {"state": state})
