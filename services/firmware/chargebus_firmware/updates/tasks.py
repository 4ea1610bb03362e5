"""What time does with updates."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.updates.operations import Updates

_PRUNE_EVERY_S: Final = 60.0
_COUNT_EVERY_S: Final = 10.0


def tasks(updates: Updates, sweep_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(sweep_every_s, "following firmware updates", updates.sweep),
        every(_PRUNE_EVERY_S, "pruning firmware updates", updates.prune),
        every(_COUNT_EVERY_S, "counting firmware updates", updates.count),
    )
