"""OCPP 2.1: what it adds to 2.0.1 in what vehicles need."""

from collections.abc import Mapping
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_smart_charging.vehicles.domain.needs import Answer, ChargingNeeds, PriorityCharging
from chargebus_smart_charging.vehicles.v201 import NeedsPayload, ev_needs, evse

# The CSMS offers no others: it answers Authorize without `allowedEnergyTransfer`.
_OFFERED: Final = frozenset({"AC_single_phase", "AC_two_phase", "AC_three_phase", "DC", "DC_ACDP", "WPT"})
_STATUS: Final[Mapping[Answer, str]] = {
    "planned": "Accepted",
    "unplanned": "NoChargingProfile",
    "not offered": "Rejected",
}


class _V2xParameters(Payload, frozen=True):
    ev_target_energy_request: float | None = None
    max_charge_power: float | None = None


class _Needs(NeedsPayload, frozen=True):
    v2x_charging_parameters: _V2xParameters = _V2xParameters()


class _NotifyEVChargingNeeds(Payload, frozen=True):
    evse_id: int
    charging_needs: _Needs


class _NotifyPriorityCharging(Payload, frozen=True):
    transaction_id: str
    activated: bool


_read: Final = reader(_NotifyEVChargingNeeds)
_read_priority: Final = reader(_NotifyPriorityCharging)


def charging_needs(frame: Frame) -> ChargingNeeds:
    """Read NotifyEVChargingNeeds; an energy transfer that was not offered is told.

    Spec: OCPP 2.1 K15.FR.01, Q01.FR.04
    """
    said = _read(frame.payload)
    needs = ev_needs(said.charging_needs, frame.received_at)
    v2x = said.charging_needs.v2x_charging_parameters
    needs = msgspec.structs.replace(
        needs,
        energy_wh=needs.energy_wh or _positive(v2x.ev_target_energy_request),
        max_w=needs.max_w or _positive(v2x.max_charge_power),
    )
    offered = said.charging_needs.requested_energy_transfer in _OFFERED
    return ChargingNeeds(frame.station_id, evse(said.evse_id), needs, offered)


def needs_status(_request: ChargingNeeds, answer: Answer) -> dict[str, object]:
    """Answer NotifyEVChargingNeeds: a profile follows, there is none, or what is wanted was not offered.

    Spec: OCPP 2.1 K15.FR.04, Q01.FR.04
    """
    return {"status": _STATUS[answer]}


def priority_charging(frame: Frame) -> PriorityCharging:
    """Read NotifyPriorityCharging.

    Spec: OCPP 2.1 K22.FR.02
    """
    said = _read_priority(frame.payload)
    return PriorityCharging(frame.station_id, clean(said.transaction_id), said.activated)


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
