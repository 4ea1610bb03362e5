"""OCPP 2.0.1: what vehicles need, as their stations tell it; 2.1 is read the same way, but for what `v21` adds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_smart_charging.vehicles.domain.needs import Answer, ChargingNeeds, EvNeeds

_PHASES: Final[Mapping[str, int]] = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3}
_STATUS: Final[Mapping[Answer, str]] = {"planned": "Accepted", "unplanned": "Rejected", "not offered": "Rejected"}
_FULL: Final = 100.0
_LARGEST_ID: Final = 2**31 - 1


class AcParameters(Payload, frozen=True):
    """What a vehicle needs of alternating current."""

    energy_amount: float | None = None
    ev_min_current: float | None = None
    ev_max_current: float | None = None


class DcParameters(Payload, frozen=True):
    """What a vehicle needs of direct current."""

    energy_amount: float | None = None
    ev_max_power: float | None = None
    ev_max_current: float | None = None
    ev_max_voltage: float | None = None
    ev_energy_capacity: float | None = None
    state_of_charge: float | None = None
    full_so_c: float | None = None


class NeedsPayload(Payload, frozen=True):
    """What a vehicle needs."""

    requested_energy_transfer: str = ""
    departure_time: datetime | None = None
    ac_charging_parameters: AcParameters = AcParameters()
    dc_charging_parameters: DcParameters | None = None


class _NotifyEVChargingNeeds(Payload, frozen=True):
    evse_id: int
    charging_needs: NeedsPayload


_read: Final = reader(_NotifyEVChargingNeeds)


def charging_needs(frame: Frame) -> ChargingNeeds:
    """Read NotifyEVChargingNeeds.

    Spec: OCPP 2.0.1 K15.FR.01, K15.FR.02
    """
    said = _read(frame.payload)
    return ChargingNeeds(frame.station_id, evse(said.evse_id), ev_needs(said.charging_needs, frame.received_at))


def ev_needs(said: NeedsPayload, received_at: datetime) -> EvNeeds:
    """Return what a vehicle needs; a departure that is past already, and amounts below 0, are none."""
    departs_at = said.departure_time
    if departs_at is not None and (departs_at.tzinfo is None or departs_at <= received_at):
        departs_at = None
    if said.dc_charging_parameters is not None:
        dc = said.dc_charging_parameters
        return EvNeeds(received_at, _amount(_dc_energy(dc)), departs_at, max_w=_amount(_dc_power(dc)))
    ac = said.ac_charging_parameters
    return EvNeeds(
        received_at,
        _amount(ac.energy_amount),
        departs_at,
        min_a=_amount(ac.ev_min_current),
        max_a=_amount(ac.ev_max_current),
        phases=_PHASES.get(said.requested_energy_transfer),
    )


def evse(evse_id: int) -> int:
    """Return the number of an EVSE.

    Raises:
        UnusableCallError: there can be none of that number.
    """
    if not 0 < evse_id <= _LARGEST_ID:
        raise UnusableCallError(f"there is no EVSE {evse_id}")
    return evse_id


def needs_status(_request: ChargingNeeds, answer: Answer) -> dict[str, object]:
    """Answer NotifyEVChargingNeeds: a profile follows, or there is none.

    Spec: OCPP 2.0.1 K15.FR.04, K15.FR.06
    """
    return {"status": _STATUS[answer]}


def _dc_energy(dc: DcParameters) -> float | None:
    if dc.energy_amount is not None:
        return dc.energy_amount
    if dc.ev_energy_capacity is None or dc.state_of_charge is None:
        return None
    return dc.ev_energy_capacity * ((dc.full_so_c or _FULL) - dc.state_of_charge) / 100


def _dc_power(dc: DcParameters) -> float | None:
    if dc.ev_max_power is not None:
        return dc.ev_max_power
    if dc.ev_max_current is None or dc.ev_max_voltage is None:
        return None
    return dc.ev_max_current * dc.ev_max_voltage


def _amount(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
