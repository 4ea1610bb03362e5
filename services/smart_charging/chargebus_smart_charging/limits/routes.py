"""The table: which calls are taken, how each is read, and which block decides it."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_smart_charging.limits import v21, v201
from chargebus_smart_charging.limits.block import NotifiedLimits
from chargebus_smart_charging.limits.domain.notified import Said

_CLEARED: Final[Row[Said, None]] = Row(v201.cleared, NotifiedLimits)
_NOTIFIED: Final[Row[Said, None]] = Row(v201.notified, NotifiedLimits)
_NOTIFIED_V21: Final[Row[Said, None]] = Row(v21.notified, NotifiedLimits)

ROUTES: Final[Routes] = {
    ("2.0.1", "ClearedChargingLimit"): _CLEARED,
    ("2.0.1", "NotifyChargingLimit"): _NOTIFIED,
    ("2.1", "ClearedChargingLimit"): _CLEARED,
    ("2.1", "NotifyChargingLimit"): _NOTIFIED_V21,
}
