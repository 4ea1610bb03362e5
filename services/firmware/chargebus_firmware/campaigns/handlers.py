"""Kafka in: what is heard of stations may let a campaign go on."""

from collections.abc import Sequence
from typing import Final

from chargebus_events.public import (
    CONNECTOR_STATUS,
    SESSION_ENDED,
    STATION_BOOTED,
    STATION_CONNECTION,
    STATION_DESCRIBED,
)
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_firmware.campaigns.store import due

_NEWS: Final = {CONNECTOR_STATUS, SESSION_ENDED, STATION_BOOTED, STATION_CONNECTION, STATION_DESCRIBED}


async def hear(batch: Batch, records: Sequence[Received]) -> None:
    """Have campaigns look at stations that something was heard of; after those have taken it that keep it."""
    due.mark_heard(batch, {record.key for record in records if record.type in _NEWS})
