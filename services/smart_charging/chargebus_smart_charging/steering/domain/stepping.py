"""What is to be done next about an EVSE, and what its operator is told."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.steering.domain.habits import LADDER, Rung
from chargebus_smart_charging.steering.domain.held import Asking, Level, Order
from chargebus_smart_charging.steering.domain.profiles import unit_per_a
from chargebus_smart_charging.steering.domain.steered import (
    ALL_PHASES,
    CHECKED_WITHIN,
    STRIKES,
    Retry,
    Steerable,
    Steered,
    allowed_when_seen_a,
    fallen,
    in_doubt,
    is_above_ceiling,
    is_within,
    may_keep_default,
    told,
)

Rule: TypeAlias = Literal["limit_disobeyed", "station_unsteerable", "profile_drift"]

UNSTEERABLE: Final[Rule] = "station_unsteerable"

LASTING: Final[frozenset[Rung]] = frozenset({"TxDefaultProfile", "ChargingStationMaxProfile", "configuration key"})
"""Ways whose limits outlive a transaction."""

_SMALLEST_CHANGE_A: Final = 0.05
_MOST_PENDING: Final = 3
_UNSTEERABLE_AFTER: Final = 3
_VERIFY_EVERY: Final = timedelta(hours=6)
_VERIFY_DRIFTED_EVERY: Final = timedelta(minutes=5)
_CONTAINED: Final = timedelta(minutes=15)


class Notice(msgspec.Struct, frozen=True):
    """An alert about an EVSE that opens, or is over; `detail` is for people."""

    rule: Rule
    is_open: bool
    detail: str


class Step(msgspec.Struct, frozen=True):
    """What is done now: the state after it, with what is to be asked noted as told; the alerts that change."""

    steered: Steered
    orders: tuple[Order, ...] = ()
    notices: tuple[Notice, ...] = ()


class _Wanted(msgspec.Struct, frozen=True):
    """What is wanted of an EVSE now."""

    limit_a: float | None
    ahead: Iterable[Level]
    steerable: Steerable
    now: datetime


def step(
    steered: Steered, wanted_a: float | None, steerable: Steerable, now: datetime, ahead: Iterable[Level] = ()
) -> Step:
    """Return what is to be done about an EVSE now.

    Args:
        steered: as it is known.
        wanted_a: what it is to draw at most, per phase; None: nothing is planned for it, its default is enough.
        steerable: what it is, and how its station and site are.
        now: the time.
        ahead: how the plan goes on, in order; of it, the station is told what lowers its limit.
    """
    orders: list[Order] = []
    wanted = _Wanted(wanted_a, ahead, steerable, now)
    after = _judged(steered, steerable, now)
    rung, limit = rung_of(after, steerable), after.limit.pruned(now)
    if rung != after.rung or limit is not after.limit:
        after = msgspec.structs.replace(after, rung=rung, limit=limit)
    reached = after.online and after.unreached.is_due(now)
    for part in (_default, _limit, _clearing, _containment, _verification) if reached else ():
        order = part(after, wanted)
        if order is not None:
            after = told(after, order, steerable)
            orders.append(order)
    notices = tuple(_notices(after))
    if not notices:
        return Step(after, tuple(orders))
    changed = {notice.rule for notice in notices}
    opened = (notice.rule for notice in notices if notice.is_open)
    alerts = (*(rule for rule in after.alerts if rule not in changed), *opened)
    return Step(msgspec.structs.replace(after, alerts=alerts), tuple(orders), notices)


# The way


def rung_of(steered: Steered, steerable: Steerable) -> Rung:
    """Return the way in which an EVSE is steered: the first that is open and was not refused."""
    for rung in LADDER[:-1]:
        if rung not in steered.refused and rung not in steerable.habits.refused and _is_open(rung, steerable):
            return rung
    return LADDER[-1]


def _is_open(rung: Rung, steerable: Steerable) -> bool:
    if rung == "ChargingStationMaxProfile":
        return steerable.alone
    if rung == "configuration key":
        return bool(steerable.limit_key) and steerable.alone
    if rung == "start and stop":
        return steerable.policy.on_off and bool(steerable.id_token)
    return True


def takes_zero(steered: Steered, steerable: Steerable) -> bool:
    """Tell whether an EVSE can be told to draw nothing."""
    return steerable.habits.takes_zero is not False and not steered.zero_refused


def shares_place(steered: Steered, steerable: Steerable) -> bool:
    """Tell whether its limit takes the place of its default, as its station knows one stack level."""
    return steered.rung == "TxDefaultProfile" and steerable.habits.max_stack_level == 0


def ends_in_default(steered: Steered, steerable: Steerable) -> bool:
    """Tell whether its limit has no end, after which nothing would hold, but goes over into its default."""
    return shares_place(steered, steerable) or steered.rung == "ChargingStationMaxProfile"


# Whether it obeys


def _judged(steered: Steered, steerable: Steerable, now: datetime) -> Steered:
    """Return it after its last reading was compared with what it may draw."""
    seen = steered.seen
    if seen is None or steered.use == "idle":
        return steered
    began = steered.began_at
    if began is not None and seen.at < began + steerable.grace:
        return steered
    allowed_a = allowed_when_seen_a(steered, steerable)
    obeys = is_within(seen.amperes, min(allowed_a, steerable.max_a))
    since = steered.disobeys_since
    if since is None:
        fresh = now <= seen.at + steerable.fresh
        return steered if obeys or not fresh else msgspec.structs.replace(steered, disobeys_since=seen.at)
    if obeys and seen.at >= since + steerable.grace:
        return msgspec.structs.replace(steered, disobeys_since=None, retry=Retry())
    is_limited = allowed_a < steerable.max_a  # one that may draw its most does not show whether it takes less
    if not obeys and is_limited and steered.retry.strikes >= STRIKES and steered.rung != "none":
        return fallen(steered, steered.rung)
    return steered


# What it is told


def _default(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that gives its station the default that it is to keep by itself."""
    steerable, now = wanted.steerable, wanted.now
    if shares_place(steered, steerable) or "TxDefaultProfile" in steerable.habits.refused:
        return None
    default_a = _said_a(steered, steerable, steerable.default_a)
    newest = steered.default.newest
    if newest is not None and newest not in steered.default.unsure and _is_same(newest.limit_a, default_a):
        return None
    if steered.default.pending or not steered.default_retry.is_due(now) or may_keep_default(steered, steerable, now):
        return None
    order = _order(steered, "default", now, "TxDefaultProfile")
    return msgspec.structs.replace(order, levels=((now, default_a),), phases=_all_phases(steerable))


def _limit(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that tells an EVSE its limit, where that differs or is to be renewed."""
    if steered.rung == "start and stop":
        return _start_or_stop(steered, wanted)
    if wanted.limit_a is None or steered.use == "idle":
        return _release(steered, wanted)
    way = _way(steered)
    if way == "TxProfile" and not steered.transaction_id:
        return None
    steerable, now = wanted.steerable, wanted.now
    limit_a = _said_a(steered, steerable, wanted.limit_a)
    if not _is_to_be_told(steered, limit_a, steerable, now):
        return None
    until = None if way == "configuration key" else now + timedelta(seconds=steerable.policy.profile_life_s)
    levels = _levels(steered, limit_a, wanted, until)
    order = _order(steered, "limit", now, way)
    order = msgspec.structs.replace(
        order,
        levels=levels,
        until=_end(steered, steerable, until),
        phases=steerable.watt_phases,
        per_a=unit_per_a(steerable.watt_phases, steerable),
    )
    return _updating(steered, order) if _is_dynamic(steered, order, steerable) else order


def _way(steered: Steered) -> Rung:
    """Return the way in which an EVSE is told its limit: one that no way steers is told by the first, now and then.

    What it took before may hold there, and its meter may say too much.
    """
    return LADDER[0] if steered.rung == "none" else steered.rung


def _is_dynamic(steered: Steered, order: Order, steerable: Steerable) -> bool:
    """Tell whether a limit is told by a dynamic profile: that has one level, and cannot tell what falls later.

    Spec: OCPP 2.1 K28.FR.01
    """
    takes = steerable.habits.dynamic is True and not steered.dynamic_refused
    return takes and order.rung == "TxProfile" and len(order.levels) == 1


def _updating(steered: Steered, order: Order) -> Order:
    """Return the order of a dynamic limit: an update of the profile that is held, or where that is old, another.

    An update does not move the end of the profile.

    Spec: OCPP 2.1 K29.FR.01
    """
    held = steered.limit.accepted
    only = held is not None and not steered.limit.pending and not steered.limit.unsure
    if not only or held is None or not held.dynamic or held.transaction_id != order.transaction_id:
        return msgspec.structs.replace(order, dynamic=True)
    if held.phases != order.phases or _is_half_over(held, order.at):
        return msgspec.structs.replace(order, dynamic=True)
    return msgspec.structs.replace(order, dynamic=True, until=held.until, set_at=held.set_at or held.at)


def _is_to_be_told(steered: Steered, limit_a: float, steerable: Steerable, now: datetime) -> bool:
    """Tell whether a limit goes out: less at once, more with some space and where it is worth it, the same to renew."""
    newest, pending = steered.limit.newest, steered.limit.pending
    if len(pending) >= _MOST_PENDING or not steered.retry.is_due(now):
        return False
    if newest is None or _is_void(newest, steered, steerable):
        return not pending
    present_a = newest.amperes_at(now)
    if limit_a < present_a - _SMALLEST_CHANGE_A:
        return True
    if pending:
        return False
    awaited = steerable.needs_at is not None and newest.at < steerable.needs_at
    if awaited or steered.disobeys_since is not None or _is_overdue(steered, present_a, now):
        return True
    return _is_worth_raising(steered, limit_a - present_a, steerable, now) or _is_half_over(newest, now)


def _is_overdue(steered: Steered, present_a: float, now: datetime) -> bool:
    """Tell whether its limit is to be told once more: a pull that allowed more may have been answered after it."""
    pulled = in_doubt(steered)
    return pulled is not None and now >= pulled.settled_at and pulled.limit_a > present_a + _SMALLEST_CHANGE_A


def _is_void(newest: Order, steered: Steered, steerable: Steerable) -> bool:
    """Tell whether what was told last says nothing of what holds now in the way that is taken now."""
    other_way = newest.rung != _way(steered) or newest.phases != steerable.watt_phases
    return other_way or not newest.levels or newest in steered.limit.unsure


def _is_worth_raising(steered: Steered, by_a: float, steerable: Steerable, now: datetime) -> bool:
    spacing = max(steerable.policy.spacing_s, steerable.habits.update_spacing_s or 0.0)
    spaced = steered.raised_at is None or now >= steered.raised_at + timedelta(seconds=spacing)
    return spaced and by_a >= max(steerable.policy.dead_band_a, 2 * _SMALLEST_CHANGE_A)


def _is_half_over(order: Order, now: datetime) -> bool:
    ends_at, began_at = order.until or order.levels[-1][0], order.set_at or order.at
    return ends_at > began_at and now - began_at >= ends_at - now


def _end(steered: Steered, steerable: Steerable, until: datetime | None) -> datetime | None:
    return None if ends_in_default(steered, steerable) else until


def _levels(steered: Steered, limit_a: float, wanted: _Wanted, until: datetime | None) -> tuple[Level, ...]:
    """Return the levels of a limit: the least of the plan so far, at each time, as many as the station can hold."""
    steerable, now = wanted.steerable, wanted.now
    levels = [(now, limit_a)]
    for at, amperes in wanted.ahead:
        if until is not None and at >= until:
            break
        level_a = _said_a(steered, steerable, amperes)
        if now < at and level_a < levels[-1][1] - _SMALLEST_CHANGE_A:
            levels.append((at, level_a))
    if ends_in_default(steered, steerable) and until is not None:
        default_a = _said_a(steered, steerable, steerable.default_a)
        levels += [(until, default_a)] if default_a < levels[-1][1] else []
        most = steerable.habits.max_periods or len(levels)
        return tuple(levels) if len(levels) <= most else tuple([*levels[: most - 1], levels[-1]][:most])
    return tuple(levels[: steerable.habits.max_periods or len(levels)])


def _release(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that takes back a limit that outlives its transaction."""
    newest, now = steered.limit.newest, wanted.now
    if newest is None or newest.rung not in LASTING or steered.use != "idle" or steered.limit.pending:
        return None
    if not steered.retry.is_due(now) or not newest.levels:
        return None
    if newest.rung == "TxDefaultProfile" and not shares_place(steered, wanted.steerable):
        return _order(steered, "clear", now, newest.rung)
    default_a = _said_a(steered, wanted.steerable, wanted.steerable.default_a)
    if newest in steered.limit.unsure or not _is_same(newest.amperes_at(now), default_a):
        order = _order(steered, "limit", now, newest.rung)
        phases = _all_phases(wanted.steerable)
        return msgspec.structs.replace(order, levels=((now, default_a),), phases=phases)
    return None


def _clearing(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that clears a profile of the transaction which goes before the limit that was taken since."""
    if not steered.limit.left or steered.clearing is not None or not steered.clearing_retry.is_due(wanted.now):
        return None
    return _order(steered, "clear", wanted.now, "TxProfile")


def _start_or_stop(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that stops a transaction which is to draw nothing, or starts it again."""
    now = wanted.now
    if wanted.limit_a is None or steered.acting is not None or not steered.acting_retry.is_due(now):
        return None
    if steered.use == "busy" and wanted.limit_a == 0 and steered.contained_by != "suspend":
        return _order(steered, "suspend", now, steered.rung)
    if steered.use == "idle" and wanted.limit_a > 0 and steered.contained_by == "suspend":
        order = _order(steered, "resume", now, steered.rung)
        who = wanted.steerable
        return msgspec.structs.replace(order, id_token=who.id_token, id_token_type=who.id_token_type)
    return None


def _all_phases(steerable: Steerable) -> int:
    """Return over how many phases a default is told in watts: that of any vehicle; 0: in amperes."""
    return len(steerable.evse.phases or ALL_PHASES) if steerable.habits.unit == "W" else 0


def _said_a(steered: Steered, steerable: Steerable, amperes: float) -> float:
    """Return a limit as it can be told: a step of the EVSE, a multiple of 0.1, no 0 where that is not taken."""
    most_a = min(amperes, steerable.max_a)
    step_a = max(steerable.evse.step_a or 0.0, 0.1)
    said_a = round(math.floor(round(most_a / step_a, 6)) * step_a, 1)
    return said_a if takes_zero(steered, steerable) else max(said_a, steerable.min_a)


def _is_same(one_a: float, other_a: float) -> bool:
    return abs(one_a - other_a) <= _SMALLEST_CHANGE_A


# What is done to it, and asked of it


def _containment(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that contains an EVSE which does not obey, or gives it back."""
    containment, now = wanted.steerable.policy.containment, wanted.now
    if steered.acting is not None or not steered.acting_retry.is_due(now):
        return None
    if steered.contained_by == "disable":
        over = steered.contained_at is not None and now >= steered.contained_at + _CONTAINED
        return _order(steered, "enable", now) if over else None
    since = steered.disobeys_since
    if containment == "count" or since is None or now < since + wanted.steerable.grace:
        return None
    if containment == "unavailable":
        return _order(steered, "disable", now)
    if steered.transaction_id and steered.contained_by != "suspend":
        return _order(steered, "suspend", now)
    return None


def _verification(steered: Steered, wanted: _Wanted) -> Order | None:
    """Return the order that asks what a station holds: after it was given its default, and now and then.

    Before that, where it is to be learned whether its default outlives a boot.
    """
    now = wanted.now
    if may_keep_default(steered, wanted.steerable, now):
        return _order(steered, "verify", now) if steered.verifying is None else None
    if steered.default.accepted is None or steered.default.pending or steered.limit.pending:
        return None
    if steered.verifying is not None or not steered.retry.is_due(now):
        return None
    verified_at, began_at = steered.verified_at, steered.began_at
    doubtful = steered.reported_a is not None or is_above_ceiling(steered, now)
    every = _VERIFY_DRIFTED_EVERY if doubtful else _VERIFY_EVERY
    if verified_at is not None and now < verified_at + every and (began_at is None or began_at <= verified_at):
        return None
    if began_at is not None and now < began_at + wanted.steerable.grace:
        return None
    return _order(steered, "verify", now)


def asked_at(steered: Steered) -> Iterator[datetime]:
    """Yield when an EVSE at which nobody charges is given its default, or its station is asked what it holds."""
    if steered.booted_at is not None:
        yield steered.booted_at + CHECKED_WITHIN
    if steered.verified_at is not None:
        yield steered.verified_at + _VERIFY_EVERY


def _order(steered: Steered, asking: Asking, now: datetime, rung: Rung = "TxProfile") -> Order:
    return Order(steered.last_number + 1, asking, now, rung, transaction_id=steered.transaction_id)


# What its operator is told


def _notices(steered: Steered) -> Iterator[Notice]:
    """Return the alerts that are to be opened, and those that are over."""
    for rule, detail in (
        ("limit_disobeyed", _disobeyed(steered)),
        (UNSTEERABLE, _unsteerable(steered)),
        ("profile_drift", _drifted(steered)),
    ):
        if bool(detail) != (rule in steered.alerts):
            yield Notice(rule, bool(detail), detail)  # type: ignore[arg-type]


def _disobeyed(steered: Steered) -> str:
    """Return how it draws more than it may; empty where it does not."""
    if steered.disobeys_since is None or steered.use == "idle":
        return ""
    drawn = "" if steered.seen is None else f"It draws {steered.seen.amperes:g} A"
    return f"{drawn}, more than {_called(steered)}."


def _unsteerable(steered: Steered) -> str:
    """Return why it cannot be steered; empty where it can."""
    if steered.rung == "none":
        return "It has refused or ignored every way to steer it, and is counted at its full power."
    if max(steered.retry.strikes, steered.default_retry.strikes) >= _UNSTEERABLE_AFTER:
        return "It does not take what it is told, and is counted by what it may hold."
    return ""


def _drifted(steered: Steered) -> str:
    """Return what its station holds that it was not told; empty where it holds that."""
    if steered.reported_a is not None:
        return f"It says that it allows {steered.reported_a:g} A, not {_called(steered)}."
    return "It has lost the default that it was given." if steered.drifted else ""


def _called(steered: Steered) -> str:
    limit = steered.limit.newest
    return "its limit" if limit is None or not limit.levels else f"its limit of {limit.limit_a:g} A"
