"""What time does with certificates."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.inventory.operations import Inventory

_EVERY_S: Final = 30.0


def tasks(inventory: Inventory) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(_EVERY_S, "telling of certificates that run out", inventory.tell_expiring),)
