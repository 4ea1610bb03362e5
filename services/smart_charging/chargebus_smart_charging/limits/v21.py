"""OCPP 2.1: what it adds to 2.0.1: limits of single phases, and limits of what is generated on the spot."""

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader
from msgspec import field

from chargebus_smart_charging.limits.domain.limit import Period
from chargebus_smart_charging.limits.domain.notified import Notified
from chargebus_smart_charging.limits.v201 import CSO, Step, capacity, evse, moment, periods


class _Period(Payload, frozen=True):
    start_period: float
    limit: float | None = None
    limit_l2: float | None = field(default=None, name="limit_L2")
    limit_l3: float | None = field(default=None, name="limit_L3")

    def lowest(self, unit: str) -> float | None:
        """Return what every phase may carry: amperes of each, or watts of as many as are told."""
        told = [each for each in (self.limit, self.limit_l2, self.limit_l3) if each is not None]
        if not told:
            return None
        return min(told) if unit == "A" else min(told) * len(told)


class _Schedule(Payload, frozen=True):
    charging_rate_unit: str
    charging_schedule_period: tuple[_Period, ...]
    start_schedule: str = ""
    duration: float | None = None


class _Limit(Payload, frozen=True):
    charging_limit_source: str
    is_grid_critical: bool = False
    is_local_generation: bool = False


class _NotifyChargingLimit(Payload, frozen=True):
    charging_limit: _Limit
    charging_schedule: tuple[_Schedule, ...] = ()
    evse_id: int = 0


_read = reader(_NotifyChargingLimit)


def notified(frame: Frame) -> Notified:
    """Read NotifyChargingLimit; what local generation adds is no limit, and is shown only.

    Spec: OCPP 2.1 K12.FR.02, K12.FR.03, ChargingLimitType.isLocalGeneration
    """
    said = _read(frame.payload)
    found: list[Period] = []
    for schedule in said.charging_schedule:
        unit = schedule.charging_rate_unit
        steps = [
            Step(each.start_period, capacity(lowest, unit))
            for each in schedule.charging_schedule_period
            if (lowest := each.lowest(unit)) is not None
        ]
        found += periods(steps, moment(schedule.start_schedule, frame.received_at), schedule.duration)
    limit, source = said.charging_limit, clean(said.charging_limit.charging_limit_source)
    counts = source != CSO and not limit.is_local_generation
    evse_id, at = evse(said.evse_id), frame.received_at
    return Notified(frame.station_id, evse_id, source, at, tuple(found), limit.is_grid_critical, counts)
