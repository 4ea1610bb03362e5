"""What time does with stations."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.stations.operations import Stations


def tasks(stations: Stations, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(forget_every_s, "forgetting stations that are not heard any more", stations.forget_unheard),)
