"""OCPP 2.0.1: limits that others set on a station, as it tells of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_smart_charging.limits.domain.limit import Period
from chargebus_smart_charging.limits.domain.notified import Cleared, Notified
from chargebus_smart_charging.sites.domain.site import Capacity

CSO: Final = "CSO"
"""What the operator's own CSMS set: known here already. Taken for a limit of somebody else, it would never rise."""

_LAST_EVSE: Final = 2**31 - 1
_LONGEST_S: Final = 10 * 366 * 86_400.0
_LONGEST: Final = timedelta(seconds=_LONGEST_S)


class Step(msgspec.Struct, frozen=True):
    """What a schedule allows from so many seconds after its start on."""

    start_s: float
    capacity: Capacity


class _Period(Payload, frozen=True):
    start_period: float
    limit: float


class _Schedule(Payload, frozen=True):
    charging_rate_unit: str
    charging_schedule_period: tuple[_Period, ...]
    start_schedule: str = ""
    duration: float | None = None


class _Limit(Payload, frozen=True):
    charging_limit_source: str
    is_grid_critical: bool = False


class _NotifyChargingLimit(Payload, frozen=True):
    charging_limit: _Limit
    charging_schedule: tuple[_Schedule, ...] = ()
    evse_id: int = 0


class _ClearedChargingLimit(Payload, frozen=True):
    charging_limit_source: str
    evse_id: int = 0


_read_notified = reader(_NotifyChargingLimit)
_read_cleared = reader(_ClearedChargingLimit)


def notified(frame: Frame) -> Notified:
    """Read NotifyChargingLimit; of several schedules all count, so the lowest does.

    Spec: OCPP 2.0.1 K12.FR.02, K12.FR.03
    """
    said = _read_notified(frame.payload)
    found: list[Period] = []
    for schedule in said.charging_schedule:
        steps = [
            Step(each.start_period, capacity(each.limit, schedule.charging_rate_unit))
            for each in schedule.charging_schedule_period
        ]
        found += periods(steps, moment(schedule.start_schedule, frame.received_at), schedule.duration)
    limit, source = said.charging_limit, clean(said.charging_limit.charging_limit_source)
    evse_id, at = evse(said.evse_id), frame.received_at
    return Notified(frame.station_id, evse_id, source, at, tuple(found), limit.is_grid_critical, source != CSO)


def cleared(frame: Frame) -> Cleared:
    """Read ClearedChargingLimit. Spec: OCPP 2.0.1 K13.FR.02."""
    said = _read_cleared(frame.payload)
    return Cleared(frame.station_id, evse(said.evse_id), clean(said.charging_limit_source), frame.received_at)


def periods(steps: Sequence[Step], starts_at: datetime, duration_s: float | None) -> Iterator[Period]:
    """Yield what a schedule allows: each step until the next begins, the last until the schedule ends, if it does."""
    last_s = None if duration_s is None else min(max(duration_s, 0.0), _LONGEST_S)
    in_order = sorted(steps, key=lambda step: step.start_s)
    for step, following in zip_longest(in_order, in_order[1:]):
        ends_s = last_s if following is None else following.start_s
        begins_at = starts_at + timedelta(seconds=min(max(step.start_s, 0.0), _LONGEST_S))
        ends_at = None if ends_s is None else starts_at + timedelta(seconds=min(ends_s, _LONGEST_S))
        if ends_at is None or begins_at < ends_at:
            yield Period(step.capacity, begins_at, ends_at)


def capacity(limit: float, unit: str) -> Capacity:
    """Return a limit of a schedule: amperes on each phase, or watts of all; less than nothing is nothing."""
    most = max(limit, 0.0)
    return Capacity(phase_a=most) if unit == "A" else Capacity(total_w=most)


def evse(evse_id: int) -> int:
    """Return the number of an EVSE, 0 for the station.

    Raises:
        UnusableCallError: there can be no such EVSE.
    """
    if not 0 <= evse_id <= _LAST_EVSE:
        raise UnusableCallError(f"evseId {evse_id}")
    return evse_id


def moment(said: str, received_at: datetime) -> datetime:
    """Return when a schedule starts; one that does not say so, or not readably, when it came."""
    try:
        at = parse_timestamp(said) if said else received_at
    except ValueError:
        return received_at
    return min(max(at, received_at - _LONGEST), received_at + _LONGEST)
