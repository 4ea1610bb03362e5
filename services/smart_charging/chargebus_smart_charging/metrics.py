"""What smart-charging measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.smart_charging.heard | {message} | messages of stations that were heard |
| chargebus.smart_charging.forgotten | {station} | stations that are not kept any more |
"""

from opentelemetry.metrics import get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.smart_charging")
        self.heard = meter.create_counter("chargebus.smart_charging.heard", "{message}")
        self.forgotten = meter.create_counter("chargebus.smart_charging.forgotten", "{station}")
