"""The JSON of credentials over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from chargebus_runtime.http import WHOLE, Input, WholeNumber
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chargebus_security.credentials.domain.campaign import (
    Campaign,
    Counts,
    Member,
    MemberState,
    Reset,
    Rules,
    State,
    Wanted,
)
from chargebus_security.credentials.domain.upgrade import Network
from chargebus_security.trust.domain.policy import Selector
from chargebus_security.trust.resources import SelectorIn, SelectorOut

_URL = r"^wss?://[^\s/?#@]+(/[^\s?#@]*)?$"
_Interface = Literal["Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3"]


class CampaignIn(Input):
    """Which stations, and how."""

    name: str = Field(default="", max_length=255, pattern=r"^[^\x00]*$")
    stations: SelectorIn = Field(default_factory=lambda: SelectorIn.model_validate({}))
    per_minute: WholeNumber = Field(default=60, ge=1, le=6000, description="How many stations begin in a minute")
    at_once: WholeNumber = Field(default=20, ge=1, le=1000, description="How many are at work at the same time")
    stop_after_failures: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = Field(
        default=10, description="So many stations that do not come to `done` stop it; null: none do"
    )
    reset: Reset = Field(
        default="idle",
        description="Whether a station is reset that has to be: `never`; `idle`, when nobody charges, which OCPP 1.6 "
        "cannot say: it is not reset then; `any`, at any time",
    )
    return_within_s: float = Field(
        default=120.0, ge=1, le=86400, description="How long a station may take to come back with what it has taken"
    )
    wait_h: float = Field(default=168.0, gt=0, le=8760, description="How long stations that are away are waited for")

    def selector(self) -> Selector:
        """Return which stations are meant."""
        meant = self.stations
        return Selector(tuple(dict.fromkeys(meant.station_ids)), meant.labels, meant.vendor, meant.model)

    def rules(self) -> Rules:
        """Return how it is gone about."""
        return Rules(
            per_minute=self.per_minute,
            at_once=self.at_once,
            stop_after_failures=self.stop_after_failures,
            reset=self.reset,
            return_within_s=self.return_within_s,
            wait_s=self.wait_h * 3600,
        )


class RotationIn(CampaignIn):
    """New passwords for stations."""

    def wanted(self) -> Wanted:
        """Return it as the operations know it."""
        return Wanted(kind="rotation", name=self.name, selector=self.selector(), rules=self.rules())


class UpgradeIn(CampaignIn):
    """Another security profile for stations."""

    security_profile: Literal[1, 2, 3] = Field(description="The one that they are to use")
    csms_url: str | None = Field(
        default=None,
        max_length=512,
        pattern=_URL,
        description="Where stations of OCPP 2.x are to connect, without their identity: `wss://…` for profiles 2 and 3."
        " Without it only stations of 1.6 can be told",
    )
    interface: _Interface = Field(default="Wired0", description="By which network of OCPP 2.x")
    message_timeout_s: WholeNumber = Field(default=30, ge=1, le=3600)
    slot: Annotated[int, Field(ge=0, le=100), WHOLE] | None = Field(
        default=None, description="In which slot of OCPP 2.x it is kept; null: in a free one"
    )
    check_root: bool = Field(default=True, description="For profiles 2 and 3 a station must have a root for the CSMS")
    allow_downgrade: bool = Field(default=False, description="Whether a lower profile than before is meant")

    @model_validator(mode="after")
    def _fits(self) -> "UpgradeIn":
        encrypted = self.security_profile > 1
        if self.csms_url is not None and self.csms_url.startswith("wss://") != encrypted:
            raise ValueError("csms_url begins with wss:// for profiles 2 and 3, and with ws:// for profile 1")
        return self

    def wanted(self) -> Wanted:
        """Return it as the operations know it."""
        network = None
        if self.csms_url is not None:
            network = Network(self.csms_url, self.interface, self.message_timeout_s, self.slot)
        return Wanted(
            kind="upgrade",
            name=self.name,
            selector=self.selector(),
            rules=self.rules(),
            profile=self.security_profile,
            allow_downgrade=self.allow_downgrade,
            check_root=self.check_root,
            network=network,
        )


class RulesOut(BaseModel):
    """How it is gone about."""

    model_config = ConfigDict(from_attributes=True)

    per_minute: int
    at_once: int
    stop_after_failures: int | None
    reset: Reset
    return_within_s: float
    wait_s: float


class CampaignOut(BaseModel):
    """A campaign, and how far it is."""

    campaign_id: UUID
    name: str
    state: State = Field(description="running; stopped: nothing more begins; completed")
    reason: str
    stations: SelectorOut
    rules: RulesOut
    counts: dict[MemberState, int] = Field(description="How many stations are in each state")
    created_at: datetime
    until: datetime = Field(description="How long stations that are away are waited for")
    changed_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, campaign: Campaign, counts: Counts) -> "CampaignOut":
        """Return a campaign as callers see it."""
        return cls(
            campaign_id=campaign.campaign_id,
            name=campaign.name,
            state=campaign.state,
            reason=campaign.reason,
            stations=SelectorOut.model_validate(campaign.selector),
            rules=RulesOut.model_validate(campaign.rules),
            counts=counts.by_state,
            created_at=campaign.created_at,
            until=campaign.until,
            changed_at=campaign.changed_at,
            ended_at=campaign.ended_at,
        )


class UpgradeOut(CampaignOut):
    """A campaign for another security profile, and how far it is."""

    security_profile: int
    csms_url: str | None
    allow_downgrade: bool
    check_root: bool

    @classmethod
    def of(cls, campaign: Campaign, counts: Counts) -> "UpgradeOut":
        """Return a campaign as callers see it."""
        shown = CampaignOut.of(campaign, counts)
        return cls(
            **shown.model_dump(),
            security_profile=campaign.profile,
            csms_url=None if campaign.network is None else campaign.network.url,
            allow_downgrade=campaign.allow_downgrade,
            check_root=campaign.check_root,
        )


class StepOut(BaseModel):
    """A state in which a station was."""

    model_config = ConfigDict(from_attributes=True)

    state: MemberState
    at: datetime
    reason: str


class MemberOut(BaseModel):
    """A station of a campaign, with all states that it was in."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    state: MemberState
    reason: str = Field(description="Why, in words; empty: as usual")
    changed_at: datetime
    path: Annotated[list[StepOut], Field(description="All states that it was in, the first one first")]

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        """Return a station as callers see it."""
        return cls.model_validate(member)
