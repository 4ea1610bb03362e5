"""What time does with campaigns and their stations."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.credentials.operations.campaigns import Campaigns
from chargebus_security.credentials.operations.working import Working

LOOK_EVERY_S: Final = 0.5
_FORGET_EVERY_S: Final = 600.0


def tasks(working: Working, campaigns: Campaigns) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(LOOK_EVERY_S, "beginning with credentials of stations", working.look),
        every(LOOK_EVERY_S, "going on with credentials of stations", working.go_on),
        every(_FORGET_EVERY_S, "forgetting campaigns that ended long ago", campaigns.forget),
    )
