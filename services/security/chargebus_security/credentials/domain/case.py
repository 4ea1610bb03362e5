"""A station with which something is being done, and all that is decided by. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from chargebus_security.credentials.domain import campaign as life
from chargebus_security.credentials.domain.campaign import Campaign, Member, MemberState
from chargebus_security.credentials.domain.facts import Action, Facts
from chargebus_security.credentials.domain.rotation import Rotation
from chargebus_security.credentials.domain.upgrade import Upgrade

W = TypeVar("W", Rotation, Upgrade)
Decision: TypeAlias = tuple[Member, Action | None]

_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(hours=1)
_DOUBLINGS: Final = 10
_TRIES_AT_ONCE: Final = 3


@dataclass(frozen=True)
class Case(Generic[W]):
    """A station of a campaign, what is being done with it, what is known of it, and the time."""

    member: Member
    work: W
    campaign: Campaign
    facts: Facts
    now: datetime

    @property
    def is_late(self) -> bool:
        """Whether the campaign waits no more."""
        return self.now >= self.campaign.until

    def having(self, **changes: Any) -> "Case[W]":  # noqa: ANN401 - fields of the work
        """Return it with something of the work changed."""
        return replace(self, work=msgspec.structs.replace(self.work, **changes))

    def moved(self, state: MemberState, reason: str = "", due_at: datetime | None = None) -> Member:
        """Return the station in a state, and with the work as it is here."""
        with_work = msgspec.structs.replace(self.member, work=self.work)
        return life.moved(with_work, state, self.now, reason, due_at)

    def put_off(self, due_at: datetime | None) -> Decision:
        """Return the station, with the work as it is here, to be looked at then; None: when it is heard of."""
        return life.put_off(msgspec.structs.replace(self.member, work=self.work), due_at), None


def wait(tries: int) -> timedelta:
    """Return after how long something is tried again."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(tries - 1, _DOUBLINGS))


def again_at(member: Member, tries: int, now: datetime) -> datetime:
    """Return when a station that is there again is told what did not reach it.

    That is at once, but for one that comes and goes and was not reached several times.
    """
    if tries <= _TRIES_AT_ONCE:
        return now
    return min(member.due_at or now, now + wait(tries))
