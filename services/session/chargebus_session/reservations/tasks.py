"""What time does with reservations."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_session.reservations.operations import Reservations

LOOK_EVERY_S: Final = 1.0


def tasks(reservations: Reservations) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(LOOK_EVERY_S, "looking after reservations", reservations.sweep),)
