"""The JSON of the HTTP API."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from chargebus_runtime.http import WHOLE, Input, WholeNumber
from pydantic import BaseModel, Field, StringConstraints, model_validator

from chargebus_firmware.campaigns.domain import campaign as domain
from chargebus_firmware.campaigns.domain.campaign import (
    OPEN,
    Campaign,
    Counts,
    Member,
    MemberState,
    Shown,
    State,
    Step,
    Wanted,
)
from chargebus_firmware.campaigns.domain.waves import Listed
from chargebus_firmware.campaigns.domain.windows import Day
from chargebus_firmware.links.domain.link import Transport

_DAY_S = 86400.0
_LEFT_OUT: Final = "skipped"

Text = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Texts = Annotated[list[Text], Field(max_length=200)]
Labels = Annotated[dict[Text, Text], Field(max_length=50, json_schema_extra={"additionalProperties": False})]
Seconds = Annotated[float, Field(ge=0, le=90 * _DAY_S)]


class SelectorIn(Input):
    """Which stations: those that are all of what is given; what is left out may be anything."""

    labels: Labels = Field(default={}, description="Each with this value")
    vendor: Text = Field(default="", description="As stations tell it when they boot")
    models: Texts = Field(default=[], description="Any of these")
    versions: Texts = Field(default=[], description="The firmware version that they have now: any of these")


class WaveIn(Input):
    """How large a wave is: one of both."""

    count: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    percent: Annotated[float, Field(gt=0, le=100)] | None = Field(default=None, description="Of all; at least one")


class WindowIn(Input):
    """Local time of a station in which an update may begin."""

    opens: Clock
    closes: Clock = Field(description="Before `opens`: on the next day")
    days: Annotated[list[Day], Field(max_length=7)] = Field(
        default=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], description="On which it opens"
    )
    reserve_s: Seconds = Field(default=0.0, description="Nothing begins in the last seconds of it")


class RulesIn(Input):
    """How the campaign goes on."""

    waves: Annotated[list[WaveIn], Field(max_length=20)] = Field(
        default=[WaveIn(count=1), WaveIn(percent=1.0), WaveIn(percent=10.0)],
        description="Who is in none of them is in a last one",
    )
    pause_s: Seconds = Field(default=3600.0, description="Between waves, from when all of one are through")
    window: WindowIn | None = Field(default=None, description="When updates may begin; left out: at any time")
    parallel: WholeNumber = Field(default=50, ge=1, le=5000, description="Stations that are updated at once")
    parallel_each: WholeNumber = Field(
        default=1, ge=1, le=5000, description="How many of those have one value of the label `parallel_per` in common"
    )
    parallel_per: Text = "site"
    attempts: WholeNumber = Field(default=3, ge=1, le=20, description="How often a station is tried")
    retry_after_s: Seconds = Field(default=900.0, description="After the first try; doubles each time, a day at most")
    wait_s: Annotated[float, Field(ge=60, le=365 * _DAY_S)] = Field(
        default=14 * _DAY_S,
        description="How long a station that cannot begin is waited for, from the begin of its wave",
    )
    exchange_after_s: Seconds = Field(
        default=3600.0, description="From then on one that is ready takes its place, if the wave is not the last"
    )
    settle_s: Annotated[float, Field(ge=1, le=7 * _DAY_S)] = Field(
        default=600.0, description="How long after its update a station is looked at; until twice as long it may be ill"
    )
    charge_within_s: Seconds = Field(
        default=_DAY_S, description="In which it is to charge again, if it had in as long before; 0: it need not"
    )
    fail_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="The campaign stops when so large a part of a wave's stations that are through failed"
    )
    fail_count: WholeNumber = Field(
        default=3, ge=1, le=1_000_000, description="And so many, or as many as that part of the whole wave"
    )
    over: Transport | None = Field(
        default=None,
        description="How stations fetch an image that is kept here: `http`, `https`, `ftp` or `sftp`; absent: by what "
        "each says that it knows",
    )
    same_version: bool = Field(
        default=False,
        description="Also stations that have its version already, where the image says `same_version`, too",
    )


class CampaignIn(Input):
    """A campaign."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
    image_id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")]
    selector: SelectorIn = SelectorIn()
    rules: RulesIn = RulesIn()

    @model_validator(mode="after")
    def _one_of_both(self) -> "CampaignIn":
        for wave in self.rules.waves:
            if (wave.count is None) == (wave.percent is None):
                raise ValueError("a wave has a count or percent, one of both")
        return self

    def wanted(self) -> Wanted:
        """Return it as it is worked with."""
        return Wanted(
            self.name,
            self.image_id,
            msgspec.convert(self.selector.model_dump(), domain.Selector),
            msgspec.convert(self.rules.model_dump(), domain.Rules),
        )


class WaveOut(BaseModel):
    """A wave: how many stations are in it, and in which state."""

    wave: int = Field(description="From 1")
    size: int
    waiting: int = 0
    updating: int = 0
    checking: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0


class CampaignOut(BaseModel):
    """A campaign in a list."""

    campaign_id: UUID
    name: str
    image_id: str
    version: str = Field(description="The one that the image brings")
    state: State
    reason: str = Field(description="Why it stands still: by_operator, too_many_failures; else empty")
    detail: str
    wave: int = Field(description="The one that is on, from 1")
    waves: int
    created_at: datetime
    changed_at: datetime = Field(description="When its state or its wave changed last")
    wave_begun_at: datetime
    next_wave_at: datetime | None = Field(description="When the pause between waves is over")
    ended_at: datetime | None

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignOut":
        """Return a campaign as callers see it."""
        return cls(**_fields(campaign))


class CampaignDetail(CampaignOut):
    """A campaign, what was asked for, and how far it is."""

    selector: dict[str, Any]
    rules: dict[str, Any]
    counts: list[WaveOut]

    @classmethod
    def shown(cls, shown: Shown) -> "CampaignDetail":
        """Return a campaign as callers see it."""
        campaign = shown.campaign
        return cls(
            **_fields(campaign),
            selector=_all(campaign.selector),
            rules=_all(campaign.rules),
            counts=_waves(campaign.sizes, shown.counts),
        )


class StepOut(BaseModel):
    """A state that a station came into, when, and why."""

    state: MemberState
    at: datetime
    reason: str
    detail: str
    update_id: UUID | None


class CampaignStationOut(BaseModel):
    """A station in a campaign; `reason` of one that waits says what for, or why the last try failed."""

    station_id: str
    wave: int = Field(description="From 1")
    state: MemberState
    reason: str
    detail: str
    attempts: int
    update_id: UUID | None
    look_at: datetime | None = Field(description="When it is looked at next, at the latest; null: it is through")
    path: list[StepOut]

    @classmethod
    def of(cls, member: Member) -> "CampaignStationOut":
        """Return a station as callers see it."""
        return cls(
            station_id=member.station_id,
            wave=member.wave + 1,
            state=member.state,
            reason=member.reason,
            detail=member.detail,
            attempts=member.attempts,
            update_id=member.update_id,
            look_at=member.look_at if member.state in OPEN else None,
            path=[_step(step) for step in member.path],
        )


class PreviewStation(BaseModel):
    """A station as it would be in a campaign."""

    station_id: str
    wave: int | None = Field(description="From 1; null: it is left out")
    reason: str = Field(description="Why it is left out")
    detail: str


class PreviewOut(BaseModel):
    """What a campaign would do if it began now, with a page of its stations: wave by wave, then those left out."""

    version: str
    sizes: list[int] = Field(description="Of the waves")
    left_out: dict[str, int] = Field(description="How many stations are left out, by reason")
    stations: list[PreviewStation] = Field(description="Of this page, those that it would have")
    not_fitting: list[PreviewStation] = Field(description="Of this page, those that are left out")
    next: str | None = Field(description="The cursor of the following page; null on the last")

    @classmethod
    def of(cls, version: str, listed: Listed, shown: Sequence[Member], following: str | None) -> "PreviewOut":
        """Return what callers see, with these stations."""
        reasons = [member.reason for member in listed.skipped]
        return cls(
            version=version,
            sizes=list(listed.sizes),
            left_out={reason: reasons.count(reason) for reason in sorted(set(reasons))},
            stations=[_preview(member, member.wave + 1) for member in shown if member.state != _LEFT_OUT],
            not_fitting=[_preview(member, None) for member in shown if member.state == _LEFT_OUT],
            next=following,
        )


def _preview(member: Member, wave: int | None) -> PreviewStation:
    return PreviewStation(station_id=member.station_id, wave=wave, reason=member.reason, detail=member.detail)


def _fields(campaign: Campaign) -> dict[str, Any]:
    same = {name: getattr(campaign, name) for name in CampaignOut.model_fields if name not in ("waves", "next_wave_at")}
    next_at = None
    if campaign.wave_ended_at is not None and campaign.state == "running":
        next_at = campaign.wave_ended_at + timedelta(seconds=campaign.rules.pause_s)
    return same | {"wave": campaign.wave + 1, "waves": len(campaign.sizes), "next_wave_at": next_at}


def _waves(sizes: Sequence[int], counts: Counts) -> list[WaveOut]:
    waves = [WaveOut(wave=number + 1, size=size) for number, size in enumerate(sizes)]
    for (wave, state), count in _known(counts, len(waves)):
        setattr(waves[wave], state, count)
    return waves


def _known(counts: Counts, waves: int) -> Iterable[tuple[tuple[int, MemberState], int]]:
    return ((key, count) for key, count in counts.items() if key[0] < waves)


def _step(step: Step) -> StepOut:
    return StepOut(state=step.state, at=step.at, reason=step.reason, detail=step.detail, update_id=step.update_id)


def _all(value: msgspec.Struct) -> dict[str, Any]:
    """Return a struct as JSON with all of its members, those with their defaults, too."""
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, msgspec.Struct):
        return _all(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
