"""The table: which calls are taken, how each is read, and which block decides it."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_smart_charging.limits.block import Hearings
from chargebus_smart_charging.limits.domain.hearing import Hearing
from chargebus_smart_charging.limits.payload import hearing

_HEARD: Final[Row[Hearing, None]] = Row(hearing, Hearings)

ROUTES: Final[Routes] = {
    ("2.0.1", "ClearedChargingLimit"): _HEARD,
    ("2.1", "ClearedChargingLimit"): _HEARD,
}
