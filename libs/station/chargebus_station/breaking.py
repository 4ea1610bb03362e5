"""Connectors that a simulated station breaks and repairs on request, by a vendor's message of its own (DataTransfer).

Real stations have nothing like it: it lets whoever tries out a CSMS see what that makes of a fault.
"""

from typing import Any, Final

from chargebus_station.commands import CommandDecider
from chargebus_station.effects import BreakConnector, Reply, status

VENDOR: Final = "chargebus.simulation"
_MESSAGES: Final = {"Break": True, "Repair": False}


def data_transfer(decider: CommandDecider, payload: dict[str, Any]) -> Reply:
    """Break or repair the connector of the EVSE that `data` names, or of the first; no other vendor is known.

    Spec: OCPP 1.6 5.6; OCPP 2.0.1 P01.FR.02
    """
    if payload["vendorId"] != VENDOR:
        return status("UnknownVendorId")
    broken = _MESSAGES.get(payload.get("messageId", ""))
    if broken is None:
        return status("UnknownMessageId")
    named = str(payload.get("data", "1"))
    evse = decider.state.evses.get(int(named)) if named.isascii() and named.isdigit() else None
    return status("Rejected") if evse is None else status("Accepted", BreakConnector(evse.id, broken=broken))
