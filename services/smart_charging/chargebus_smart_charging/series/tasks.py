"""What time does with series."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_smart_charging.series.operations import GridSeries


def tasks(series: GridSeries, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(forget_every_s, "forgetting what the grid was once like", series.forget),)
