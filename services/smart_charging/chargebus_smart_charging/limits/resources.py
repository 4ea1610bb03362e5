"""The JSON of limits and readings over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from chargebus_runtime.http import Input, UtcDatetime, WholeNumber
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chargebus_smart_charging.limits.domain.limit import CURTAILMENT, MOST_PERIODS, KnownLimit, Period
from chargebus_smart_charging.limits.domain.meters import Forecast, Reading
from chargebus_smart_charging.limits.domain.precedence import Standing, State
from chargebus_smart_charging.sites.domain.site import Capacity, PerPhase
from chargebus_smart_charging.sites.resources import PLAIN, Amperes, Watts

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_USUAL_V: Final = 230.0
_DAY_S: Final = 86_400.0

Part = Annotated[str, StringConstraints(max_length=255, pattern=PLAIN)]
Current = Annotated[float, Field(ge=-100_000, le=100_000)]
ThreeCurrents = Annotated[list[Current], Field(min_length=3, max_length=3)]


class LimitValues(Input):
    """What may flow; what is left out is not limited."""

    phase_a: Amperes | None = Field(default=None, description="amperes on each phase")
    total_w: Watts | None = Field(default=None, description="watts of all phases")
    total_va: Watts | None = Field(default=None, description="volt-amperes of all phases")

    def capacity(self) -> Capacity:
        """Return it as the domain knows it."""
        return Capacity(self.phase_a, self.total_w, self.total_va)


class Floor(Input):
    """What is left for charging, whatever else draws there."""

    phase_a: Amperes | None = None
    total_w: Watts | None = None


class PeriodDescription(LimitValues):
    """What a limit is for some time."""

    valid_from: UtcDatetime | None = Field(default=None, description="left out: at once")
    valid_until: UtcDatetime | None = Field(default=None, description="left out: until it is cleared")

    def period(self) -> Period:
        """Return it as the domain knows it."""
        return Period(self.capacity(), self.valid_from, self.valid_until)


Covers = Annotated[
    Literal["everything", "charging"],
    Field(description="everything that flows there, so that what others draw is taken off; or what charges only"),
]


class LimitDescription(Input):
    """A limit that somebody sets on a site, a node, a station or an EVSE of it."""

    node_id: Part = Field(default="", description="a node; left out, and no station either: the whole site")
    station_id: Part = ""
    evse_id: WholeNumber = Field(default=0, ge=0, le=2**31 - 1, description="an EVSE of the station; 0: all of it")
    periods: list[PeriodDescription] = Field(min_length=1, max_length=MOST_PERIODS)
    floor: Floor = Floor()
    renewed_every_s: Annotated[float, Field(ge=1, le=31 * _DAY_S)] | None = Field(
        default=None, description="its source sets it again so often; if it does not, the fallback holds"
    )
    fallback: LimitValues = LimitValues()
    covers: Covers = "everything"

    def limit(self, site_id: str, source: str, limit_id: str) -> KnownLimit:
        """Return it as the domain knows it, told at no time yet."""
        return KnownLimit(
            site_id=site_id,
            source=source,
            limit_id=limit_id,
            told_at=_NEVER,
            node_id=self.node_id,
            station_id=self.station_id,
            evse_id=self.evse_id,
            periods=tuple(each.period() for each in self.periods),
            floor=Capacity(self.floor.phase_a, self.floor.total_w),
            renewed_every_s=self.renewed_every_s,
            fallback=self.fallback.capacity(),
            covers=self.covers,
        )


class CurtailmentDescription(LimitValues):
    """A grid operator's emergency: what the whole site may draw, from now until its end."""

    valid_until: UtcDatetime
    floor: Floor = Floor()
    covers: Covers = "everything"

    def limit(self, site_id: str) -> KnownLimit:
        """Return it as the domain knows it, told at no time yet."""
        return KnownLimit(
            site_id=site_id,
            source=CURTAILMENT,
            limit_id=CURTAILMENT,
            told_at=_NEVER,
            periods=(Period(self.capacity(), None, self.valid_until),),
            floor=Capacity(self.floor.phase_a, self.floor.total_w),
            covers=self.covers,
            is_critical=True,
        )


class PeriodOut(BaseModel):
    """What a limit is for some time."""

    phase_a: float | None
    total_w: float | None
    total_va: float | None
    valid_from: datetime | None
    valid_until: datetime | None


class CapacityOut(BaseModel):
    """What may flow; null is not limited."""

    model_config = ConfigDict(from_attributes=True)

    phase_a: float | None
    total_w: float | None
    total_va: float | None


class LimitOut(BaseModel):
    """A limit and how it stands."""

    source: str
    limit_id: str
    node_id: str
    station_id: str
    evse_id: int
    told_at: datetime = Field(description="When its source told it last")
    told_by: Literal["http", "topic", "frame"] = Field(description="frame: its station told of it")
    periods: list[PeriodOut] = Field(description="Empty: how much it is, nobody told")
    floor: CapacityOut
    renewed_every_s: float | None
    fallback: CapacityOut
    covers: Literal["everything", "charging"]
    is_critical: bool = Field(description="The grid needs it")
    state: State = Field(
        description="only shown: it does not count, as one of our own that a station reports; nowhere: it stands on a "
        "part that the site does not have"
    )
    is_silent: bool = Field(description="Its source should have told it again")
    allows: CapacityOut = Field(description="What it allows now")
    decides: list[Literal["current", "power"]] = Field(
        description="It is the lowest on its place, and so the one that counts there"
    )

    @classmethod
    def of(cls, standing: Standing) -> "LimitOut":
        """Return a limit as it is answered."""
        limit = standing.limit
        same = {
            name: getattr(limit, name)
            for name in (
                "source",
                "limit_id",
                "node_id",
                "station_id",
                "evse_id",
                "told_at",
                "told_by",
                "renewed_every_s",
                "covers",
                "is_critical",
            )
        }
        return cls(
            **same,
            periods=list(_periods(limit)),
            floor=CapacityOut.model_validate(limit.floor),
            fallback=CapacityOut.model_validate(limit.fallback),
            state=standing.state,
            is_silent=standing.is_silent,
            allows=CapacityOut.model_validate(standing.allows),
            decides=standing.decides,  # type: ignore[arg-type]
        )


def _periods(limit: KnownLimit) -> Iterator[PeriodOut]:
    for period in limit.periods:
        values = msgspec.structs.asdict(period.capacity)
        yield PeriodOut(**values, valid_from=period.valid_from, valid_until=period.valid_until)


class ForecastDescription(Input):
    """What other loads are expected to draw; beyond its end the newest reading counts."""

    starts_at: UtcDatetime
    resolution_s: Annotated[float, Field(ge=60, le=_DAY_S)] = 900.0
    phase_a: list[ThreeCurrents] = Field(min_length=1, max_length=1000)


class ReadingDescription(Input):
    """What the meter of a node's other loads says: amperes on L1, L2 and L3, or watts of all, spread evenly."""

    at: UtcDatetime
    phase_a: ThreeCurrents | None = None
    total_w: Annotated[float, Field(ge=-1e9, le=1e9)] | None = None
    forecast: ForecastDescription | None = None

    def currents(self) -> PerPhase | None:
        """Return amperes on each phase; None if neither or both are told."""
        if (self.phase_a is None) == (self.total_w is None):
            return None
        each = 0.0 if self.total_w is None else self.total_w / (3 * _USUAL_V)
        first, second, third = self.phase_a or (each, each, each)
        return first, second, third

    def reading(self, phase_a: PerPhase) -> Reading:
        """Return it as the domain knows it."""
        if self.forecast is None:
            return Reading(phase_a, self.at)
        values = tuple((first, second, third) for first, second, third in self.forecast.phase_a)
        return Reading(phase_a, self.at, Forecast(self.forecast.starts_at, self.forecast.resolution_s, values))
