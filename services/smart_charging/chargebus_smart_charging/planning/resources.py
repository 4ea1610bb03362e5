"""The JSON of plans."""

from datetime import datetime
from typing import Annotated, Final

from chargebus_runtime.http import WHOLE, Input, UtcDatetime
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chargebus_smart_charging.planning.domain.known import EvseState, NodeState, Shown
from chargebus_smart_charging.planning.domain.looking import SessionCharging, SupposedVehicle, Supposition
from chargebus_smart_charging.sites.domain.site import Capacity, PerPhase
from chargebus_smart_charging.vehicles.domain.needs import Needs, Source
from chargebus_smart_charging.vehicles.resources import EnergyWh, Priority

MOST_A: Final = 100_000.0
_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Note = Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)]
Number = Annotated[int, Field(ge=1, lt=2**31), WHOLE]
Amperes = Annotated[float, Field(ge=0, le=MOST_A, description="Amperes on each phase")]
Phases = Annotated[PerPhase, Field(description="Amperes on L1, L2 and L3 of the site")]


class Shows(BaseModel):
    """What is filled from attributes."""

    model_config = ConfigDict(from_attributes=True)


class NodeOut(Shows):
    """A node of a site now."""

    node_id: str
    limit_a: Phases | None = Field(description="What EVSEs below may draw; null: nothing limits them here")
    planned_a: Phases = Field(description="What they are to draw by the plan")
    measured_a: Phases | None = Field(description="What they are seen to draw; null where one of them tells nothing")
    counted_a: Phases = Field(description="What is reckoned with for them")
    headroom_a: Phases | None = Field(description="What the limit leaves beside what is reckoned with")
    reason: str = Field(description="What the limit comes from, in words")
    overload_s: float = Field(description="For how long it has been measured above the limit; 0: it is not")


class LevelOut(BaseModel):
    """What an EVSE may draw from a time on."""

    starts_at: datetime
    limit_a: float


class EvseOut(BaseModel):
    """An EVSE of a site now."""

    station_id: str
    evse_id: int
    node_id: str
    session_id: str = Field(description="The session that goes on there; empty: none")
    limit_a: float | None = Field(description="What it is told that it may draw, per phase; null: nothing charges")
    planned_a: float = Field(description="What the plan gives it; it is told so much once others have given it up")
    schedule: list[LevelOut] = Field(description="How the plan goes on; a later plan may change it")
    counted_a: Phases = Field(description="What it is reckoned with")
    measured_a: Phases | None = Field(description="What it is seen to draw; null: it has told nothing of late")
    unserved_wh: float = Field(description="What its vehicle will lack at its departure, by the plan")
    reasons: list[str] = Field(description="What bounds it, in words")

    @classmethod
    def of(cls, state: EvseState) -> "EvseOut":
        """Return an EVSE as callers see it."""
        return cls(
            station_id=state.station_id,
            evse_id=state.evse_id,
            node_id=state.node_id,
            session_id=state.session_id,
            limit_a=state.limit_a,
            planned_a=state.planned_a,
            schedule=[LevelOut(starts_at=at, limit_a=amperes) for at, amperes in state.schedule],
            counted_a=state.counted_a,
            measured_a=state.measured_a,
            unserved_wh=state.unserved_wh,
            reasons=list(state.reasons),
        )


class PlanOut(BaseModel):
    """A site by a plan."""

    site_id: str
    plan_id: str = Field(description="Empty: it was never planned, or this is no plan that counts")
    at: datetime = Field(description="When it was planned")
    method: str = Field(description="`optimiser` or `allocator`")
    fallback: str = Field(description="Why it was not the optimiser where it should have been")
    peak_va: float | None = Field(
        description="The most that the grid connection has drawn on average of a quarter of an hour in its billing"
        " period, other loads included; null: it was never planned"
    )
    peak_since: datetime | None = Field(description="When that period began")
    nodes: list[NodeOut]
    evses: list[EvseOut]

    @classmethod
    def of(cls, site_id: str, shown: Shown) -> "PlanOut":
        """Return a plan as callers see it."""
        return cls(
            site_id=site_id,
            plan_id=shown.plan_id,
            at=shown.at,
            method=shown.method,
            fallback=shown.fallback,
            peak_va=None if shown.peak is None else shown.peak.va,
            peak_since=None if shown.peak is None else shown.peak.starts_at,
            nodes=[_node(each) for each in shown.nodes],
            evses=[EvseOut.of(each) for each in shown.evses],
        )


def _node(state: NodeState) -> NodeOut:
    return NodeOut.model_validate(state)


class SupposedLimitIn(Input):
    """Another limit of a node; what is left out stays."""

    node_id: Name
    phase_a: Amperes | None = None
    total_w: Annotated[float, Field(ge=0, le=1e9)] | None = None
    total_va: Annotated[float, Field(ge=0, le=1e9)] | None = None


class SupposedVehicleIn(Input):
    """A vehicle that comes to a free EVSE now."""

    station_id: Name
    evse_id: Number = 1
    energy_wh: EnergyWh | None = None
    departs_at: UtcDatetime | None = None
    priority: Priority | None = None


class SuppositionIn(Input):
    """What is supposed of a site."""

    limits: list[SupposedLimitIn] = Field(default=[], max_length=1000)
    vehicles: list[SupposedVehicleIn] = Field(default=[], max_length=1000)

    def supposition(self) -> Supposition:
        """Return it as the domain takes it."""
        return Supposition(
            {each.node_id: Capacity(each.phase_a, each.total_w, each.total_va) for each in self.limits},
            tuple(
                SupposedVehicle((each.station_id, each.evse_id), Needs(each.energy_wh, each.departs_at, each.priority))
                for each in self.vehicles
            ),
        )


class OverrideIn(Input):
    """An operator's limit on an EVSE (`station_id` and `evse_id`) or on a session, until it ends."""

    limit_a: Amperes
    ends_at: UtcDatetime
    station_id: Name | None = None
    evse_id: Number | None = None
    session_id: Name | None = None
    reason: Note = ""


class OverrideOut(Shows):
    """An operator's limit."""

    override_id: str
    limit_a: float
    ends_at: datetime
    station_id: str
    evse_id: int
    session_id: str
    reason: str
    created_by: str = Field(description="The API key of who set it")


class NeedsOut(Shows):
    """What a session is planned for, and who told it: `api`, `vehicle`, `class` (of its token) or `site`."""

    energy_wh: float
    energy_source: Source
    departs_at: datetime
    departs_source: Source
    priority: float
    preferred: bool = Field(description="Its driver asked for priority at the station")


class SessionChargingOut(BaseModel):
    """How a session is charged."""

    session_id: str
    site_id: str = Field(description="Empty: its station is of no site, and nobody plans it")
    station_id: str
    evse_id: int
    energy_wh: float = Field(description="What it has had so far")
    needs: NeedsOut
    phases: list[int] = Field(description="The phases of its connector, from 1 to 3, that it uses; empty: not known")
    most_a: float | None = Field(description="What it is taken to draw at most, as learned; null: as much as it may")
    charging: EvseOut | None = Field(description="Its EVSE by the site's plan")

    @classmethod
    def of(cls, found: SessionCharging) -> "SessionChargingOut":
        """Return how a session is charged, as callers see it."""
        vehicle = found.vehicle
        return cls(
            session_id=vehicle.session.session_id if vehicle.session is not None else "",
            site_id=found.site_id,
            station_id=vehicle.station_id,
            evse_id=vehicle.evse_id,
            energy_wh=vehicle.energy_wh,
            needs=NeedsOut.model_validate(found.needs),
            phases=[phase + 1 for phase in vehicle.learned.phases],
            most_a=vehicle.learned.most_a,
            charging=None if found.state is None else EvseOut.of(found.state),
        )
