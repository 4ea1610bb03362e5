"""The JSON of sites over HTTP: what an operator describes is what is answered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from chargebus_runtime.http import WHOLE, Input, UtcDatetime, WholeNumber
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from chargebus_smart_charging.sites.domain.site import PeakPeriod, Policy, Site
from chargebus_smart_charging.sites.store.sites import Described

ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"
_MOST_A: Final = 100_000.0
_MOST_W: Final = 1e9
_DAY_S: Final = 86_400.0
_USUAL: Final = Policy()


def _with_seconds(clock: str) -> str:
    return clock if clock.count(":") > 1 else f"{clock}:00"


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
StationId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PLAIN)]
Name = Annotated[str, StringConstraints(max_length=200, pattern=PLAIN)]
Amperes = Annotated[float, Field(ge=0, le=_MOST_A)]
Watts = Annotated[float, Field(ge=0, le=_MOST_W)]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK), AfterValidator(_with_seconds)]
PerPhase = Annotated[list[Amperes], Field(min_length=3, max_length=3)]
Seconds = Annotated[float, Field(gt=0, le=31 * _DAY_S)]


class CapacityDescription(Input):
    """What may flow; what is left out is not limited."""

    phase_a: Amperes | None = Field(default=None, description="amperes on each phase")
    total_w: Watts | None = Field(default=None, description="watts of all phases")
    total_va: Watts | None = Field(default=None, description="volt-amperes of all phases")


class CalendarDescription(Input):
    """A capacity that holds at times; the strictest counts of all that hold."""

    capacity: CapacityDescription
    starts_at: UtcDatetime | None = None
    ends_at: UtcDatetime | None = None
    weekdays: list[Annotated[int, Field(ge=0, le=6), WHOLE]] = Field(
        default=[], max_length=7, description="0 is Monday; empty: each day"
    )
    from_time: Clock | None = Field(default=None, description="in the site's time zone, such as 17:00")
    to_time: Clock | None = Field(default=None, description="earlier than from_time: on the next day")


class MeterDescription(Input):
    """A meter of a node's other loads: those that hang right under it, or, with `everything`, all that flows there."""

    worst_case_a: PerPhase = Field(description="what counts on L1, L2 and L3 while it is silent")
    silent_after_s: Seconds = 300.0
    station_id: Annotated[str, StringConstraints(max_length=255, pattern=PLAIN)] = Field(
        default="", description="the station whose main meter it is (EVSE 0); empty: readings come over HTTP"
    )
    covers: Literal["other loads", "everything"] = Field(
        default="other loads", description="everything: what EVSEs and other loads below the node draw as well"
    )


class NodeDescription(Input):
    """A grid connection, transformer, panel or fuse; the one without a parent is the grid connection."""

    node_id: Id
    parent_id: Id | None = None
    name: Name = ""
    capacity: CapacityDescription = CapacityDescription()
    margin: float = Field(default=0.0, ge=0, le=0.9, description="the share of it that is never planned")
    unbalance_a: Amperes | None = Field(default=None, description="how far its phases may be apart")
    calendar: list[CalendarDescription] = Field(default=[], max_length=100)
    meter: MeterDescription | None = None
    controller_station_id: Annotated[str, StringConstraints(max_length=255, pattern=PLAIN)] = Field(
        default="", description="a local controller, which gets the limit of all that is below the node"
    )


class EvseDescription(Input):
    """An EVSE under a node; what is left out is taken from what its station says."""

    station_id: StationId
    evse_id: WholeNumber = Field(ge=1, le=10_000)
    node_id: Id
    current: Literal["AC", "DC"] = "AC"
    voltage_v: float | None = Field(default=None, gt=0, le=1000, description="of one phase, on the grid's side")
    phases: list[Annotated[int, Field(ge=1, le=3), WHOLE]] | None = Field(
        default=None,
        min_length=1,
        max_length=3,
        description="to which of the site's phases its L1, L2 and L3 are connected: [2, 3, 1]; [3] if it has one",
    )
    min_a: Amperes | None = Field(default=None, description="the smallest current that it can offer")
    max_a: Amperes | None = None
    step_a: Amperes | None = None
    priority: float = Field(default=1.0, gt=0, le=1000, description="its share against others'")


class PolicyDescription(Input):
    """How the site is planned, and what is done about stations that do not obey."""

    interval_s: float = Field(default=_USUAL.interval_s, ge=5, le=3600, description="how often, at the latest")
    objective: Literal["none", "price", "co2", "demand"] = Field(
        default=_USUAL.objective, description="what counts after safety and energy by departure"
    )
    grace_s: Seconds = Field(default=_USUAL.grace_s, description="how long a station may take to obey")
    dead_band_a: Amperes = Field(default=_USUAL.dead_band_a, description="a smaller change is not sent")
    spacing_s: float = Field(default=_USUAL.spacing_s, ge=0, le=3600, description="between raises of one station")
    profile_life_s: Seconds = Field(default=_USUAL.profile_life_s, description="then a station's default holds")
    default_a: Amperes | None = Field(default=_USUAL.default_a, description="what a station allows by itself")
    least_pause_s: float = Field(default=_USUAL.least_pause_s, ge=0, le=_DAY_S)
    least_charge_s: float = Field(default=_USUAL.least_charge_s, ge=0, le=_DAY_S)
    energy_wh: float = Field(default=_USUAL.energy_wh, ge=0, le=1e6, description="needed where nobody says")
    stay_s: float = Field(default=_USUAL.stay_s, ge=60, le=31 * _DAY_S, description="stayed where nobody says")
    containment: Literal["count", "suspend", "unavailable"] = Field(
        default=_USUAL.containment, description="what is done at the end about a station that disobeys"
    )
    unmeasured: Literal["trust", "count"] = Field(
        default=_USUAL.unmeasured, description="whether a station that never measures is believed that it obeys"
    )
    sets_measurands: bool = Field(
        default=_USUAL.sets_measurands, description="configure stations to sample what tells how much they draw"
    )
    on_off: bool = Field(
        default=_USUAL.on_off, description="stop and start transactions of stations that take no limits"
    )
    peak_period: PeakPeriod = Field(default=_USUAL.peak_period, description="in which the highest demand is billed")
    peak_costs: bool = Field(
        default=_USUAL.peak_costs, description="keep the highest demand down where that takes no energy from anyone"
    )


class SiteDescription(Input):
    """A site: a tree of nodes, and the EVSEs under them."""

    name: Name = ""
    zone: Annotated[str, StringConstraints(max_length=64, pattern=PLAIN)] = Field(
        default="", description="whose prices, CO2 and grid demand hold here"
    )
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)] = "UTC"
    nodes: list[NodeDescription] = Field(min_length=1, max_length=2000)
    evses: list[EvseDescription] = Field(default=[], max_length=5000)
    policy: PolicyDescription = PolicyDescription()
    version: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = Field(
        default=None, description="of the site from which this was changed; left out: of any"
    )

    def site(self, site_id: str) -> Site:
        """Return it as the domain knows it; its version is the one it was changed from, 0 if that does not matter."""
        described = self.model_dump() | {"site_id": site_id, "version": self.version or 0}
        return msgspec.convert(described, Site)


class DescribedSite(SiteDescription):
    """A site as it is described; `version` rises with each change."""

    model_config = ConfigDict(extra="ignore", strict=True)

    site_id: str
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, described: Described) -> "DescribedSite":
        """Return a site as it is answered."""
        times = {"created_at": described.created_at, "updated_at": described.updated_at}
        return cls.model_validate(msgspec.json.decode(msgspec.json.encode(described.site)) | times)


class ListedSite(BaseModel):
    """A site in a list, with the number of its nodes and EVSEs."""

    model_config = ConfigDict(from_attributes=True)

    site_id: str
    name: str
    zone: str
    nodes: int
    evses: int
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, object]) -> "ListedSite":
        """Return a site as a list shows it."""
        return cls.model_validate(dict(row))


class FindingOut(BaseModel):
    """What an operator should look at."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["missing", "contradictory"]
    where: str = Field(description="the place in the site's document")
    what: str


class CheckOut(BaseModel):
    """What a site lacks, or where it contradicts itself or its stations; a site that is refused never gets here."""

    site_id: str
    version: int
    findings: list[FindingOut]
