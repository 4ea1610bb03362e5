"""When a site is to be planned again: by its policy's interval, or when something is known to change before."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from chargebus_smart_charging.planning.domain.known import Decision, SiteKnown
from chargebus_smart_charging.steering.domain.held import CLOCK_S

_CLOCK: Final = timedelta(seconds=CLOCK_S)
_LEAST: Final = timedelta(seconds=1)


def next_due(known: SiteKnown, decision: Decision) -> datetime:
    """Return when a site is to be planned again."""
    now = decision.at
    interval = timedelta(seconds=known.site.policy.interval_s)
    coming = [at for at in _coming(known, decision) if now < at < now + interval]
    return max(min(coming, default=now + interval), now + _LEAST)


def _coming(known: SiteKnown, decision: Decision) -> Iterator[datetime]:
    """Yield when something changes of which nobody will tell."""
    grace = timedelta(seconds=known.site.policy.grace_s)
    for each in decision.steps.values():
        steered = each.steered
        if steered.settling is not None:
            yield steered.settling.since + grace
        yield from _given(steered.retry.at, steered.default_retry.at)
        if steered.limit.accepted is not None:
            for since, _ in steered.limit.accepted.levels:  # what falls by itself is seen to have fallen a moment later
                yield from (since, since + max(grace, _CLOCK))
    yield from (override.ends_at for override in known.overrides)
    for limit in known.limits:
        yield from _given(limit.silent_from)
        for period in limit.periods:
            yield from _given(period.valid_from, period.valid_until)


def _given(*times: datetime | None) -> Iterable[datetime]:
    return (each for each in times if each is not None)
