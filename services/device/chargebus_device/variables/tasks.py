"""What time does with variables."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_device.variables.operations.reading import Reading
from chargebus_device.variables.operations.requests import Requests

_ASK_EVERY_S: Final = 1.0
_PRUNE_EVERY_S: Final = 600.0


def tasks(asking: Requests, reading: Reading) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        asking.wait_for_calls,
        every(_ASK_EVERY_S, "asking about variables", asking.sweep),
        every(_ASK_EVERY_S, "reading stations", reading.sweep),
        every(_PRUNE_EVERY_S, "dropping what was asked about variables", reading.prune),
    )
