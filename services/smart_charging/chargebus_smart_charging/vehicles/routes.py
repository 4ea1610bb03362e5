"""The table: which calls are taken, how each is read, and which block decides it."""

from typing import Final

from chargebus_calls import Fixed, Routes, Row

from chargebus_smart_charging.vehicles import v21, v201
from chargebus_smart_charging.vehicles.block import Needs

# What the vehicle makes of its profile is taken as it says it: it cannot draw more than its station lets it.
_SCHEDULED: Final = Fixed(b'{"status":"Accepted"}')

ROUTES: Final[Routes] = {
    ("2.0.1", "NotifyEVChargingNeeds"): Row(v201.charging_needs, Needs, v201.needs_status),
    ("2.0.1", "NotifyEVChargingSchedule"): _SCHEDULED,
    ("2.1", "NotifyEVChargingNeeds"): Row(v21.charging_needs, Needs, v21.needs_status),
    ("2.1", "NotifyEVChargingSchedule"): _SCHEDULED,
    ("2.1", "NotifyPriorityCharging"): Row(v21.priority_charging, Needs),
}
