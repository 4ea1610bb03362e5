"""Kafka in, beside what a block decides: stations that booted are compared anew; after the boot was decided."""

from collections.abc import Sequence
from typing import Final

from chargebus_commanding import InBatch
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.configurations.operations.following import Following

_BOOT: Final = b"BootNotification"


class Booted:
    """Hears of boots."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def hear(self, batch: Batch, frames: Sequence[Received]) -> None:
        """Take the boots among the frames of a batch."""
        boots = [record for record in frames if record.headers.get("ocpp_action") == _BOOT]
        if boots:
            await self._following.booted(InBatch(batch, boots[-1]), {record.key for record in boots})
