"""What time does in delivery: messages go out, the log is shortened, secrets are sealed with the newest key."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_notification.delivery.operations.log import DeliveryLog
from chargebus_notification.delivery.operations.sending import Sending

_MEASURE_EVERY_S: Final = 15.0
_SEAL_EVERY_S: Final = 600.0


def tasks(sending: Sending, log: DeliveryLog, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        sending.run,
        every(forget_every_s, "forgetting old deliveries", log.forget),
        every(_MEASURE_EVERY_S, "measuring deliveries", log.measure),
        every(_SEAL_EVERY_S, "sealing secrets anew", log.reseal),
    )
