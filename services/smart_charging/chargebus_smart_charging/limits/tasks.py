"""What time does with limits."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_smart_charging.limits.operations import Limits


def tasks(limits: Limits, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(forget_every_s, "forgetting limits that are gone", limits.forget),)
