"""What time does with roots on stations."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.trust.operations.repairing import Repairing

_REPAIR_EVERY_S: Final = 1.0
_FORGET_EVERY_S: Final = 60.0


def tasks(repairing: Repairing) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(_REPAIR_EVERY_S, "repairing roots on stations", repairing.repair),
        every(_FORGET_EVERY_S, "forgetting what stations had", repairing.forget),
    )
