"""What time does with configurations."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_device.configurations.operations.following import Following

_LOOK_EVERY_S: Final = 1.0
_NOTICE_EVERY_S: Final = 5.0


def tasks(following: Following) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(_LOOK_EVERY_S, "configuring stations", following.look),
        every(_NOTICE_EVERY_S, "looking for stations to configure", following.notice),
    )
