"""OCPP 2.0.1: how an EVSE is told what to do, and what a station says of itself in its device model."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.steering.domain.held import Order
from chargebus_smart_charging.steering.domain.pieces import MessageLimit, limit_of
from chargebus_smart_charging.steering.domain.profiles import Profile, profile_id, profile_of
from chargebus_smart_charging.steering.domain.reports import ProfileReport, ReportedProfile
from chargebus_smart_charging.steering.domain.said import Said
from chargebus_smart_charging.steering.domain.steered import Steerable

Members = dict[str, object]

SOURCES: Final = ("EMS", "Other", "SO", "CSO")


class Variable(NamedTuple):
    """A variable of the device model; `evse_id` 0 is the station's."""

    component: str
    name: str
    instance: str = ""
    evse_id: int = 0


UNIT: Final = Variable("SmartChargingCtrlr", "RateUnit")
MAX_PERIODS: Final = Variable("SmartChargingCtrlr", "PeriodsPerSchedule")
MAX_STACK_LEVEL: Final = Variable("SmartChargingCtrlr", "ProfileStackLevel")
MAX_PROFILES: Final = Variable("SmartChargingCtrlr", "Entries", "ChargingProfiles")
SWITCHES_PHASES: Final = Variable("SmartChargingCtrlr", "ACPhaseSwitchingSupported")
MEASURANDS: Final = Variable("SampledDataCtrlr", "TxUpdatedMeasurands")
SUPPLY_PHASES: Final = Variable("ChargingStation", "SupplyPhases")
MAX_ITEMS: Final = Variable("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables")
MAX_BYTES: Final = Variable("DeviceDataCtrlr", "BytesPerMessage", "GetVariables")
_OF_STATION: Final = (UNIT, MAX_PERIODS, MAX_STACK_LEVEL, MAX_PROFILES, SWITCHES_PHASES, MEASURANDS, SUPPLY_PHASES)


# What it is told


def limit(order: Order, steerable: Steerable) -> Members:
    """Return SetChargingProfile for a limit or a default."""
    return set_profile(profile_of(order, steerable))


def set_profile(profile: Profile) -> Members:
    """Return SetChargingProfile for a profile.

    Spec: OCPP 2.0.1 K01.FR.03, K01.FR.16, K01.FR.31, K01.FR.40
    """
    return {"evseId": profile.evse_id, "chargingProfile": charging_profile(profile)}


def charging_profile(profile: Profile) -> Members:
    """Return a profile in its words; phaseToUse is never chosen for a station (K01.FR.20).

    Spec: OCPP 2.0.1 ChargingProfileType
    """
    return {
        "id": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": profile.purpose,
        "chargingProfileKind": "Relative" if profile.starts_at is None else "Absolute",
        "validTo": profile.ends_at,
        "chargingSchedule": [
            {
                "id": profile.profile_id,
                "startSchedule": profile.starts_at,
                "duration": profile.duration_s,
                "chargingRateUnit": profile.unit,
                "chargingSchedulePeriod": [
                    {"startPeriod": start_s, "limit": told, "numberPhases": profile.phases}
                    for start_s, told in profile.periods
                ],
            }
        ],
        "transactionId": profile.transaction_id or None,
    }


def clear(order: Order, steerable: Steerable) -> Members:
    """Return ClearChargingProfile for a profile of ours, by its id: nobody else's is touched.

    Spec: OCPP 2.0.1 K10.FR.03
    """
    return {"chargingProfileId": profile_id(steerable.evse.evse_id, order.rung)}


def composite_schedule(evse_id: int, duration_s: int, unit: str) -> Members:
    """Return GetCompositeSchedule. Spec: OCPP 2.0.1 K08.FR.02."""
    return {"duration": duration_s, "chargingRateUnit": unit, "evseId": evse_id}


def suspend(order: Order, _steerable: Steerable) -> Members:
    """Return RequestStopTransaction. Spec: OCPP 2.0.1 F03.FR.01."""
    return {"transactionId": order.transaction_id}


def resume(order: Order, steerable: Steerable) -> Members:
    """Return RequestStartTransaction for who charged last. Spec: OCPP 2.0.1 F01.FR.04."""
    id_token = {"idToken": order.id_token, "type": order.id_token_type or "Central"}
    return {"evseId": steerable.evse.evse_id, "idToken": id_token, "remoteStartId": order.number}


def disable(_order: Order, steerable: Steerable) -> Members:
    """Return ChangeAvailability. Spec: OCPP 2.0.1 G03.FR.01."""
    return {"evse": {"id": steerable.evse.evse_id}, "operationalStatus": "Inoperative"}


def enable(_order: Order, steerable: Steerable) -> Members:
    """Return ChangeAvailability. Spec: OCPP 2.0.1 G03.FR.01."""
    return {"evse": {"id": steerable.evse.evse_id}, "operationalStatus": "Operative"}


# What it says


def get_profiles(request_id: int) -> Members:
    """Return GetChargingProfiles for all that a station holds, whoever set it. Spec: OCPP 2.0.1 K09.FR.01."""
    return {"requestId": request_id, "chargingProfile": {"chargingLimitSource": list(SOURCES)}}


class _ReportChargingProfiles(Payload, frozen=True):
    request_id: int
    charging_limit_source: str
    evse_id: int
    charging_profile: tuple[msgspec.Raw, ...]
    tbc: bool = False


class _Reported(Payload, frozen=True):
    id: int
    stack_level: int
    charging_profile_purpose: str


_report: Final = reader(_ReportChargingProfiles)
_reported: Final = reader(_Reported)


def reported_profiles(frame: Frame) -> ProfileReport:
    """Read a part of a report of charging profiles.

    Spec: OCPP 2.0.1 K09.FR.03, ReportChargingProfilesRequest (tbc)
    """
    told = _report(frame.payload)
    profiles = []
    for raw in told.charging_profile:
        profile = _reported(bytes(raw))
        profiles.append(
            ReportedProfile(
                station_id=frame.station_id,
                request_id=told.request_id,
                evse_id=told.evse_id,
                profile_id=profile.id,
                source=told.charging_limit_source,
                purpose=profile.charging_profile_purpose,
                stack_level=profile.stack_level,
                profile=msgspec.json.decode(raw, type=dict[str, Any]),
                reported_at=frame.received_at,
            )
        )
    return ProfileReport(frame.station_id, told.request_id, tuple(profiles), is_last=not told.tbc)


def ask_habits(evse_ids: Iterable[int], more: Iterable[Variable] = ()) -> Members:
    """Return GetVariables of what says what a station can take, and how it and its EVSEs are built.

    Spec: OCPP 2.0.1 Part 2, appendix 3 (SmartChargingCtrlr, EVSE, Connector)
    """
    return get_variables([*_OF_STATION, *more, *_of_evses(evse_ids)])


def get_variables(variables: Iterable[Variable]) -> Members:
    """Return GetVariables of the actual values. Spec: OCPP 2.0.1 B06.FR.01."""
    return {
        "getVariableData": [
            {"component": _component(variable), "variable": _name(variable), "attributeType": attribute}
            for variable in variables
            for attribute in (("Actual", "MaxSet") if variable.name in _WITH_LARGEST else ("Actual",))
        ]
    }


def ask_limit() -> Members:
    """Return GetVariables of how much may be asked for at once.

    Spec: OCPP 2.0.1 B06.FR.16, B06.FR.17, Part 2, appendix 3 (DeviceDataCtrlr)
    """
    return get_variables([MAX_ITEMS, MAX_BYTES])


def limit_said(answer: Mapping[str, Any]) -> MessageLimit:
    """Return how much a station takes at once, as it says."""
    values = dict(values_of(answer.get("getVariableResult")))
    return limit_of(_whole(values.get(MAX_ITEMS)), _whole(values.get(MAX_BYTES)))


def set_measurands(measurands: Iterable[str]) -> Members:
    """Return SetVariables of what is sampled in a transaction. Spec: OCPP 2.0.1 B05.FR.01, J02."""
    return {
        "setVariableData": [
            {
                "attributeValue": ",".join(measurands),
                "component": {"name": MEASURANDS.component},
                "variable": {"name": MEASURANDS.name},
            }
        ]
    }


def said(answer: Mapping[str, Any]) -> Said:
    """Return what a station says of itself by GetVariables; what cannot be read was not said.

    Spec: OCPP 2.0.1 B06.FR.01, Part 2, appendix 3
    """
    return said_by(dict(values_of(answer.get("getVariableResult"))))


def said_by(values: Mapping[Variable, str]) -> Said:
    """Return what a station says of itself by the values of its variables."""
    measurands = values.get(MEASURANDS)
    return Said(
        unit=values.get(UNIT, ""),
        max_periods=_whole(values.get(MAX_PERIODS)),
        max_stack_level=_whole(values.get(MAX_STACK_LEVEL)),
        max_profiles=_whole(values.get(MAX_PROFILES)),
        switches_phases=truth(values.get(SWITCHES_PHASES)),
        measurands=None
        if measurands is None
        else tuple(filter(None, (each.strip() for each in measurands.split(",")))),
        told=_told(values),
    )


_WITH_LARGEST: Final = frozenset({"Power"})
_LARGEST: Final = "MaxSet"


def _of_evses(evse_ids: Iterable[int]) -> Iterable[Variable]:
    for evse_id in evse_ids:
        yield Variable("EVSE", "Power", evse_id=evse_id)
        yield Variable("EVSE", "SupplyPhases", evse_id=evse_id)
        yield Variable("EVSE", "ACVoltage", evse_id=evse_id)


def _told(values: Mapping[Variable, str]) -> dict[int, Told]:
    """Return how the station (0) and its EVSEs are built, by the largest power of each where no current is told."""
    station = Told(phases=_phases(values.get(SUPPLY_PHASES)))
    told = {0: station} if station != Told() else {}
    for evse_id in sorted({variable.evse_id for variable in values if variable.component == "EVSE"}):
        voltage_v = _number(values.get(Variable("EVSE", "ACVoltage", evse_id=evse_id)))
        phases = _phases(values.get(Variable("EVSE", "SupplyPhases", evse_id=evse_id)))
        power_w = _number(values.get(Variable("EVSE", "Power", _LARGEST, evse_id)))
        of = phases or station.phases
        max_a = power_w / (voltage_v * of) if power_w and voltage_v and of else None
        told[evse_id] = Told(voltage_v, phases, max_a)
    return told


def values_of(results: object) -> Iterable[tuple[Variable, str]]:
    """Yield the variables in a list of results of GetVariables that have values."""
    for result in results if isinstance(results, list) else ():
        if not isinstance(result, dict) or result.get("attributeStatus") != "Accepted":
            continue
        component, variable = result.get("component"), result.get("variable")
        value = result.get("attributeValue")
        if not isinstance(component, dict) or not isinstance(variable, dict) or not isinstance(value, str):
            continue
        evse = component.get("evse")
        evse_id = evse.get("id") if isinstance(evse, dict) else 0
        instance = str(variable.get("instance") or "")
        if result.get("attributeType", "Actual") != "Actual":
            instance = str(result["attributeType"])
        yield Variable(str(component.get("name")), str(variable.get("name")), instance, int(evse_id or 0)), value


def _component(variable: Variable) -> Members:
    return {"name": variable.component, "evse": {"id": variable.evse_id} if variable.evse_id else None}


def _name(variable: Variable) -> Members:
    return {"name": variable.name, "instance": variable.instance or None}


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: str | None) -> float | None:
    with contextlib.suppress(ValueError, TypeError):
        return float(text or "")
    return None


def _phases(text: str | None) -> int | None:
    phases = _whole(text)
    return phases if phases in (1, 2, 3) else None


def truth(text: str | None) -> bool | None:
    """Return what a value says that is true or false; None: neither."""
    return None if text is None else {"true": True, "false": False}.get(text.strip().lower())
