"""The table: which calls are taken, how each is read, and which block decides it."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_smart_charging.vehicles.block import Needs
from chargebus_smart_charging.vehicles.domain.needs import ChargingNeeds
from chargebus_smart_charging.vehicles.v201 import charging_needs, needs_status

_NEEDS: Final[Row[ChargingNeeds, str]] = Row(charging_needs, Needs, needs_status)

ROUTES: Final[Routes] = {
    ("2.0.1", "NotifyEVChargingNeeds"): _NEEDS,
    ("2.1", "NotifyEVChargingNeeds"): _NEEDS,
}
