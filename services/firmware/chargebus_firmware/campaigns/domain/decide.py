"""What is to be done in a campaign now: which stations begin, which are tried again, whether it goes on; pure.

A look sees a few of the stations that something may be done about, and how many there are of each kind. What it leaves
undone, because only so many are seen at once, the next look does, which then comes `again` at once.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import msgspec

from chargebus_firmware.campaigns.domain.campaign import (
    OPEN,
    Campaign,
    Member,
    MemberState,
    State,
    Tally,
    back_off,
    changed,
    moved,
)
from chargebus_firmware.campaigns.domain.health import Facts, begin_check, checked
from chargebus_firmware.campaigns.domain.windows import opens_at
from chargebus_firmware.updates.domain.update import RETRIED

AT_ONCE: Final = 200
"""How many stations of each kind a look sees at most."""

LOOK_AGAIN: Final = timedelta(minutes=5)
"""When a station that cannot begin is looked at again, if nothing is heard of it before."""

_BUSY_AGAIN: Final = timedelta(minutes=15)
_NOT_READY: Final = frozenset({"offline", "charging"})
_FAULTS: Final = frozenset({"unknown_image", "not_served"})
"""Refusals that are nothing of the station's."""
_BEGINS: Final[tuple[State, ...]] = ("running", "cancelled")
_UPDATED: Final[tuple[MemberState, ...]] = ("checking", "succeeded")
_FEW: Final = 10
_IDLE_LOOK: Final = timedelta(minutes=10)

Obstacle = Literal["offline", "charging", "window", "removed"]


class Update(Protocol):
    """What came of an update that was begun for a station."""

    @property
    def verdict(self) -> str: ...  # noqa: D102 - see `updates`
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102


class Seen(msgspec.Struct, frozen=True):
    """What a look sees of a campaign.

    Attributes:
        counts: how many stations are in each wave and state.
        updating_at: how many are being updated, by place.
        ended: stations whose update has ended, with it; also those that had failed and have the version after all.
        due: stations that are checked and due to be looked at.
        waiting: stations of the wave that is on that may begin, but for those of places that are full, in order; of a
            campaign that was cancelled, any that wait.
        spares: stations of later waves that are ready, in order; looked for only where they may be needed.
        next_at: when a station that is not among these is to be looked at next.
        more: whether there are more than those that have ended or are due; `more_waiting`: that wait.
    """

    counts: Mapping[tuple[int, MemberState], int]
    updating_at: Mapping[str, int] = {}
    ended: Sequence[tuple[Member, Update]] = ()
    due: Sequence[tuple[Member, Facts | None]] = ()
    waiting: Sequence[tuple[Member, Facts | None]] = ()
    spares: Sequence[tuple[Member, Facts | None]] = ()
    next_at: datetime | None = None
    more: bool = False
    more_waiting: bool = False


def most_waiting(campaign: Campaign, updating: int) -> int:
    """Return how many stations that wait a look is to see: about as many as there is room for."""
    return min(AT_ONCE, 2 * (campaign.rules.parallel - updating) + _FEW)


def at_work(campaign: Campaign, updating_at: Mapping[str, int], ended: Sequence[Member]) -> tuple[int, list[str]]:
    """Return how many stations are being updated, and which places are full, without those whose update has ended."""
    freed = Counter(member.place for member in ended if member.state == "updating")
    left = {place: count - freed[place] for place, count in updating_at.items()}
    return sum(left.values()), [p for p, count in left.items() if p and count >= campaign.rules.parallel_each]


class Decision(msgspec.Struct, frozen=True):
    """What is to be done: `members` are those that have changed, `starts` those among them that an update begins for.

    `next_look_at` is None when nothing is left to be done.
    """

    campaign: Campaign
    members: tuple[Member, ...] = ()
    starts: tuple[str, ...] = ()
    next_look_at: datetime | None = None
    again: bool = False


def decide(campaign: Campaign, seen: Seen, now: datetime) -> Decision:
    """Return what is to be done in a campaign now."""
    look = _Look(campaign, seen, now)
    for member, update in seen.ended:
        look.put(member, _after_update(campaign, member, update, now))
    for member, station in seen.due:
        look.put(member, checked(campaign, member, station, now))
    look.judge()
    if look.campaign.state == "running":
        look.begin()
    elif look.campaign.state == "cancelled":
        for member, _ in seen.waiting:
            look.put(member, moved(member, "skipped", now, "cancelled", "The campaign was cancelled before its turn."))
    look.go_on()
    return look.decision()


def not_begun(campaign: Campaign, member: Member, why: str, detail: str, now: datetime) -> Member:
    """Return a station that was to begin, and could not; one that is not ready, or at another update, is waited for."""
    waits = msgspec.structs.replace(
        member, attempts=member.attempts - 1, look_at=now + _BUSY_AGAIN, path=member.path[:-1]
    )
    if why in _NOT_READY or (why == "busy" and now < _given_up_at(campaign)):
        return msgspec.structs.replace(waits, state="waiting", reason=why, detail=detail)
    return moved(waits, "failed" if why in _FAULTS else "skipped", now, why, detail)


def obstacle(campaign: Campaign, station: Facts | None, now: datetime) -> tuple[Obstacle, datetime] | None:
    """Return what keeps a station from being updated now, and when to look again; None: nothing does."""
    if station is None or station.removed:
        return "removed", now
    if not station.online:
        return "offline", now + LOOK_AGAIN
    if station.open_sessions:
        return "charging", now + LOOK_AGAIN
    opens = opens_at(campaign.rules.window, station.time_zone, now)
    return None if opens <= now else ("window", opens)


def may_exchange(campaign: Campaign, now: datetime) -> bool:
    """Tell whether stations of later waves may take the places of those that are not ready."""
    since = campaign.wave_begun_at + timedelta(seconds=campaign.rules.exchange_after_s)
    return not campaign.is_last_wave and now >= since


class _Look:
    """One look at a campaign: what it has decided so far."""

    def __init__(self, campaign: Campaign, seen: Seen, now: datetime) -> None:
        self.campaign = campaign
        self._seen = seen
        self._now = now
        self._counts = Counter(seen.counts)
        self._places = Counter(seen.updating_at)
        self._updating = self._places.total()
        self._members: dict[str, Member] = {}
        self._starts: list[str] = []
        self._left = False

    def put(self, before: Member, after: Member) -> None:
        """Note what a station has become."""
        self._members[before.station_id] = after
        self._counts[before.wave, before.state] -= 1
        self._counts[after.wave, after.state] += 1
        for member, more in ((before, -1), (after, 1)):
            if member.state == "updating":
                self._places[member.place] += more
                self._updating += more

    def judge(self) -> None:
        """Stop the campaign where too much has failed."""
        campaign, rules = self.campaign, self.campaign.rules
        if campaign.state != "running":
            return
        tally = tally_of(campaign, self._counts)
        newly_failed, newly_known = tally.failed - campaign.forgiven.failed, tally.known - campaign.forgiven.known
        least = min(rules.fail_count, max(1, math.ceil(rules.fail_share * campaign.sizes[campaign.wave])))
        if newly_failed >= least and newly_failed >= rules.fail_share * newly_known:
            detail = f"{newly_failed} of {newly_known} stations of wave {campaign.wave + 1} have failed."
            self.campaign = changed(campaign, "stopped", self._now, "too_many_failures", detail)

    def begin(self) -> None:
        """Begin with the stations whose turn it is, as far as there is room."""
        spares = [(member, station) for member, station in self._seen.spares if self._obstacle(station) is None]
        for member, station in self._seen.waiting:
            self._take(member, station, spares)

    def go_on(self) -> None:
        """End a wave of which it is known what came of all its stations, and begin the next after the pause."""
        campaign = self.campaign
        if campaign.state != "running":
            return
        if self._open(campaign.wave):
            if campaign.wave_ended_at is not None:
                self.campaign = msgspec.structs.replace(campaign, wave_ended_at=None)
            return
        if campaign.is_last_wave:
            if not self._open():
                self.campaign = changed(campaign, "completed", self._now)
            return
        ended_at = campaign.wave_ended_at or self._now
        if self._now < ended_at + timedelta(seconds=campaign.rules.pause_s):
            self.campaign = msgspec.structs.replace(campaign, wave_ended_at=ended_at)
            return
        self._left = True
        self.campaign = msgspec.structs.replace(
            campaign,
            wave=campaign.wave + 1,
            wave_begun_at=self._now,
            wave_ended_at=None,
            forgiven=Tally(),
            changed_at=self._now,
        )

    def decision(self) -> Decision:
        """Return what was decided."""
        campaign = self.campaign
        room = campaign.state == "cancelled" or self._updating < campaign.rules.parallel
        again = self._seen.more or self._left or (self._seen.more_waiting and room and campaign.state in _BEGINS)
        return Decision(
            campaign,
            tuple(self._members.values()),
            tuple(self._starts),
            None if campaign.ended_at is not None and not self._open() else self._next_look_at(again=again),
            again,
        )

    def _take(self, member: Member, station: Facts | None, spares: list[tuple[Member, Facts | None]]) -> None:
        """Let a station begin, or note what it waits for."""
        if station is not None and not station.removed and self._needs_none(station):
            self.put(member, _up_to_date(member, self.campaign, self._now))
            return
        found = self._obstacle(station)
        if found is None:
            self._begin_with(member, station)
        elif found[0] == "removed":
            self.put(member, moved(member, "skipped", self._now, "removed", "The station is not registered any more."))
        elif self._now >= _given_up_at(self.campaign):
            self.put(member, _given_up(member, found[0], self._now))
        elif spares and found[0] != "window" and may_exchange(self.campaign, self._now):
            spare, ready = spares.pop(0)
            self._begin_with(self._exchange(member, spare), ready)
        else:
            self.put(member, msgspec.structs.replace(member, look_at=found[1], reason=found[0], detail=""))

    def _begin_with(self, member: Member, station: Facts | None) -> None:
        """Begin, unless as many are being updated as may be, in all or at its place: then it is left as it is."""
        rules = self.campaign.rules
        if station is None or self._updating >= rules.parallel:
            return
        if member.place and self._places[member.place] >= rules.parallel_each:
            return
        tried = msgspec.structs.replace(
            member,
            attempts=member.attempts + 1,
            update_id=None,
            began_at=self._now,
            charged_before=station.last_ended_at,
            faulted_before=station.faulted,
        )
        self.put(member, moved(tried, "updating", self._now))
        self._starts.append(member.station_id)

    def _exchange(self, member: Member, spare: Member) -> Member:
        """Let a station of a later wave take the place of one that is not ready; return it."""
        detail = f"{spare.station_id} took its place in wave {member.wave + 1}."
        later = msgspec.structs.replace(member, wave=spare.wave, position=spare.position, look_at=self._now)
        self.put(member, moved(later, "waiting", self._now, "exchanged", detail))
        detail = f"It took the place of {member.station_id} in wave {member.wave + 1}."
        sooner = msgspec.structs.replace(spare, wave=member.wave, position=member.position, look_at=self._now)
        taken = moved(sooner, "waiting", self._now, "exchanged", detail)
        self.put(spare, taken)
        return taken

    def _needs_none(self, station: Facts) -> bool:
        """Tell whether a station has the version; where it is to be installed again, to have it tells nothing."""
        return not self.campaign.rules.same_version and station.firmware_version == self.campaign.version

    def _obstacle(self, station: Facts | None) -> tuple[Obstacle, datetime] | None:
        return obstacle(self.campaign, station, self._now)

    def _open(self, wave: int | None = None) -> int:
        """Return of how many stations it is not known yet what comes of them: of a wave, or of all."""
        return sum(
            count for (of, state), count in self._counts.items() if state in OPEN and (wave is None or of == wave)
        )

    def _next_look_at(self, *, again: bool) -> datetime:
        campaign, now = self.campaign, self._now
        if again:
            return now
        times = [now + _IDLE_LOOK]
        if self._seen.next_at is not None:
            times.append(self._seen.next_at)
        if campaign.wave_ended_at is not None and campaign.state == "running":
            times.append(campaign.wave_ended_at + timedelta(seconds=campaign.rules.pause_s))
        times += [
            member.look_at
            for member in self._members.values()
            if member.state == "checking" or (member.state == "waiting" and member.wave == campaign.wave)
        ]
        return max(now, min(times))


def tally_of(campaign: Campaign, counts: Mapping[tuple[int, MemberState], int]) -> Tally:
    """Return how many stations of the wave that is on have failed, of how many whose update has ended.

    Those that are still checked are among these: failures are known at once, and what is well only after a while.
    """
    failed = counts.get((campaign.wave, "failed"), 0)
    others = sum(counts.get((campaign.wave, state), 0) for state in _UPDATED)
    return Tally(failed + others, failed)


def resumed(campaign: Campaign, tally: Tally, now: datetime) -> Campaign:
    """Return a campaign that goes on; what had failed so far of its wave does not stop it again."""
    return changed(msgspec.structs.replace(campaign, wave_begun_at=now, forgiven=tally), "running", now)


def _after_update(campaign: Campaign, member: Member, update: Update, now: datetime) -> Member:
    if update.verdict == "succeeded":
        return begin_check(member, campaign.rules, now)
    if update.verdict == "cancelled":
        return moved(member, "skipped", now, update.reason, update.detail)
    may_retry = update.reason in RETRIED and campaign.state != "cancelled"
    if may_retry and member.attempts < campaign.rules.attempts:
        rests = msgspec.structs.replace(member, look_at=now + back_off(campaign.rules, member.attempts))
        return moved(rests, "waiting", now, update.reason, update.detail)
    return moved(member, "failed", now, update.reason, update.detail)


def _up_to_date(member: Member, campaign: Campaign, now: datetime) -> Member:
    if member.attempts:
        return begin_check(member, campaign.rules, now)
    return moved(member, "skipped", now, "has_version", f"It has version {campaign.version} already.")


def _given_up(member: Member, what: Obstacle, now: datetime) -> Member:
    detail = {"offline": "It was not connected.", "charging": "It was always charging."}.get(what, "It had no window.")
    if member.attempts:
        return moved(member, "failed", now, what, f"After {member.attempts} tries: {detail}")
    return moved(member, "skipped", now, what, detail)


def _given_up_at(campaign: Campaign) -> datetime:
    return campaign.wave_begun_at + timedelta(seconds=campaign.rules.wait_s)
