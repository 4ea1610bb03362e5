"""All that is known of a site when it is planned, and what people see of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from chargebus_smart_charging.limits.domain.limit import KnownLimit
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.planning.domain.memory import Memory, OpenAlert
from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.domain.peaks import Peak
from chargebus_smart_charging.series.domain.timeline import Span
from chargebus_smart_charging.sites.domain.site import NOTHING, EvseKey, PerPhase, Site
from chargebus_smart_charging.steering.domain.habits import Habits
from chargebus_smart_charging.steering.domain.steered import Steered
from chargebus_smart_charging.vehicles.domain.needs import Classes
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle


class StationKnown(msgspec.Struct, frozen=True):
    """What is known of a station.

    Attributes:
        habits: how it behaves.
        version: the OCPP version that it speaks.
        limit_key: the configuration key that holds its largest current, if it has one.
    """

    habits: Habits = Habits()
    version: str = ""
    limit_key: str = ""


class SiteKnown(msgspec.Struct, frozen=True):
    """What is known of a site.

    Attributes:
        site: the site.
        vehicles: what is known of the vehicle at each EVSE.
        steered: how each EVSE is steered.
        stations: what is known of its stations.
        limits: what others say of the site.
        readings: the newest of the meters of its nodes.
        spans: what a kilowatt hour costs in the site's objective, by the zone of which that is known.
        classes: what drivers of a class need.
        overrides: limits of operators.
        memory: what planning left the last time.
    """

    site: Site
    vehicles: Mapping[EvseKey, Vehicle] = {}
    steered: Mapping[EvseKey, Steered] = {}
    stations: Mapping[str, StationKnown] = {}
    limits: tuple[KnownLimit, ...] = ()
    readings: Mapping[str, Reading] = {}
    spans: Mapping[str, Sequence[Span]] = {}
    classes: Classes = {}
    overrides: tuple[Override, ...] = ()
    memory: Memory = Memory()


class NodeState(msgspec.Struct, frozen=True):
    """A node now, per phase.

    Attributes:
        limit_a: what the EVSEs below may draw; None: nothing limits them here.
        planned_a: what they are to draw by the plan.
        measured_a: what they are seen to draw; None where that of one of them is not known.
        counted_a: what is reckoned with for them.
        headroom_a: what is left of the limit by what is reckoned with.
        reason: what bounds it, in words.
        overload_s: for how long it has been measured above the limit; 0: it is not.
    """

    node_id: str
    limit_a: PerPhase | None = None
    planned_a: PerPhase = NOTHING
    measured_a: PerPhase | None = None
    counted_a: PerPhase = NOTHING
    headroom_a: PerPhase | None = None
    reason: str = ""
    overload_s: float = 0.0


Levels: TypeAlias = tuple[tuple[datetime, float], ...]


class EvseState(msgspec.Struct, frozen=True):
    """An EVSE now.

    Attributes:
        limit_a: what it may draw, per phase, as it is told; None: nothing charges there.
        planned_a: what the plan gives it; more than it is told while others have not given that up.
        schedule: how the plan goes on.
        counted_a: what it is reckoned with.
        measured_a: what it is seen to draw.
        reasons: what bounds it, in words.
    """

    station_id: str
    evse_id: int
    node_id: str
    session_id: str = ""
    limit_a: float | None = None
    planned_a: float = 0.0
    schedule: Levels = ()
    counted_a: PerPhase = NOTHING
    measured_a: PerPhase | None = None
    unserved_wh: float = 0.0
    reasons: tuple[str, ...] = ()


class SiteNotice(msgspec.Struct, frozen=True):
    """An alert about the site itself that opens, or is over."""

    alert: OpenAlert
    is_open: bool
    detail: str


class Tally(msgspec.Struct, frozen=True):
    """What is counted of a site since it was planned the last time, in seconds but for the energy and the commands.

    Overloads are counted for each node that has one.
    """

    overload_s: Mapping[str, float] = {}
    disobedience_s: float = 0.0
    unsteerable_s: float = 0.0
    vehicle_s: float = 0.0
    unserved_wh: float = 0.0
    commands: int = 0


class Shown(msgspec.Struct, frozen=True):
    """What people see of a plan."""

    plan_id: str
    at: datetime
    method: str
    fallback: str
    nodes: tuple[NodeState, ...]
    evses: tuple[EvseState, ...]
    peak: Peak | None = None
