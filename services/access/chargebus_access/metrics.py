"""The metrics of the access service.

| name | unit | what |
|---|---|---|
| chargebus.access.keys.created | {key} | API keys made over HTTP, by role |
| chargebus.access.keys.revoked | {key} | API keys taken away over HTTP, by role |
| chargebus.access.repairs | {key} | keys of which the topic said something else than the database |
"""

from opentelemetry import metrics


class AccessMetrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = metrics.get_meter("chargebus.access")
        self.created = meter.create_counter("chargebus.access.keys.created", "{key}")
        self.revoked = meter.create_counter("chargebus.access.keys.revoked", "{key}")
        self.repairs = meter.create_counter("chargebus.access.repairs", "{key}")
