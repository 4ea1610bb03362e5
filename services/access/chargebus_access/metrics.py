"""The metrics of the access service.

| name | unit | what |
|---|---|---|
| chargebus.access.created | {key} | API keys created, by `role` |
| chargebus.access.revoked | {key} | API keys revoked, by `role` |
| chargebus.access.repairs | {record} | records that the topic of keys lacked or had wrong |
"""

from opentelemetry.metrics import get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.access")
        self.created = meter.create_counter("chargebus.access.created", "{key}")
        self.revoked = meter.create_counter("chargebus.access.revoked", "{key}")
        self.repairs = meter.create_counter("chargebus.access.repairs", "{record}")
