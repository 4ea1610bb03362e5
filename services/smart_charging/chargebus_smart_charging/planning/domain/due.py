"""When a site is to be planned again: by its policy's interval, or when something is known to change before.

A site at which nobody is, and nothing is measured, has nothing to plan: it waits for somebody to come.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from chargebus_smart_charging.planning.domain.decision import Decision
from chargebus_smart_charging.planning.domain.known import SiteKnown
from chargebus_smart_charging.steering.domain.held import CLOCK_S, Order
from chargebus_smart_charging.steering.domain.steered import ROUNDING_A, Steered
from chargebus_smart_charging.steering.domain.stepping import asked_at

_CLOCK: Final = timedelta(seconds=CLOCK_S)
_LEAST: Final = timedelta(seconds=1)
_IDLE: Final = timedelta(hours=1)
"""How long a site may go without being planned at which nobody is, and nothing is measured."""


def next_due(known: SiteKnown, decision: Decision) -> datetime:
    """Return when a site is to be planned again."""
    now = decision.at
    latest = now + timedelta(seconds=known.site.policy.interval_s)
    coming = _coming(known, decision)
    if is_idle(known, decision):
        latest = max(latest, now + _IDLE)
        coming = chain(coming, _asked(decision))
    at = min((at for at in coming if now < at < latest), default=latest)
    return max(at, now + _LEAST)


def is_idle(known: SiteKnown, decision: Decision) -> bool:
    """Tell whether nothing changes at a site until somebody tells of it: nobody is there, nothing flows, all is well.

    Whoever comes, whatever connects or is described, has it planned at once.
    """
    memory, peak = decision.memory, decision.memory.peak
    if memory.charged or memory.overloads or memory.alerts or (peak is not None and peak.quarter_vas):
        return False
    if any(node.meter is not None or node.controller_station_id for node in known.site.nodes):
        return False
    return all(_rests(each.steered) for each in decision.steps.values())


def _asked(decision: Decision) -> Iterator[datetime]:
    """Yield when a station is to be asked something though nobody charges there."""
    for each in decision.steps.values():
        yield from _given(each.steered.unreached.at)
        yield from asked_at(each.steered)


def _rests(steered: Steered) -> bool:
    return (
        steered.use != "busy"
        and not steered.alerts
        and steered.disobeys_since is None
        and steered.contained_by is None
        and steered.settling is None
    )


def _coming(known: SiteKnown, decision: Decision) -> Iterator[datetime]:
    """Yield when something changes of which nobody will tell."""
    grace, now = timedelta(seconds=known.site.policy.grace_s), decision.at
    for each in decision.steps.values():
        steered = each.steered
        if steered.settling is not None:
            yield steered.settling.since + grace
        yield from _given(steered.retry.at, steered.default_retry.at)
        if steered.limit.accepted is not None:
            for since, _ in steered.limit.accepted.levels:  # what falls by itself is seen to have fallen a moment later
                yield from (since, since + max(grace, _CLOCK))
            if _draws_more(steered, steered.limit.accepted, now):  # by the next readings after its time, it is judged
                for since, _ in steered.limit.accepted.levels:
                    yield from (since + 1.5 * grace, since + 2 * grace)
    yield from (override.ends_at for override in known.overrides)
    for limit in known.limits:
        yield from _given(limit.silent_from)
        for period in limit.periods:
            yield from _given(period.valid_from, period.valid_until)


def _draws_more(steered: Steered, limit: Order, now: datetime) -> bool:
    """Tell whether it was last seen to draw more than its limit, for which it has had too little time so far.

    Be it by ever so little: where that is too much for its node, it is lowered, or the others are.
    """
    return (
        steered.use == "busy" and steered.seen is not None and steered.seen.amperes > limit.amperes_at(now) + ROUNDING_A
    )


def _given(*times: datetime | None) -> Iterable[datetime]:
    return (each for each in times if each is not None)
