"""What is done with series over HTTP and by time, each in one transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
from chargebus_commanding import Transaction
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database

from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.series.domain.series import KINDS, Series, SeriesKey, objections
from chargebus_smart_charging.series.domain.timeline import KnownSeries, known_series
from chargebus_smart_charging.series.errors import UnfitSeriesError, UnknownSeriesError
from chargebus_smart_charging.series.payload import series_event
from chargebus_smart_charging.series.store import values
from chargebus_smart_charging.sites.store import due, sites

_REACH: Final = timedelta(days=800)
"""How far from now values are looked at: no series is longer."""


class GridSeries:
    """Series of the grid; `keep` is how long values are kept after their time."""

    def __init__(self, database: Database, metrics: Metrics, keep: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._keep = keep

    async def put(self, wanted: Series) -> KnownSeries:
        """Take a series as of now.

        Raises:
            UnfitSeriesError: it contradicts itself, or all of it lies in the past.
        """
        async with self._database.transaction() as tx:
            series = msgspec.structs.replace(wanted, told_at=tx.now)
            found = objections(series, tx.now)
            if found:
                self._metrics.count("series", "http", "refused")
                raise UnfitSeriesError(found)
            await values.keep(tx.connection, series.told())
            tx.send(series_event(series, tx.now))
            (known,) = await _known(tx.connection, [SeriesKey(series.zone, series.kind)], tx.now)
            await mark(tx, [series.zone])
        self._metrics.count("series", "http", "taken")
        return known

    async def page(self, after: tuple[str, str], limit: int, now: datetime) -> list[KnownSeries]:
        """Return up to `limit` series in the order of zone and kind."""
        async with self._database.pool.acquire() as connection:
            return await _known(connection, await values.page(connection, after, limit), now)

    async def find(self, key: SeriesKey, now: datetime) -> KnownSeries:
        """Return what is known of a series.

        Raises:
            UnknownSeriesError: nothing.
        """
        async with self._database.pool.acquire() as connection:
            found = await _known(connection, [key], now)
        if not found:
            raise UnknownSeriesError(f"Nobody has told of {key.kind} in {key.zone}; PUT /v1/grid-series does.")
        return found[0]

    async def forget(self) -> None:
        """Drop the values of times that are over for long enough."""
        async with self._database.transaction() as tx:
            await values.forget(tx.connection, tx.now - self._keep)


async def mark(tx: Transaction | Batch, zones: Collection[str]) -> None:
    """Have the sites planned for which series hold that changed."""
    await due.mark_by(tx, await sites.in_zones(tx.connection, zones), tx.now)


async def _known(connection: asyncpg.Connection, keys: Sequence[SeriesKey], now: datetime) -> list[KnownSeries]:
    found = []
    for kind in KINDS:
        of_kind = [key for key in keys if key.kind == kind]
        if of_kind:
            zones = {key.zone for key in of_kind}
            told = await values.load(connection, zones, kind, now - _REACH, now + _REACH)
            found += [known_series(key, told[key.zone], now) for key in of_kind if key.zone in told]
    return sorted(found, key=lambda each: (each.key.zone, each.key.kind))
