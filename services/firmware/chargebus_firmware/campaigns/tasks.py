"""What time does with campaigns: those that are due are looked at."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.campaigns.operations import Campaigns

_LOOKS_EVERY_S: Final = 0.5


def tasks(campaigns: Campaigns, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(_LOOKS_EVERY_S, "looking at campaigns", campaigns.look),
        every(forget_every_s, "forgetting campaigns that ended long ago", campaigns.forget),
    )
