"""What time does with alerts."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_notification.alerts.operations.judging import Judging
from chargebus_notification.alerts.operations.looking import Alerts

_GROUPS_EVERY_S: Final = 2.0
_SILENCES_EVERY_S: Final = 3.0
_COUNTED_EVERY_S: Final = 15.0


def tasks(judging: Judging, alerts: Alerts, judge_every_s: float, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(judge_every_s, "judging stations", judging.sweep),
        every(_GROUPS_EVERY_S, "looking at groups of alerts", judging.look_at_groups),
        every(_SILENCES_EVERY_S, "silencing alerts", alerts.silence),
        every(_COUNTED_EVERY_S, "counting alerts", alerts.count),
        every(forget_every_s, "forgetting old alerts", alerts.forget),
    )
