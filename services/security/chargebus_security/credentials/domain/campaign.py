"""A campaign: stations whose credentials are changed in one way, at a pace; and how far each of them is. Pure."""

import math
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from chargebus_security.credentials.domain.rotation import Rotation
from chargebus_security.credentials.domain.upgrade import Network, Upgrade
from chargebus_security.trust.domain.policy import Selector

Kind = Literal["rotation", "upgrade"]
State = Literal["running", "stopped", "completed"]
Reset = Literal["never", "idle", "any"]

MemberState = Literal[
    "waiting",
    "registering",
    "telling",
    "told",
    "resetting",
    "certificate",
    "root",
    "lowering",
    "reading",
    "choosing",
    "network",
    "priority",
    "raising",
    "rolling_back",
    "done",
    "refused",
    "failed",
    "rolled_back",
    "unconfirmed",
    "cancelled",
    "left_out",
]
FINAL: Final[frozenset[MemberState]] = frozenset(
    {"done", "refused", "failed", "rolled_back", "unconfirmed", "cancelled", "left_out"}
)
BAD: Final[frozenset[MemberState]] = frozenset({"refused", "failed", "rolled_back", "unconfirmed"})
"""The ends that are counted against a campaign."""

_FIRST_STEPS: Final = 20
_LAST_STEPS: Final = 30

_TOLD_FIRST: Final[frozenset[MemberState]] = frozenset({"telling", "reading", "choosing", "network"})
"""The states of an upgrade in which a station that is not reached has what it had."""

AT_ONCE: Final = 50
"""The most stations that begin in one look."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign goes about it.

    Attributes:
        per_minute: how many stations begin in a minute.
        at_once: how many are at work at the same time; those that are idle are not.
        stop_after_failures: as many ends that are not `done` stop it; None: none do.
        reset: whether a station is reset that does not come back by itself: never, when nobody charges there (which
            OCPP 1.6 cannot say: it is not reset then), or at any time.
        return_within_s: how long a station that has taken something may take to come back with it.
        wait_s: how long stations that are away are waited for, from the campaign's beginning.
    """

    per_minute: int = 60
    at_once: int = 20
    stop_after_failures: int | None = 10
    reset: Reset = "idle"
    return_within_s: float = 120.0
    wait_s: float = 7 * 86400.0


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign; `profile`: that of an upgrade, and by which `network` stations of OCPP 2.x are to come.

    `begun_up_to`: until when its pace is used up. `reason`: why it is in its state.
    """

    campaign_id: UUID
    kind: Kind
    name: str
    selector: Selector
    rules: Rules
    created_at: datetime
    until: datetime
    begun_up_to: datetime
    state: State = "running"
    reason: str = ""
    changed_at: datetime
    ended_at: datetime | None = None
    profile: int = 0
    allow_downgrade: bool = False
    check_root: bool = True
    network: Network | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator asks for; what is left out of an upgrade is not meant in a rotation."""

    kind: Kind
    name: str
    selector: Selector
    rules: Rules
    profile: int = 0
    allow_downgrade: bool = False
    check_root: bool = True
    network: Network | None = None


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A state in which a station was, since when, and why."""

    state: MemberState
    at: datetime
    reason: str = ""


class Member(msgspec.Struct, frozen=True):
    """A station in a campaign.

    Attributes:
        state: how far it is; `path`: the states that it was in; of very many the first and the last ones.
        reason: why it is in that state, in words; empty: as usual.
        due_at: when it is looked at next; None: when something is heard of it.
        work: what is being done with it; None before it begins.
    """

    campaign_id: UUID
    station_id: str
    state: MemberState
    changed_at: datetime
    reason: str = ""
    due_at: datetime | None = None
    path: tuple[Step, ...] = ()
    work: Rotation | Upgrade | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is done with it."""
        return self.state in FINAL

    @property
    def is_active(self) -> bool:
        """Whether something is being done with it."""
        return self.state != "waiting" and not self.is_final

    @property
    def is_idle(self) -> bool:
        """Whether it is active, and waits, for as long as it takes, for a station that still has what it had.

        One that was told and has gone is not idle, unless it was to restart when it likes: what it was told may be why.
        """
        if self.due_at is None or not self.is_active or self.work is None:
            return False
        if isinstance(self.work, Rotation):
            return self.work.tries > 0 if self.state == "registering" else self.work.waits
        return self.work.told_at is None if self.state == "told" else self.state in _TOLD_FIRST


def new_member(campaign_id: UUID, station_id: str, now: datetime) -> Member:
    """Return a station that waits for its turn."""
    return moved(Member(campaign_id, station_id, "waiting", now), "waiting", now)


def moved(
    member: Member, state: MemberState, now: datetime, reason: str = "", due_at: datetime | None = None
) -> Member:
    """Return a station in another state, or in the same for another reason."""
    step = Step(state, now, reason)
    last = member.path[-1] if member.path else None
    same = last is not None and (last.state, last.reason) == (step.state, step.reason)
    path = member.path if same else (*member.path, step)
    return msgspec.structs.replace(
        member,
        state=state,
        reason=reason,
        changed_at=member.changed_at if same else now,
        due_at=due_at,
        path=path if len(path) <= _FIRST_STEPS + _LAST_STEPS else path[:_FIRST_STEPS] + path[-_LAST_STEPS:],
    )


def put_off(member: Member, due_at: datetime | None) -> Member:
    """Return a station that is looked at then."""
    return msgspec.structs.replace(member, due_at=due_at)


class Counts(msgspec.Struct, frozen=True):
    """How many stations of a campaign are in each state, and how many of the active ones are idle."""

    by_state: dict[MemberState, int]
    idle: int = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self.by_state.get("waiting", 0)

    @property
    def active(self) -> int:
        """With how many something is being done."""
        return sum(count for state, count in self.by_state.items() if state != "waiting" and state not in FINAL)

    @property
    def bad(self) -> int:
        """How many ended otherwise than they should."""
        return sum(self.by_state.get(state, 0) for state in BAD)


def may_begin(campaign: Campaign, counts: Counts, now: datetime) -> int:
    """Return how many stations may begin now, by the campaign's pace and by how many are at work."""
    if campaign.state != "running":
        return 0
    interval_s = 60.0 / campaign.rules.per_minute
    paced = math.floor((now - campaign.begun_up_to).total_seconds() / interval_s) + 1
    at_work = counts.active - counts.idle
    return max(0, min(paced, campaign.rules.at_once - at_work, AT_ONCE))


def begun(campaign: Campaign, number: int, now: datetime) -> Campaign:
    """Return a campaign in which so many stations have begun now: what it did not use of its pace before is gone."""
    if not number:
        return campaign
    interval = timedelta(seconds=60.0 / campaign.rules.per_minute)
    since = max(campaign.begun_up_to, now - interval * (number - 1))
    return msgspec.structs.replace(campaign, begun_up_to=since + interval * number)


def judged(campaign: Campaign, counts: Counts, now: datetime) -> Campaign:
    """Return a campaign after a look at how far its stations are: stopped by failures, or completed."""
    most = campaign.rules.stop_after_failures
    if campaign.state == "running" and most is not None and counts.bad >= most:
        campaign = stopped(campaign, f"{counts.bad} stations have failed", now)
    if counts.waiting or counts.active or campaign.ended_at is not None:
        return campaign
    state: State = "stopped" if campaign.state == "stopped" else "completed"
    changed_at = campaign.changed_at if state == campaign.state else now
    return msgspec.structs.replace(campaign, state=state, changed_at=changed_at, ended_at=now)


def stopped(campaign: Campaign, why: str, now: datetime) -> Campaign:
    """Return a campaign in which nothing more begins."""
    if campaign.state != "running":
        return campaign
    return msgspec.structs.replace(campaign, state="stopped", reason=why, changed_at=now)
