"""The steering of one EVSE: what its station was told, what may hold there, what it was seen to draw; and what counts.

That power is never promised twice rests on `counted`: it is never below what a station that obeys could draw by any of
the limits that it may hold. All amperes are per phase, on the site's side.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.sites.domain.site import Evse, PerPhase, Policy
from chargebus_smart_charging.steering.domain.habits import Habits, Rung
from chargebus_smart_charging.steering.domain.held import (
    CLOCK_S,
    MOST_OFFLINE_S,
    UNLIMITED,
    Asking,
    Order,
    Pulled,
    Slot,
)
from chargebus_smart_charging.steering.domain.resolving import USUAL_MAX_A, USUAL_MIN_A

ALL_PHASES: Final = (1, 2, 3)

TOLERANCE_A: Final = 0.5
TOLERANCE: Final = 0.05
"""A reading above a limit by less than the larger of these, in amperes and as a share, is the meter's."""

DISOBEDIENT_MARGIN: Final = 1.1
"""A station that does not obey is counted at so many times what it was seen to draw."""

Use: TypeAlias = Literal["unknown", "idle", "busy"]
Answer: TypeAlias = Literal["accepted", "refused", "unsupported", "absent", "limited", "unknown", "undelivered"]

STRIKES: Final = 2
"""How often in a row a way is refused, or taken and not obeyed, before the next one is tried."""

_BACK_OFF: Final = timedelta(seconds=10)
_MOST_BACK_OFF: Final = timedelta(minutes=10)
_UNREACHED: Final = timedelta(seconds=1)
_MOST_UNREACHED: Final = timedelta(minutes=2)
_LONG_OFFLINE: Final = timedelta(seconds=MOST_OFFLINE_S - 2 * CLOCK_S)
_LIMITED: Final = timedelta(minutes=1)
CHECKED_WITHIN: Final = timedelta(seconds=30)
_RESUMES_WITHIN: Final = timedelta(minutes=2)
_RESUMED_SOON: Final = timedelta(seconds=5)
_BEYOND_STEP_A: Final = 0.5
_BEYOND_LASTS: Final = timedelta(minutes=15)
"""What is drawn beyond a limit is known in such steps, and falls after such a time: meters are never quite still."""
ROUNDING_A: Final = 0.05
"""What is above a limit by less is a matter of rounding."""
_IN_A_ROW: Final = 16
"""So many reductions in a row are known each by itself: more than come within the time that one is given."""

CEILING_LASTS: Final = timedelta(minutes=30)
"""For how long what others allow is planned with: below it a station cannot say that it is over."""


def fresh_for(policy: Policy) -> timedelta:
    """Return for how long a reading tells what is drawn."""
    return timedelta(seconds=2 * max(policy.interval_s, policy.grace_s))


class Steerable(msgspec.Struct, frozen=True):
    """An EVSE as it can be steered.

    Attributes:
        evse: what it is, nothing left out (see `resolving`).
        policy: what its site asks for.
        habits: how its station behaves.
        version: the OCPP version that its station speaks; empty: not known.
        default_a: what its station is to allow by itself.
        alone: it is the only EVSE of its station.
        limit_key: its station's configuration key for its limit; empty: it has none.
        id_token, id_token_type: of who charges, or has charged last.
        phases: the phases of the site, from 0 to 2, that the vehicle uses; None: all of the EVSE's.
        needs_at: when the vehicle said what it needs: its station then waits for a limit, be it the same.
    """

    evse: Evse
    policy: Policy = Policy()
    habits: Habits = Habits()
    version: str = ""
    default_a: float = 0.0
    alone: bool = True
    limit_key: str = ""
    id_token: str = ""
    id_token_type: str = ""
    phases: tuple[int, ...] | None = None
    needs_at: datetime | None = None

    @property
    def max_a(self) -> float:
        """The most that it can draw."""
        return USUAL_MAX_A if self.evse.max_a is None else self.evse.max_a

    @property
    def min_a(self) -> float:
        """The least at which a vehicle charges."""
        return USUAL_MIN_A if self.evse.min_a is None else self.evse.min_a

    @property
    def grace(self) -> timedelta:
        """How long the station may take to obey."""
        return timedelta(seconds=self.policy.grace_s)

    @property
    def fresh(self) -> timedelta:
        """For how long a reading tells what is drawn."""
        return fresh_for(self.policy)

    @property
    def watt_phases(self) -> int:
        """Over how many phases its limits are told in watts; 0: they are told in amperes."""
        return len(self.used_phases) if self.habits.unit == "W" else 0

    @property
    def used_phases(self) -> tuple[int, ...]:
        """The phases of the site, from 0 to 2, on which it can draw."""
        if self.phases is not None:
            return self.phases
        return tuple(phase - 1 for phase in self.evse.phases or ALL_PHASES)


class Settling(msgspec.Struct, frozen=True):
    """A reduction that was accepted and is not seen yet.

    Attributes:
        from_a: what may still be drawn; `UNLIMITED` where nothing was told before.
        to_a: what is to be drawn at most.
        since: when it was accepted.
        before_a: what was seen to be drawn last before that.
        lowered: of several in a row, of which none was seen, when each was accepted, and what might be drawn before.
    """

    from_a: float
    to_a: float
    since: datetime
    before_a: float | None = None
    lowered: tuple[tuple[datetime, float], ...] = ()

    @property
    def each(self) -> tuple[tuple[datetime, float], ...]:
        """Of each in a row when it was accepted, and what might be drawn, or was, before that."""
        return self.lowered or ((self.since, max(self.from_a, self.before_a or 0.0)),)


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often in a row something was not taken, and before when it is not told again."""

    strikes: int = 0
    at: datetime | None = None

    def again(self, now: datetime, least: timedelta = timedelta(0)) -> "Retry":
        """Return it after one more time; the next is not before `least` has passed."""
        return self._after(now + max(least, min(_BACK_OFF * 2**self._doubled, _MOST_BACK_OFF)))

    def unreached(self, now: datetime) -> "Retry":
        """Return it after a station was not reached once more: often that is over in a moment."""
        return self._after(now + min(_UNREACHED * 2**self._doubled, _MOST_UNREACHED))

    @property
    def _doubled(self) -> int:
        return min(self.strikes + 1, 10)

    def _after(self, at: datetime) -> "Retry":
        return Retry(self.strikes + 1, at)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it may be told now."""
        return self.at is None or now >= self.at


class Seen(msgspec.Struct, frozen=True):
    """What was drawn on the phase with the most, when."""

    amperes: float
    at: datetime


class Beyond(msgspec.Struct, frozen=True):
    """By how much an EVSE draws more than it may, in whole steps, and when it was last seen to draw so much more."""

    amperes: float
    at: datetime


class Steered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the steering of an EVSE; as it stands here, of one of which nothing was ever heard.

    Attributes:
        rung: the way in which it is steered.
        limit: the limit of what it charges, whatever the way.
        default: the station's own default, which holds where there is no limit.
        settling: a reduction that is not seen yet.
        online: whether the station is connected, `online_at` since when it is so or not.
        use: whether there is a transaction, `use_at` since when that is known.
        transaction_id, began_at: of the transaction.
        seen: the last reading.
        beyond: the most that it was seen to draw beyond its limit lately, by too little to say that it disobeys.
        reported_a: what the station said last that it allows, where that is more than it was told.
        ceiling_a: what it said that others allow, where that is less, and `ceiling_at` when.
        report_at: when it was asked for the report of its profiles that was taken last; `drifted`: the default that it
            was given was not in it.
        disobeys_since: when it was found to draw more than it may.
        clearing: what clears the profile of its transaction that was left when its limit was taken in another way.
        retry, default_retry, acting_retry, clearing_retry: how often a limit, the default, what else it was asked, or
            that clearing, was not taken.
        unreached: how often in a row nothing reached the station though it counts as connected: that is no strike.
        refused: the ways that it did not take, or took and did not obey, since it booted.
        zero_refused: it does not take 0; `zero_in_doubt`: a default was refused that is 0, perhaps as it is a default.
        default_kept: whether its default has outlived the last boot, where its station said so.
        dynamic_refused: it has refused a dynamic profile, or does not know of one that it was given.
        pulled: what it was answered last when it asked for the limit of a dynamic profile.
        acting: what it was asked for besides limits, and has not answered.
        contained_at: when it was suspended or disabled, and `contained_by` by which order.
        last_number: of its last order.
        raised_at: when it was told more the last time.
        verified_at: when what it holds was compared the last time; `verifying` is what it was asked for that.
        alerts: the rules of the alerts that are open about it.
    """

    rung: Rung = "TxProfile"
    limit: Slot = Slot()
    default: Slot = Slot()
    settling: Settling | None = None
    online: bool = False
    online_at: datetime | None = None
    use: Use = "unknown"
    use_at: datetime | None = None
    transaction_id: str = ""
    began_at: datetime | None = None
    booted_at: datetime | None = None
    seen: Seen | None = None
    beyond: Beyond | None = None
    reported_a: float | None = None
    ceiling_a: float | None = None
    ceiling_at: datetime | None = None
    report_at: datetime | None = None
    drifted: bool = False
    disobeys_since: datetime | None = None
    retry: Retry = Retry()
    default_retry: Retry = Retry()
    acting_retry: Retry = Retry()
    clearing: Order | None = None
    clearing_retry: Retry = Retry()
    unreached: Retry = Retry()
    refused: tuple[Rung, ...] = ()
    zero_refused: bool = False
    zero_in_doubt: bool = False
    default_kept: bool | None = None
    dynamic_refused: bool = False
    pulled: Pulled | None = None
    acting: Order | None = None
    contained_at: datetime | None = None
    contained_by: Asking | None = None
    last_number: int = 0
    raised_at: datetime | None = None
    verified_at: datetime | None = None
    verifying: Order | None = None
    alerts: tuple[str, ...] = ()


# What counts


def counted(steered: Steered, steerable: Steerable, now: datetime) -> PerPhase:
    """Return the most that an EVSE may draw now, on each phase of the site."""
    amperes, another_a = counted_a(steered, steerable, now), _of_another_a(steered, steerable, now)
    on_others = {phase - 1: another_a for phase in steerable.evse.phases or ALL_PHASES}
    first, second, third = (
        amperes if phase in steerable.used_phases else on_others.get(phase, 0.0) for phase in range(3)
    )
    return first, second, third


def _of_another_a(steered: Steered, steerable: Steerable, now: datetime) -> float:
    """Return what a vehicle may draw on other phases that has come while its station could not tell of it."""
    if steered.online and not _is_back(steered, steerable, now):
        return 0.0
    if steered.rung == "none" or steered.disobeys_since is not None:
        return steerable.max_a
    held_a = max(_by_default_a(steered, now), steerable.min_a)
    return min(held_a * max(steered.default.phases, 1), steerable.max_a)


def counted_a(steered: Steered, steerable: Steerable, now: datetime) -> float:
    """Return the most that an EVSE may draw now, on each phase that it uses."""
    drawn_a = _drawn_a(steered, steerable, now)
    allowed_a = min(_allowed_a(steered, steerable, now) * _spread(steered, steerable), steerable.max_a)
    return allowed_a if drawn_a is None or is_within(drawn_a, allowed_a) else drawn_a


def _spread(steered: Steered, steerable: Steerable) -> float:
    """Return how many times its limit a phase may carry: of watts for several phases, a vehicle may draw all on one."""
    told = max(steered.limit.phases, steered.default.phases)
    used = len(steerable.used_phases) if steerable.phases is not None else 1
    return max(told / used, 1.0) if told else 1.0


def _allowed_a(steered: Steered, steerable: Steerable, now: datetime) -> float:
    """Return what it is to be reckoned with by what its station may hold, and by how it behaves."""
    if not steered.online or _is_back(steered, steerable, now):
        if steered.rung == "none" or steered.disobeys_since is not None:
            return UNLIMITED
        return max(_by_limits_a(steered, steerable, now), _by_default_a(steered, now), steerable.min_a)
    if steered.use == "idle":
        return 0.0
    if steered.rung == "none":
        return UNLIMITED
    held_a = _by_limits_a(steered, steerable, now)
    if steered.disobeys_since is None:
        return held_a
    drawn_a = _drawn_a(steered, steerable, now)
    return UNLIMITED if drawn_a is None else max(held_a, drawn_a * DISOBEDIENT_MARGIN)


def _by_limits_a(steered: Steered, steerable: Steerable, now: datetime) -> float:
    most = _most_a(steered, now)
    if steered.settling is not None and not _is_settled(steered, steerable, now):
        most = max(most, steered.settling.from_a)
    return most if steered.reported_a is None else max(most, steered.reported_a)


def _by_default_a(steered: Steered, now: datetime) -> float:
    return steered.default.most_a(UNLIMITED, now)


def _is_back(steered: Steered, steerable: Steerable, now: datetime) -> bool:
    """Tell whether its station has just come back, and may not yet have told what began while it was away."""
    if steered.online_at is None or now >= steered.online_at + steerable.grace:
        return False
    return steered.use_at is None or steered.use_at <= steered.online_at


def _is_surely_idle(steered: Steered) -> bool:
    """Tell whether nothing charges, as its station said since it came back."""
    if steered.use != "idle" or not steered.online or steered.use_at is None or steered.online_at is None:
        return False
    return steered.use_at > steered.online_at


def _drawn_a(steered: Steered, steerable: Steerable, now: datetime) -> float | None:
    """Return what it was seen to draw, where that was a short while ago."""
    if steered.seen is None or now > steered.seen.at + steerable.fresh:
        return None
    return steered.seen.amperes


def _is_settled(steered: Steered, steerable: Steerable, now: datetime) -> bool:
    """Tell whether a reduction holds: it was seen to come down, or has had its time and nothing speaks against it.

    A station that measures and has said nothing since is counted as before; one that never measures is believed.
    """
    settling, seen = steered.settling, steered.seen
    if settling is None:
        return True
    after = seen if seen is not None and seen.at > settling.since else None
    if after is not None and not is_within(after.amperes, settling.to_a):
        return False
    if now < settling.since + steerable.grace:
        return after is not None and settling.before_a is not None and not is_within(settling.before_a, settling.to_a)
    return after is not None or (seen is None and steerable.policy.unmeasured == "trust")


def is_within(drawn_a: float, limit_a: float) -> bool:
    """Tell whether what was drawn is no more than a limit, as well as it can be measured."""
    return drawn_a <= limit_a + max(TOLERANCE_A, TOLERANCE * limit_a)


def allowed_when_seen_a(steered: Steered, steerable: Steerable) -> float:
    """Return what its station may have drawn when it was seen last, a reduction having had its time."""
    if steered.seen is None:
        return UNLIMITED
    at = steered.seen.at
    held_a = max(_most_a(steered, at), _most_a(steered, at - steerable.grace))
    lowered = () if steered.settling is None else steered.settling.each
    return max((held_a, *(from_a for since, from_a in lowered if at < since + steerable.grace)))


# What happens to it


def told(steered: Steered, order: Order, steerable: Steerable) -> Steered:
    """Return it after its station was told something."""
    changes: dict[str, object] = {"last_number": max(order.number, steered.last_number)}
    if clears_left(order):
        changes["clearing"] = order
    elif order.asking in ("limit", "clear"):
        if order.limit_a > counted_a(steered, steerable, order.at):
            changes["raised_at"] = order.at
        changes["limit"] = steered.limit.tell(order)
        if steered.disobeys_since is not None:
            changes["retry"] = steered.retry.again(order.at, steerable.grace)
    elif order.asking == "default":
        changes["default"] = steered.default.tell(order)
    elif order.asking == "verify":
        changes["verifying"] = order
    else:
        changes["acting"] = order
    return msgspec.structs.replace(steered, **changes)


def answered(steered: Steered, number: int, answer: Answer, at: datetime) -> Steered:
    """Return it after an order ended at a time; what was not told, or has ended, changes nothing.

    `unsupported` is the refusal of the way itself; `absent` that of a transaction that its station does not know, or
    after a boot not yet; `limited` says that it is told too often; `unknown` is an answer
    that never came, or cannot be understood; what is `undelivered` has never reached the station.
    """
    after = _ended(steered, number, answer, at)
    if after is steered:
        return steered
    return msgspec.structs.replace(after, unreached=_unreached(steered.unreached, answer, at))


def _unreached(before: Retry, answer: Answer, at: datetime) -> Retry:
    """Return how often nothing was delivered, in turn: what was asked together counts once."""
    if answer != "undelivered":
        return Retry()
    return before.unreached(at) if before.is_due(at) else before


def _ended(steered: Steered, number: int, answer: Answer, at: datetime) -> Steered:
    for name in ("limit", "default"):
        slot: Slot = getattr(steered, name)
        order = next((each for each in slot.pending if each.number == number), None)
        if order is not None:
            return _slot_answered(_counted_out(steered, name, order, answer, at), name, order, answer, at)
    if steered.verifying is not None and steered.verifying.number == number:
        verified_at = steered.verified_at if answer == "undelivered" else at
        return msgspec.structs.replace(steered, verifying=None, verified_at=verified_at)
    if steered.acting is not None and steered.acting.number == number:
        return _acted(steered, steered.acting, answer, at)
    if steered.clearing is not None and steered.clearing.number == number:
        return _cleared(steered, steered.clearing, answer, at)
    return steered


def clears_left(order: Order) -> bool:
    """Tell whether an order clears the profile of a transaction that is steered in another way now."""
    return order.asking == "clear" and order.rung == "TxProfile"


def _cleared(steered: Steered, order: Order, answer: Answer, at: datetime) -> Steered:
    """Return it after its station was asked to clear what was left; that is gone only once it says so."""
    after = msgspec.structs.replace(steered, clearing=None)
    if answer == "undelivered":
        return after
    if answer != "accepted":
        return msgspec.structs.replace(after, clearing_retry=steered.clearing_retry.again(at))
    after = msgspec.structs.replace(after, clearing_retry=Retry())
    return _accepted(after, "limit", after.limit.cleared(order), at)


def _acted(steered: Steered, order: Order, answer: Answer, at: datetime) -> Steered:
    """Return it after its station was asked to suspend, resume, disable or enable it."""
    after = msgspec.structs.replace(steered, acting=None)
    if answer == "undelivered":
        return after
    if answer != "accepted":
        return msgspec.structs.replace(after, acting_retry=steered.acting_retry.again(at))
    after = msgspec.structs.replace(after, acting_retry=Retry())
    if order.asking in ("suspend", "disable"):
        return msgspec.structs.replace(after, contained_by=order.asking, contained_at=at)
    return msgspec.structs.replace(after, contained_by=None, contained_at=None)


def reported(steered: Steered, amperes: float, at: datetime, number: int | None = None) -> Steered:
    """Return it after its station said, asked to verify by an order, how much it allows now.

    More than it was told is a drift: that is counted, and it is told again. Less is what others allow; where
    it was told no more than that, its word says nothing new of them. Of an EVSE without a transaction only a default
    that is kept is believed: many stations tell of none then. What was asked before its limit was told says nothing
    of that: it is asked once more.
    """
    told_last = steered.limit.newest
    if number is not None and told_last is not None and told_last.number > number:
        return msgspec.structs.replace(steered, verifying=None)
    ceiling_a, ceiling_at = steered.ceiling_a, steered.ceiling_at
    after = msgspec.structs.replace(
        steered, verifying=None, verified_at=at, reported_a=None, ceiling_a=None, ceiling_at=None
    )
    if steered.use != "busy":
        return after
    most_a = _most_a(steered, at)
    if not is_within(amperes, most_a):
        drifted = msgspec.structs.replace(after, reported_a=amperes)
        return msgspec.structs.replace(drifted, limit=steered.limit.forget(), default=steered.default.forget())
    if not is_within(most_a, amperes):
        return msgspec.structs.replace(after, ceiling_a=amperes, ceiling_at=at)
    if ceiling_a is None or not is_within(most_a, ceiling_a):
        return after
    return msgspec.structs.replace(after, ceiling_a=ceiling_a, ceiling_at=ceiling_at)


def default_checked(steered: Steered, number: int, answer: Answer, amperes: float | None) -> Steered:
    """Return it after its station said, before it was given a default, what it allows an EVSE where nothing charges.

    What is its default to the ampere is taken for that; everything else says that there is none any more. Once that is
    known of a kind of stations to outlive boots, it is missed where one says that it allows more.
    """
    verifying, default = steered.verifying, steered.default
    if verifying is None or verifying.number != number or steered.use != "idle" or answer == "undelivered":
        return steered
    if steered.booted_at is None or verifying.at < steered.booted_at or default.pending:
        return steered
    before = default.newest
    if before is None or before.at >= steered.booted_at:
        return steered
    kept = amperes is not None and is_within(amperes, before.limit_a) and is_within(before.limit_a, amperes)
    if default.accepted is None:
        slot = default.accept(before) if kept else default
        return msgspec.structs.replace(steered, default=slot, default_kept=kept)
    if amperes is None or is_within(amperes, before.limit_a):
        return steered
    return msgspec.structs.replace(steered, default=default.forget(), default_kept=False)


def may_keep_default(steered: Steered, steerable: Steerable, now: datetime) -> bool:
    """Tell whether its station is asked if its default has outlived a boot, before it is given another.

    Only where an answer would tell: nothing charges there, and a default allows clearly less than all.
    """
    before, booted_at = steered.default.newest, steered.booted_at
    if before is None or booted_at is None or steered.default.accepted is not None or steered.default.pending:
        return False
    unknown = steerable.habits.keeps_default is None and steered.default_kept is None and steered.use == "idle"
    tells = before.at < booted_at and not is_within(steerable.max_a, before.limit_a)
    return unknown and tells and now < booted_at + CHECKED_WITHIN


def by_others_a(steered: Steered, now: datetime) -> float | None:
    """Return what others allow an EVSE, as its station said a while ago; None: nothing is known of that."""
    if steered.ceiling_at is None or now >= steered.ceiling_at + CEILING_LASTS:
        return None
    return steered.ceiling_a


def is_above_ceiling(steered: Steered, now: datetime) -> bool:
    """Tell whether it was told more than others allowed before: whether they still do, its station can say."""
    return steered.ceiling_a is not None and not is_within(_most_a(steered, now), steered.ceiling_a)


def _takes_zero(steered: Steered) -> bool:
    """Tell whether its station has taken a 0 of what it holds: if it refuses another one, that is not why."""
    accepted = (steered.limit.accepted, steered.default.accepted)
    return any(order is not None and _holds_zero(order) for order in accepted)


def _holds_zero(order: Order) -> bool:
    return any(not amperes for _, amperes in order.levels)


def _counted_out(steered: Steered, name: str, order: Order, answer: Answer, at: datetime) -> Steered:
    """Return it with what an answer tells of the ways in which it can be steered."""
    retry = "retry" if name == "limit" else "default_retry"
    before: Retry = getattr(steered, retry)
    if answer == "undelivered":
        strikes = before.strikes - 1 if name == "limit" and steered.disobeys_since is not None else before.strikes
        return msgspec.structs.replace(steered, **{retry: Retry(max(strikes, 0), before.at)})
    if answer == "accepted":
        strikes = before.strikes if steered.disobeys_since is not None else 0
        return msgspec.structs.replace(steered, **{retry: Retry(strikes, before.at if strikes else None)})
    if answer == "limited" or (answer == "absent" and _may_resume(steered, at)):
        wait = _LIMITED if answer == "limited" else _RESUMED_SOON
        return msgspec.structs.replace(steered, **{retry: Retry(before.strikes, at + wait)})
    otherwise = _otherwise(steered, order, answer)
    if otherwise is not None:
        return otherwise
    after = msgspec.structs.replace(steered, **{retry: before.again(at)})
    if order.asking == "default" and answer == "refused" and after.zero_in_doubt:
        after = msgspec.structs.replace(after, zero_refused=False, zero_in_doubt=False)
    struck_out = answer in ("refused", "absent") and before.strikes + 1 >= STRIKES
    falls = name == "limit" and order.rung not in steered.refused
    if falls and (answer == "unsupported" or struck_out):  # a way that takes nothing tells nothing of 0
        return msgspec.structs.replace(fallen(after, order.rung), zero_refused=False, zero_in_doubt=False)
    return after


def _may_resume(steered: Steered, at: datetime) -> bool:
    """Tell whether a station that does not know its transaction has booted, and may yet resume it.

    Spec: OCPP 2.1 E17, B13
    """
    return steered.booted_at is not None and at < steered.booted_at + _RESUMES_WITHIN


def _otherwise(steered: Steered, order: Order, answer: Answer) -> Steered | None:
    """Return it where what was refused can be told otherwise in the same way; None: it cannot.

    A station that refuses to update a profile does not know of it: what it was given before may be gone.
    """
    if order.dynamic and answer in ("refused", "unsupported"):
        limit = steered.limit if order.set_at is None else steered.limit.forget()
        return msgspec.structs.replace(steered, dynamic_refused=True, limit=limit)
    is_default = order.asking == "default"
    if (
        answer != "refused"
        or not _holds_zero(order)
        or _takes_zero(steered)
        or (is_default and steered.default_retry.strikes)
    ):
        return None
    if steered.zero_refused and (is_default or not steered.zero_in_doubt):
        return None
    return msgspec.structs.replace(steered, zero_refused=True, zero_in_doubt=is_default)


def fallen(steered: Steered, rung: Rung) -> Steered:
    """Return it after a way to steer it has failed: the next one is tried at once."""
    refused = steered.refused if rung in steered.refused else (*steered.refused, rung)
    return msgspec.structs.replace(steered, refused=refused, retry=Retry())


def pulled(steered: Steered, answered: Pulled) -> Steered:
    """Return it after its station was answered which limit its dynamic profile has, in this transaction."""
    if answered.transaction_id != steered.transaction_id or _is_overtaken(answered, steered.limit.accepted):
        return steered
    if steered.pulled is not None and answered.at <= steered.pulled.at:
        return steered
    return msgspec.structs.replace(steered, pulled=answered)


def in_doubt(steered: Steered) -> Pulled | None:
    """Return what its station was answered when it pulled, where it has taken something else about that time.

    Which of both came last nobody knows: each may hold.
    """
    answered, accepted = steered.pulled, steered.limit.accepted
    if answered is None or (accepted is not None and accepted.number == answered.number):
        return None
    return answered


def _is_overtaken(answered: Pulled, accepted: Order | None) -> bool:
    return accepted is not None and accepted.at >= answered.settled_at


def default_reported(steered: Steered, amperes: float | None, asked_at: datetime) -> Steered:
    """Return it after a report of all profiles said which default its station holds; None: none of ours.

    A report that was asked for before the default was accepted says nothing of it.
    """
    if steered.report_at is not None and asked_at <= steered.report_at:
        return steered
    after = msgspec.structs.replace(steered, report_at=asked_at)
    default = steered.default.accepted
    if default is None or steered.default.pending or asked_at <= default.at:
        return after
    if amperes is not None and is_within(amperes, default.limit_a):
        return msgspec.structs.replace(after, drifted=False)
    return msgspec.structs.replace(after, drifted=True, default=steered.default.forget())


def _slot_answered(steered: Steered, name: str, order: Order, answer: Answer, at: datetime) -> Steered:
    slot: Slot = getattr(steered, name)
    if answer == "accepted" and _is_stale(steered, order, at):
        answer = "unknown"
    if answer == "accepted":
        return _accepted(steered, name, slot.accept(order), at)
    left = slot.doubt(order) if answer == "unknown" else slot.refuse(order)
    return msgspec.structs.replace(steered, **{name: left})


def _is_stale(steered: Steered, order: Order, at: datetime) -> bool:
    """Tell whether what was accepted may be gone: the station has booted since, or the transaction is another."""
    if steered.booted_at is not None and at <= steered.booted_at:
        return True
    return order.asking == "limit" and order.rung == "TxProfile" and order.transaction_id != steered.transaction_id


def _accepted(steered: Steered, name: str, slot: Slot, at: datetime) -> Steered:
    """Return it after an order was accepted; where that lowers what may be drawn, it is awaited to be seen."""
    before_a = held_a = _most_a(steered, at)
    after = msgspec.structs.replace(steered, **{name: slot})
    if after.pulled is not None and _is_overtaken(after.pulled, after.limit.accepted):
        after = msgspec.structs.replace(after, pulled=None)
    after_a = _most_a(after, at)
    settling = steered.settling
    if _is_surely_idle(steered):
        return msgspec.structs.replace(after, settling=None)
    if settling is not None:
        before_a = max(before_a, settling.from_a)
    if after_a >= before_a:
        return msgspec.structs.replace(after, settling=None)
    seen_a = None if steered.seen is None else steered.seen.amperes
    if settling is not None and after_a >= settling.to_a:
        return msgspec.structs.replace(after, settling=msgspec.structs.replace(settling, to_a=after_a))
    lowered = () if settling is None else (*settling.each, (at, held_a))[-_IN_A_ROW:]
    return msgspec.structs.replace(after, settling=Settling(before_a, after_a, at, seen_a, lowered))


def _most_a(steered: Steered, now: datetime) -> float:
    most = steered.limit.most_a(_by_default_a(steered, now), now)
    pulled = in_doubt(steered)
    return most if pulled is None or pulled.is_over(now) else max(most, pulled.limit_a)


def measured(steered: Steered, phase_a: PerPhase, at: datetime, steerable: Steerable) -> Steered:
    """Return it after it was seen to draw so much on each phase of the site; an older reading changes nothing."""
    if steered.seen is not None and at <= steered.seen.at:
        return steered
    after = msgspec.structs.replace(steered, seen=Seen(max(phase_a), at))
    if after.settling is not None and _is_settled(after, steerable, at):
        after = msgspec.structs.replace(after, settling=None)
    return msgspec.structs.replace(after, beyond=_beyond(after, steerable))


def _beyond(steered: Steered, steerable: Steerable) -> Beyond | None:
    """Return what an EVSE is known to draw beyond its limit after its last reading: at once more, less only later."""
    seen, known = steered.seen, steered.beyond
    allowed_a = min(allowed_when_seen_a(steered, steerable), steerable.max_a)
    if seen is None or not is_within(seen.amperes, allowed_a):
        return known
    amperes = max(0.0, ceil((seen.amperes - allowed_a - ROUNDING_A) / _BEYOND_STEP_A) * _BEYOND_STEP_A)
    if known is None or amperes >= known.amperes or seen.at >= known.at + _BEYOND_LASTS:
        return Beyond(amperes, seen.at) if amperes else None
    return known


def beyond_a(steered: Steered, steerable: Steerable) -> float:
    """Return by how much an EVSE draws more than it may; what would be disobedience as it was seen."""
    if steered.seen is None:
        return 0.0
    allowed_a = min(allowed_when_seen_a(steered, steerable), steerable.max_a)
    if not is_within(steered.seen.amperes, allowed_a):
        return steered.seen.amperes - allowed_a
    return 0.0 if steered.beyond is None else steered.beyond.amperes


def connected(steered: Steered, at: datetime) -> Steered:
    """Return it after its station has connected, or has connected anew; after long, its limit may be gone."""
    away = steered.online_at is None or (not steered.online and at >= steered.online_at + _LONG_OFFLINE)
    limit = steered.limit.forget() if away else steered.limit
    return msgspec.structs.replace(steered, online=True, online_at=at, limit=limit, unreached=Retry())


def lost(steered: Steered, at: datetime) -> Steered:
    """Return it after its station went offline."""
    return msgspec.structs.replace(steered, online=False, online_at=at)


def booted(steered: Steered, at: datetime, steerable: Steerable) -> Steered:
    """Return it after its station has booted: it may have lost what it held, and may not."""
    keeps = steerable.habits.keeps_default
    default = steered.default if keeps else steered.default.forget()
    limit = steered.limit.forget()
    return msgspec.structs.replace(
        steered,
        limit=limit,
        default=default,
        booted_at=at,
        verified_at=None,
        verifying=None,
        retry=Retry(),
        default_retry=Retry(),
        refused=(),
        zero_refused=False,
        zero_in_doubt=False,
        dynamic_refused=False,
        default_kept=None,
    )


def transaction_began(steered: Steered, transaction_id: str, at: datetime) -> Steered:
    """Return it after a transaction began: no limit of another is its own."""
    if transaction_id == steered.transaction_id:
        return msgspec.structs.replace(steered, use="busy", use_at=at)
    gone = msgspec.structs.replace(steered, limit=steered.limit.without("TxProfile"), pulled=None, beyond=None)
    return msgspec.structs.replace(
        gone, use="busy", use_at=at, transaction_id=transaction_id, began_at=at, retry=Retry(), contained_by=None
    )


def transaction_ended(steered: Steered, at: datetime) -> Steered:
    """Return it after its transaction ended, or after its station said that it is free.

    What it drew too much is over with it; which ways have failed stays known.
    """
    gone = steered.limit.without("TxProfile")
    return msgspec.structs.replace(
        steered,
        limit=gone,
        pulled=None,
        settling=None,
        use="idle",
        use_at=at,
        transaction_id="",
        began_at=None,
        reported_a=None,
        ceiling_a=None,
        ceiling_at=None,
        disobeys_since=None,
        beyond=None,
    )
