"""What is known of a series by all that was told of it: of each time the newest, and what ahead is a hole."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from chargebus_smart_charging.series.domain.series import GridValue, SeriesKey
from chargebus_smart_charging.sites.domain.bound import Horizon
from chargebus_smart_charging.sites.domain.site import Site


class Span(msgspec.Struct, frozen=True):
    """A value for a kilowatt hour that holds from one time until another."""

    starts_at: datetime
    ends_at: datetime
    per_kwh: float


class KnownSeries(msgspec.Struct, frozen=True):
    """What is known of a series from now on.

    Attributes:
        newest: what was told last.
        spans: what is known, in order.
        known_until: until when there is no hole; None: nothing is known of now, it is late.
        holes: of which times nothing is known that lie before the last that is known.
    """

    key: SeriesKey
    newest: GridValue
    spans: tuple[Span, ...]
    known_until: datetime | None
    holes: tuple[tuple[datetime, datetime], ...]


def known_series(key: SeriesKey, told: Sequence[GridValue], now: datetime) -> KnownSeries:
    """Return what is known from now on by what was told, at least something."""
    newest = max(told, key=lambda value: (value.told_at, value.starts_at))
    spans = tuple(span for span in timeline(told, now) if span.ends_at > now)
    return KnownSeries(key, newest, spans, known_until(spans, now), tuple(holes(spans, now)))


def timeline(values: Iterable[GridValue], now: datetime) -> tuple[Span, ...]:
    """Return what is known of a zone's series, in order and without overlaps: what was told last counts.

    What is not valid any more counts nowhere.
    """
    valid = [value for value in values if value.valid_until is None or value.valid_until > now]
    spans: list[Span] = []
    for value in sorted(valid, key=lambda value: (value.told_at, -value.resolution_s), reverse=True):
        spans += _uncovered(spans, Span(value.starts_at, value.ends_at, value.per_kwh))
        spans.sort(key=_starts_at)
    return tuple(spans)


def laid(spans: Sequence[Span], horizon: Horizon) -> tuple[float | None, ...]:
    """Return the mean in each interval of the time ahead, of as much of it as is known; None where nothing is."""
    begin, means = horizon.starts_at, []
    for length_s in horizon.lengths_s:
        end = begin + timedelta(seconds=length_s)
        means.append(_mean(spans, begin, end))
        begin = end
    return tuple(means)


def per_kwh(site: Site, by_zone: Mapping[str, Sequence[Span]], horizon: Horizon) -> tuple[float | None, ...]:
    """Return what is known for a site: by its own series, and where that has holes, by that of its zone."""
    own, shared = (laid(by_zone.get(zone, ()), horizon) for zone in (site.site_id, site.zone))
    return tuple(other if one is None else one for one, other in zip(own, shared, strict=True))


def zones_of(site: Site) -> tuple[str, ...]:
    """Return whose series hold at a site."""
    return (site.site_id, site.zone) if site.zone else (site.site_id,)


def holes(spans: Sequence[Span], now: datetime) -> list[tuple[datetime, datetime]]:
    """Return of which times from now on nothing is known before the last that is known."""
    at, found = now, []
    for span in spans:
        if span.ends_at <= at:
            continue
        if span.starts_at > at:
            found.append((at, span.starts_at))
        at = span.ends_at
    return found


def known_until(spans: Sequence[Span], now: datetime) -> datetime | None:
    """Return until when all is known from now on; None if nothing is known of now."""
    at = now
    for span in spans:
        if span.starts_at <= at < span.ends_at:
            at = span.ends_at
    return at if at > now else None


def _uncovered(spans: Sequence[Span], span: Span) -> Iterator[Span]:
    """Yield those parts of a span that no other covers; these are in order."""
    at = span.starts_at
    first = max(bisect_right(spans, at, key=_starts_at) - 1, 0)
    for other in spans[first:]:
        if other.starts_at >= span.ends_at:
            break
        if other.starts_at > at:
            yield Span(at, other.starts_at, span.per_kwh)
        at = max(at, other.ends_at)
    if at < span.ends_at:
        yield Span(at, span.ends_at, span.per_kwh)


def _mean(spans: Sequence[Span], begin: datetime, end: datetime) -> float | None:
    weight = total = 0.0
    for span in spans[max(bisect_right(spans, begin, key=_starts_at) - 1, 0) :]:
        if span.starts_at >= end:
            break
        seconds = (min(span.ends_at, end) - max(span.starts_at, begin)).total_seconds()
        if seconds > 0:
            weight, total = weight + seconds, total + seconds * span.per_kwh
    return total / weight if weight else None


def _starts_at(span: Span) -> datetime:
    return span.starts_at
