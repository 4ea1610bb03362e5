"""What metering measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.metering.readings | {reading} | readings stored and published, each once |
| chargebus.metering.duplicates | {reading} | readings that were known already |
| chargebus.metering.set_aside | {value} | values set aside, by `reason`: signed, not_a_number, no_place, no_phase |

A batch that is rolled back and tried again is counted again.
"""

from collections import Counter
from collections.abc import Iterable

from chargebus_events.public import MeterReadings
from opentelemetry.metrics import get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.metering")
        self._readings = meter.create_counter("chargebus.metering.readings", "{reading}")
        self._duplicates = meter.create_counter("chargebus.metering.duplicates", "{reading}")
        self._set_aside = meter.create_counter("chargebus.metering.set_aside", "{value}")

    def count(
        self, told: Iterable[MeterReadings], new: Iterable[MeterReadings], set_aside: Counter[tuple[str, str]]
    ) -> None:
        """Count a batch: what stations told, what of it was new, what was set aside by (station, reason)."""
        all_readings, new_readings = (sum(len(message.readings) for message in messages) for messages in (told, new))
        self._readings.add(new_readings)
        self._duplicates.add(all_readings - new_readings)
        for (_, reason), count in set_aside.items():
            self._set_aside.add(count, {"reason": reason})
