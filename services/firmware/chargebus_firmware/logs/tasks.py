"""What time does to logs."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.logs.operations.keeping import Keeping


def tasks(keeping: Keeping, look_every_s: float, expire_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(look_every_s, "giving up logs", keeping.give_up),
        every(expire_every_s, "deleting logs that were kept for their time", keeping.expire),
    )
