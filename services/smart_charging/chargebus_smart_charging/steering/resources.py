"""The JSON of the HTTP API: how stations are steered, what they hold, what was learned of their kinds."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chargebus_smart_charging.steering.domain.held import UNLIMITED, Level, Order, Slot


class LevelOut(BaseModel):
    """From when, and how many amperes on each phase."""

    starts_at: datetime
    limit_a: float

    @classmethod
    def all(cls, levels: Iterable[Level]) -> "list[LevelOut]":
        """Return levels as callers see them."""
        return [cls(starts_at=starts_at, limit_a=limit_a) for starts_at, limit_a in levels]


class ToldOut(BaseModel):
    """What a station was told for an EVSE."""

    told_at: datetime
    way: str = Field(description="TxProfile, TxDefaultProfile, ChargingStationMaxProfile or configuration key")
    dynamic: bool = Field(default=False, description="its profile is dynamic: it is updated, or pulled (OCPP 2.1)")
    levels: list[LevelOut]
    ends_at: datetime | None = None
    transaction_id: str = ""

    @classmethod
    def of(cls, order: Order) -> "ToldOut":
        """Return an order as callers see it."""
        return cls(
            told_at=order.at,
            way=order.rung,
            dynamic=order.dynamic,
            levels=LevelOut.all(order.levels),
            ends_at=order.until,
            transaction_id=order.transaction_id,
        )


class SlotOut(BaseModel):
    """What a station may hold in one place: what it has accepted, what it has not answered, what nobody knows of."""

    accepted: ToldOut | None
    pending: list[ToldOut]
    unsure: list[ToldOut]

    @classmethod
    def of(cls, slot: Slot) -> "SlotOut":
        """Return a place as callers see it."""
        return cls(
            accepted=None if slot.accepted is None else ToldOut.of(slot.accepted),
            pending=[ToldOut.of(order) for order in slot.pending],
            unsure=[ToldOut.of(order) for order in slot.unsure],
        )


class HabitsOut(BaseModel):
    """How a station behaves when it is steered; null is not known."""

    model_config = ConfigDict(from_attributes=True)

    unit: str | None = Field(description="in which its limits are told; A where it is not known")
    takes_zero: bool | None
    refused: list[str] = Field(description="ways that are not tried")
    max_periods: int | None
    max_stack_level: int | None
    max_profiles: int | None
    obeys_within_s: float | None
    keeps_default: bool | None = Field(description="whether its default outlives a boot")
    switches_phases: bool | None
    dynamic: bool | None = Field(description="whether it takes dynamic profiles (OCPP 2.1)")
    update_spacing_s: float | None


class SteeredEvse(BaseModel):
    """How an EVSE is steered; amperes are on each phase.

    `reported_a` is what the station allows by its own word beyond what it was told (a drift), `ceiling_a` what others
    let it allow below that.
    """

    evse_id: int
    way: str
    use: str
    counted_a: float = Field(description="the most that it may draw now")
    limit: SlotOut
    default: SlotOut
    settles_to_a: float | None = Field(description="a reduction that is not seen yet")
    seen_a: float | None
    seen_at: datetime | None
    reported_a: float | None
    ceiling_a: float | None
    verified_at: datetime | None
    disobeys_since: datetime | None
    contained_by: str | None
    alerts: list[str]

    @classmethod
    def of(cls, shown: Any) -> "SteeredEvse":  # noqa: ANN401 - of a room above
        """Return the steering of an EVSE as callers see it."""
        steered = shown.steered
        return cls(
            evse_id=shown.evse_id,
            way=steered.rung,
            use=steered.use,
            counted_a=shown.counted_a,
            limit=SlotOut.of(steered.limit),
            default=SlotOut.of(steered.default),
            settles_to_a=_known(steered.settling and steered.settling.to_a),
            seen_a=None if steered.seen is None else steered.seen.amperes,
            seen_at=None if steered.seen is None else steered.seen.at,
            reported_a=steered.reported_a,
            ceiling_a=steered.ceiling_a,
            verified_at=steered.verified_at,
            disobeys_since=steered.disobeys_since,
            contained_by=steered.contained_by,
            alerts=list(steered.alerts),
        )


class SteeredStation(BaseModel):
    """A station: what it is, how it behaves, and how its EVSEs that hang under a site are steered."""

    station_id: str
    site_id: str
    online: bool
    version: str
    vendor: str
    model: str
    firmware_version: str
    booted_at: datetime | None
    said_at: datetime | None = Field(description="when it said what it can take; null: it never did")
    measurands: list[str] | None = Field(description="what it samples in a transaction, where it said so")
    limit_key: str = Field(description="its vendor's configuration key for its largest current")
    habits: HabitsOut
    evses: list[SteeredEvse]


class ReportedProfileOut(BaseModel):
    """A charging profile as its station reported it, in the words of its version."""

    model_config = ConfigDict(from_attributes=True)

    evse_id: int = Field(description="0 is the whole station")
    profile_id: int
    ours: bool = Field(description="it was set by this service")
    source: str
    purpose: str
    stack_level: int
    profile: dict[str, Any]
    reported_at: datetime


class ReportedProfilesOut(BaseModel):
    """What a station reported last; empty where it holds none, was not asked, or speaks OCPP 1.6."""

    station_id: str
    items: list[ReportedProfileOut]


class CompositeScheduleOut(BaseModel):
    """What a station says that an EVSE is allowed, beside what it was told; times of `allowed` are by its clock."""

    station_id: str
    evse_id: int
    outcome: str | None = Field(
        description="answered, refused, timed_out, undeliverable or expired; null: none came yet"
    )
    status: str | None
    reason: str | None
    unit: str | None = Field(description="in which the station told it")
    allowed: list[LevelOut]
    told: list[LevelOut]


class LearnedHabits(BaseModel):
    """What was learned of stations of one make, model and firmware."""

    vendor: str
    model: str
    firmware_version: str
    stations: int
    habits: HabitsOut
    taken: dict[str, int] = Field(description="how often each way, and a limit of 0 (zero), was taken")
    refused: dict[str, int]
    disobeyed: dict[str, int]
    changed_at: datetime


def _known(amperes: float | None) -> float | None:
    return None if amperes is None or amperes >= UNLIMITED else amperes
