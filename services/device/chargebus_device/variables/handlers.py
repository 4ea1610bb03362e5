"""Kafka in, beside what a block decides: who has booted has its variables read; after the boot itself was decided."""

from collections.abc import Sequence
from typing import Final

from chargebus_commanding import InBatch
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.variables.operations.reading import Reading

_BOOT: Final = b"BootNotification"


class Booted:
    """Hears of boots."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def hear(self, batch: Batch, frames: Sequence[Received]) -> None:
        """Take the boots among the frames of a batch."""
        boots = [record for record in frames if record.headers.get("ocpp_action") == _BOOT]
        if boots:
            await self._reading.booted(InBatch(batch, boots[-1]), {record.key for record in boots})
