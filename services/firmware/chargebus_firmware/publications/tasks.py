"""What time does with publications."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.publications.operations import Publications

_PRUNE_EVERY_S: Final = 60.0


def tasks(publications: Publications, sweep_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(sweep_every_s, "following publications of firmware", publications.sweep),
        every(_PRUNE_EVERY_S, "pruning publications of firmware", publications.prune),
    )
