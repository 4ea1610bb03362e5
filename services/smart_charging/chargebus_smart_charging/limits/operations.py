"""What is done with limits and readings over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
from chargebus_commanding import Transaction
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database

from chargebus_smart_charging.limits.domain.limit import KnownLimit, objections
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.limits.domain.placing import Parts, unplaced
from chargebus_smart_charging.limits.domain.precedence import Standing, standings
from chargebus_smart_charging.limits.domain.telling import changes_plans, moves_plans
from chargebus_smart_charging.limits.errors import UnfitLimitError, UnknownLimitError, UnmeteredNodeError
from chargebus_smart_charging.limits.payload import limit_event
from chargebus_smart_charging.limits.store import limits, readings
from chargebus_smart_charging.limits.store.limits import Kept
from chargebus_smart_charging.limits.store.readings import NodeReading
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.sites.domain.site import Site
from chargebus_smart_charging.sites.errors import Objection, UnknownSiteError
from chargebus_smart_charging.sites.store import due, sites

REMEMBERED: Final = timedelta(days=2)
"""How long what is gone is known, so that nothing older that comes late brings it back."""

_FORESEEABLE: Final = timedelta(days=400)

_AHEAD: Final = timedelta(minutes=5)
"""How far a meter's clock may be ahead of ours."""


class Limits:
    """Limits of others and readings of meters."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def of_site(self, site_id: str, now: datetime) -> list[Standing]:
        """Return a site's limits and how they stand.

        Raises:
            UnknownSiteError: there is no such site.
        """
        async with self._database.pool.acquire() as connection:
            site = await _site(connection, site_id)
            known = await limits.holding(connection, [site_id], now)
        return standings(known.get(site_id, ()), site, now)

    async def put(self, wanted: KnownLimit) -> tuple[Standing, bool]:
        """Set a limit as of now, in the place of what was told of the same; tell whether it is new.

        Raises:
            UnknownSiteError: there is no such site.
            UnfitLimitError: it contradicts itself, is over, or stands where there is nothing.
        """
        async with self._database.transaction() as tx:
            site = await _site(tx.connection, wanted.site_id)
            limit = msgspec.structs.replace(wanted, told_at=tx.now)
            found = [*objections(limit), *unplaced(limit, Parts.of(site)), *_over(limit, tx.now)]
            if found:
                self._metrics.count("limit", "http", "refused")
                raise UnfitLimitError(found)
            kept = Kept(limit)
            known = (await limits.lock(tx.connection, [kept.key])).get(kept.key)
            before = None if known is None or known.cleared else known.limit
            await limits.keep(tx.connection, [kept])
            tx.send(limit_event(limit, tx.now))
            if changes_plans(limit, before, tx.now):
                await due.mark(tx.connection, [site.site_id], tx.now)
            beside = await limits.holding(tx.connection, [site.site_id], tx.now)
        self._metrics.count("limit", "http", "taken")
        (standing,) = (each for each in standings(beside[site.site_id], site, tx.now) if each.limit == limit)
        return standing, before is None

    async def clear(self, site_id: str, source: str, limit_id: str) -> None:
        """Take a limit away.

        Raises:
            UnknownSiteError: there is no such site.
            UnknownLimitError: there is no such limit.
        """
        async with self._database.transaction() as tx:
            await _site(tx.connection, site_id)
            key = site_id, source, limit_id
            known = (await limits.lock(tx.connection, [key])).get(key)
            if known is None or known.cleared:
                raise UnknownLimitError(f"{source} has set no limit {limit_id} on the site {site_id}.")
            gone = Kept(msgspec.structs.replace(known.limit, told_at=tx.now), cleared=True)
            await limits.keep(tx.connection, [gone])
            tx.send(limit_event(gone.limit, tx.now, cleared=True))
            await due.mark(tx.connection, [site_id], tx.now)

    async def read(self, site_id: str, node_id: str, reading: Reading) -> None:
        """Take what a node's meter says.

        Raises:
            UnknownSiteError, UnmeteredNodeError: there is no such site, or no such meter.
            UnfitLimitError: it was read in the future.
        """
        async with self._database.transaction() as tx:
            site = await _site(tx.connection, site_id)
            node = next((node for node in site.nodes if node.node_id == node_id), None)
            if node is None or node.meter is None or node.meter.station_id:
                raise UnmeteredNodeError(_unmetered(site_id, node_id, known=node is not None))
            if reading.at > tx.now + _AHEAD:
                self._metrics.count("reading", "http", "refused")
                raise UnfitLimitError([Objection("at", f"it is in the future: here it is {tx.now.isoformat()}")])
            if reading.forecast is not None and abs(reading.forecast.starts_at - tx.now) > _FORESEEABLE:
                self._metrics.count("reading", "http", "refused")
                raise UnfitLimitError(
                    [Objection("forecast.starts_at", f"further than {_FORESEEABLE.days} days from now")]
                )
            told = msgspec.structs.replace(reading, at=min(reading.at, tx.now))
            found = [(NodeReading(site_id, node_id, told), node.meter.silent_after_s)]
            await take_readings(tx, found)
        self._metrics.count("reading", "http", "taken")

    async def forget(self) -> None:
        """Drop what has been gone for long enough."""
        async with self._database.transaction() as tx:
            await limits.forget(tx.connection, tx.now - REMEMBERED)
            await readings.forget(tx.connection, tx.now - REMEMBERED)


async def take_readings(tx: Transaction | Batch, told: Sequence[tuple[NodeReading, float]]) -> None:
    """Keep readings, each with how long its meter may be silent; have the sites planned whose plans depend on them."""
    if not told:
        return
    known = await readings.load(tx.connection, {each.site_id for each, _ in told})
    await readings.keep(tx.connection, [each for each, _ in told])
    concerned = {
        each.site_id
        for each, silent_after_s in told
        if moves_plans(each.reading, known.get(each.site_id, {}).get(each.node_id), silent_after_s)
    }
    await due.mark_by(tx, concerned, tx.now)


async def _site(connection: asyncpg.Connection, site_id: str) -> Site:
    found = await sites.load(connection, [site_id])
    if site_id not in found:
        raise UnknownSiteError(site_id)
    return found[site_id]


def _over(limit: KnownLimit, now: datetime) -> list[Objection]:
    if limit.over_at is None or limit.over_at > now:
        return []
    return [Objection("periods", f"it is over already: here it is {now.isoformat()}")]


def _unmetered(site_id: str, node_id: str, *, known: bool) -> str:
    if not known:
        return f"The site {site_id} has no node {node_id}."
    return f"The other loads of {node_id} are not told over HTTP: describe its meter, without a station, in the site."
