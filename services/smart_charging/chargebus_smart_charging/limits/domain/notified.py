"""What a station tells of limits that somebody else set on it: what is kept of it, and what is taken away."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

import msgspec

from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period


class Notified(msgspec.Struct, frozen=True):
    """A limit on a station, or on an EVSE of it; `counts` False: it is to be shown only."""

    station_id: str
    evse_id: int
    source: str
    at: datetime
    periods: tuple[Period, ...]
    is_critical: bool = False
    counts: bool = True


class Cleared(msgspec.Struct, frozen=True):
    """The limits of a source on an EVSE, or, without one, on the station and all its EVSEs, are gone."""

    station_id: str
    evse_id: int
    source: str
    at: datetime


Said: TypeAlias = Notified | Cleared


def limit_of(said: Notified, site_id: str) -> KnownLimit:
    """Return what is known by a notification; the newest of a source takes the place of the one before."""
    return KnownLimit(
        site_id=site_id,
        source=said.source,
        limit_id=f"{said.station_id}/{said.evse_id}",
        told_at=said.at,
        told_by="frame",
        station_id=said.station_id,
        evse_id=said.evse_id,
        periods=said.periods,
        is_critical=said.is_critical,
        counts=said.counts,
    )


def cleared_by(said: Cleared, known: Iterable[KnownLimit]) -> Iterator[KnownLimit]:
    """Yield those of the limits that are gone."""
    for limit in known:
        same_place = limit.station_id == said.station_id and (not said.evse_id or limit.evse_id == said.evse_id)
        if same_place and limit.told_by == "frame" and limit.source == said.source and limit.told_at <= said.at:
            yield limit
