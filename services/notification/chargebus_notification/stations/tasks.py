"""What time does in notification."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_notification.stations.operations import Operations


def tasks(operations: Operations, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(forget_every_s, "forgetting stations that are not heard of any more", operations.forget_unheard),)
