"""A campaign and its stations: what an operator asks for, and how far it is. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from chargebus_firmware.campaigns.domain.windows import Window
from chargebus_firmware.links.domain.link import Transport

State: TypeAlias = Literal["running", "paused", "stopped", "cancelled", "completed"]
"""`paused` by an operator, `stopped` by itself as too much failed: what has begun goes on, and nothing begins."""

MemberState: TypeAlias = Literal["waiting", "updating", "checking", "succeeded", "failed", "skipped"]

OPEN: Final[frozenset[MemberState]] = frozenset({"waiting", "updating", "checking"})
"""Of these it is not known yet what comes of them."""

LIVE: Final[frozenset[State]] = frozenset({"running", "paused", "stopped"})

MAX_BACK_OFF_S: Final = 86400.0


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which stations a campaign is for: those that are all of what is given; empty: whatever it is."""

    labels: dict[str, str] = {}
    vendor: str = ""
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


class Share(msgspec.Struct, frozen=True, omit_defaults=True):
    """How large a wave is: so many stations, or a part of all in percent, at least one."""

    count: int | None = None
    percent: float | None = None


DEFAULT_WAVES: Final = (Share(count=1), Share(percent=1.0), Share(percent=10.0))


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a campaign goes on.

    Attributes:
        waves: how large each is; those that are in none of them are a last one.
        pause_s: from when it is known what came of a wave until the next one begins.
        window: when an update may begin; None: at any time. Whenever it is, no session is open at the station.
        parallel: how many stations are updated at once.
        parallel_each, parallel_per: how many of those have one value of that label (a site) in common.
        attempts: how often a station is tried.
        retry_after_s: after the first try; twice as long after each further one, a day at most.
        wait_s: how long a station that is offline, or always busy, is waited for from the begin of its wave.
        exchange_after_s: how long before one that is ready takes its place, if the wave is not the last.
        settle_s: how long after the update a station is looked at; until twice as long it may be offline or faulted.
        charge_within_s: within what time it is to charge a vehicle again, if it had done so in as long a time before.
        fail_share, fail_count: the campaign stops when so large a part has failed of those of a wave whose update has
            ended, and they are so many, or as many as that part of the whole wave.
        over: how an image that is kept here is fetched; None: by what each station knows.
        same_version: also stations that have the version already, if the image may be installed there.
    """

    waves: tuple[Share, ...] = DEFAULT_WAVES
    pause_s: float = 3600.0
    window: Window | None = None
    parallel: int = 50
    parallel_each: int = 1
    parallel_per: str = "site"
    attempts: int = 3
    retry_after_s: float = 900.0
    wait_s: float = 14 * 86400.0
    exchange_after_s: float = 3600.0
    settle_s: float = 600.0
    charge_within_s: float = 86400.0
    fail_share: float = 0.1
    fail_count: int = 3
    over: Transport | None = None
    same_version: bool = False


class Tally(msgspec.Struct, frozen=True):
    """Of how many stations of a wave the update has ended, and how many have failed."""

    known: int = 0
    failed: int = 0


class Campaign(msgspec.Struct, frozen=True):
    """A campaign.

    Attributes:
        version: the one that the image brings.
        sizes: how many stations each wave has, without those that are skipped from the begin.
        wave: the one that is on, from 0.
        wave_begun_at, wave_ended_at: when it began, and since when it is known what came of all of its stations.
        forgiven: what had failed of this wave when an operator let a campaign go on that had stopped.
        reason, detail: why it stands still, for programs and for people.
    """

    campaign_id: UUID
    name: str
    image_id: str
    version: str
    selector: Selector
    rules: Rules
    sizes: tuple[int, ...]
    created_at: datetime
    wave_begun_at: datetime
    changed_at: datetime
    state: State = "running"
    reason: str = ""
    detail: str = ""
    wave: int = 0
    wave_ended_at: datetime | None = None
    forgiven: Tally = Tally()
    ended_at: datetime | None = None

    @property
    def is_last_wave(self) -> bool:
        """Whether no other wave comes after this one."""
        return self.wave >= len(self.sizes) - 1


Counts: TypeAlias = Mapping[tuple[int, MemberState], int]
"""How many stations of a campaign are in each wave and state."""


class Wanted(msgspec.Struct, frozen=True):
    """A campaign that is asked for."""

    name: str
    image_id: str
    selector: Selector
    rules: Rules


class Shown(msgspec.Struct, frozen=True):
    """A campaign, and how far it is."""

    campaign: Campaign
    counts: Counts


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A state that a station came into, when, and why."""

    state: MemberState
    at: datetime
    reason: str = ""
    detail: str = ""
    update_id: UUID | None = None


class Member(msgspec.Struct, frozen=True):
    """A station in a campaign.

    Attributes:
        position: the order in which stations get their turn.
        place: the value of the label by which updates at once are bounded; empty: it has none, and stands for itself.
        look_at: when it is to be looked at next, at the latest; of those that wait only while their wave is on.
        attempts: how often it was tried.
        update_id: the newest try.
        began_at, updated_at: when that began, and when it brought the version.
        charged_before, faulted_before: when the station charged a vehicle last before that, and whether it was faulted.
        path: every state that it was in, oldest first.
    """

    station_id: str
    wave: int
    position: int
    place: str
    look_at: datetime
    state: MemberState = "waiting"
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    update_id: UUID | None = None
    began_at: datetime | None = None
    updated_at: datetime | None = None
    charged_before: datetime | None = None
    faulted_before: bool = False
    path: tuple[Step, ...] = ()


def moved(member: Member, state: MemberState, at: datetime, reason: str = "", detail: str = "") -> Member:
    """Return a station in another state, and how it came there."""
    step = Step(state, at, reason, detail, member.update_id)
    return msgspec.structs.replace(member, state=state, reason=reason, detail=detail, path=(*member.path, step))


def changed(campaign: Campaign, state: State, at: datetime, reason: str = "", detail: str = "") -> Campaign:
    """Return a campaign in another state, and why."""
    ended_at = at if state in ("cancelled", "completed") else None
    return msgspec.structs.replace(
        campaign, state=state, reason=reason, detail=detail, changed_at=at, ended_at=ended_at
    )


def back_off(rules: Rules, attempts: int) -> timedelta:
    """Return how long a station rests after so many tries."""
    return timedelta(seconds=min(rules.retry_after_s * 2.0 ** max(attempts - 1, 0), MAX_BACK_OFF_S))
