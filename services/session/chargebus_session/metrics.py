"""Metrics of the service, through OpenTelemetry.

| name | unit | what |
|---|---|---|
| chargebus.session.judgements | {judgement} | tokens judged, by `status` |
| chargebus.session.events | {event} | new events of transactions, by `kind` (Started, Updated, Ended) |
| chargebus.session.duplicates | {event} | events that came again and got their first answer |
| chargebus.session.contradictions | {event} | of those, the ones that were not what came first |
| chargebus.session.flags | {session} | marks that sessions got, by `flag` (meter_went_back, …) |
| chargebus.session.intents | {intent} | remote starts and stops that ended, by `outcome` and the station's `status` |
"""

from collections import Counter
from collections.abc import Iterable

from opentelemetry import metrics

from chargebus_session.tokens.domain import Judgement
from chargebus_session.transactions.domain.state import TransactionState


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = metrics.get_meter("chargebus.session")
        self.judgements = meter.create_counter("chargebus.session.judgements", "{judgement}")
        self.events = meter.create_counter("chargebus.session.events", "{event}")
        self.duplicates = meter.create_counter("chargebus.session.duplicates", "{event}")
        self.contradictions = meter.create_counter("chargebus.session.contradictions", "{event}")
        self.flags = meter.create_counter("chargebus.session.flags", "{session}")
        self.intents = meter.create_counter("chargebus.session.intents", "{intent}")

    def judged(self, judgements: Iterable[Judgement]) -> None:
        """Count what tokens were told."""
        for status, count in Counter(judgement.status for judgement in judgements).items():
            self.judgements.add(count, {"status": status})

    def decided(self, state: TransactionState) -> None:
        """Count what a batch decided."""
        self.judged(state.judged)
        for kind, count in Counter(each.event.kind for each in state.recorded).items():
            self.events.add(count, {"kind": kind})
        if state.duplicates:
            self.duplicates.add(state.duplicates)
            self.contradictions.add(len(state.contradictions))
