"""OCPP 2.0.1 and 2.1: what vehicles need, as their stations tell it."""

from datetime import datetime
from typing import Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_smart_charging.vehicles.domain.needs import ChargingNeeds


class _AcParameters(Payload, frozen=True):
    energy_amount: float | None = None


class _ChargingNeeds(Payload, frozen=True):
    departure_time: datetime | None = None
    ac_charging_parameters: _AcParameters = _AcParameters()


class _NotifyEVChargingNeeds(Payload, frozen=True):
    evse_id: int
    charging_needs: _ChargingNeeds


_read: Final = reader(_NotifyEVChargingNeeds)


def charging_needs(frame: Frame) -> ChargingNeeds:
    """Read NotifyEVChargingNeeds. Spec: OCPP 2.0.1 K15.FR.01."""
    said = _read(frame.payload)
    needs = said.charging_needs
    return ChargingNeeds(
        frame.station_id, said.evse_id, needs.departure_time, needs.ac_charging_parameters.energy_amount
    )


def needs_status(_needs: ChargingNeeds, status: str) -> dict[str, object]:
    """Return NotifyEVChargingNeeds' answer. Spec: OCPP 2.0.1 K15.FR.04, FR.05."""
    return {"status": status}
