"""Metrics of the service, through OpenTelemetry.

| name | unit | what |
|---|---|---|
| chargebus.session.judgements | {judgement} | tokens judged, by `status` |
| chargebus.session.events | {event} | new events of transactions, by `kind` (Started, Updated, Ended) |
| chargebus.session.duplicates | {event} | events that came again and got their first answer |
| chargebus.session.contradictions | {event} | of those, the ones that were not what came first |
| chargebus.session.flags | {session} | marks that sessions got, by `flag` (meter_went_back, …) |
| chargebus.session.refused | {frame} | frames answered with an error, by `code` |
| chargebus.session.intents | {intent} | remote starts and stops that ended, by `outcome` and the station's `status` |
"""

from collections import Counter

from opentelemetry import metrics

from chargebus_session.domain.desk import Desk


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = metrics.get_meter("chargebus.session")
        self.judgements = meter.create_counter("chargebus.session.judgements", "{judgement}")
        self.events = meter.create_counter("chargebus.session.events", "{event}")
        self.duplicates = meter.create_counter("chargebus.session.duplicates", "{event}")
        self.contradictions = meter.create_counter("chargebus.session.contradictions", "{event}")
        self.flags = meter.create_counter("chargebus.session.flags", "{session}")
        self.refused = meter.create_counter("chargebus.session.refused", "{frame}")
        self.intents = meter.create_counter("chargebus.session.intents", "{intent}")

    def decided(self, desk: Desk) -> None:
        """Count what a batch decided."""
        for status, count in Counter(judgement.status for judgement in desk.judged).items():
            self.judgements.add(count, {"status": status})
        for kind, count in Counter(each.event.kind for each in desk.recorded).items():
            self.events.add(count, {"kind": kind})
        if desk.duplicates:
            self.duplicates.add(desk.duplicates)
            self.contradictions.add(len(desk.contradictions))
