"""What is done with sites over HTTP, each in one transaction."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import asyncpg
import msgspec
from chargebus_runtime.database import Database

from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.sites.domain.checks import Finding, findings, objections
from chargebus_smart_charging.sites.domain.site import EvseKey, Site
from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.sites.errors import ChangedSiteError, Objection, UnfitSiteError, UnknownSiteError
from chargebus_smart_charging.sites.store import due, evses, sites
from chargebus_smart_charging.sites.store.sites import Described

ToldBy = Callable[[asyncpg.Connection, Collection[str]], Awaitable[Mapping[EvseKey, Told]]]
"""Returns what stations tell of their EVSEs."""


async def nobody_told(_connection: asyncpg.Connection, _station_ids: Collection[str]) -> Mapping[EvseKey, Told]:
    """Know nothing of stations but what operators say."""
    return {}


class Sites:
    """Sites as operators describe them; `told_by` knows what stations say of themselves."""

    def __init__(self, database: Database, metrics: Metrics, told_by: ToldBy = nobody_told) -> None:
        self._database = database
        self._metrics = metrics
        self._told_by = told_by

    async def put(self, wanted: Site) -> tuple[Described, bool]:
        """Describe a site anew; its version is the one from which it was changed, or 0.

        Returns:
            The site, and whether it is new.

        Raises:
            UnfitSiteError: its parts do not fit together.
            ChangedSiteError: it is of another version by now.
        """
        found = objections(wanted)
        if found:
            raise self._unfit(found)
        async with self._database.transaction() as tx:
            await sites.hold(tx.connection)
            before = (await sites.described(tx.connection, [wanted.site_id])).get(wanted.site_id)
            _check_version(wanted, before)
            found = await _taken_elsewhere(tx.connection, wanted)
            if found:
                raise self._unfit(found)
            same = before is not None and msgspec.structs.replace(wanted, version=before.site.version) == before.site
            if before is not None and same:
                return before, False
            version = 1 if before is None else before.site.version + 1
            created_at = tx.now if before is None else before.created_at
            described = Described(msgspec.structs.replace(wanted, version=version), created_at, tx.now)
            await sites.put(tx.connection, described)
            await due.mark(tx.connection, [wanted.site_id], tx.now)
        self._metrics.count("site", "http", "taken")
        return described, before is None

    async def find(self, site_id: str) -> Described:
        """Return a site.

        Raises:
            UnknownSiteError: there is none.
        """
        async with self._database.pool.acquire() as connection, _at_once(connection):
            found = await sites.described(connection, [site_id])
        if site_id not in found:
            raise UnknownSiteError(site_id)
        return found[site_id]

    async def page(self, after: str, limit: int) -> Sequence[asyncpg.Record]:
        """Return up to `limit` sites in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await sites.page(connection, after, limit)

    async def remove(self, site_id: str) -> None:
        """Drop a site.

        Raises:
            UnknownSiteError: there is none.
        """
        async with self._database.transaction() as tx:
            await sites.hold(tx.connection)
            if not await sites.remove(tx.connection, site_id):
                raise UnknownSiteError(site_id)

    async def check(self, site_id: str) -> tuple[Site, list[Finding]]:
        """Return a site and what its operator should look at.

        Raises:
            UnknownSiteError: there is none.
        """
        site = (await self.find(site_id)).site
        async with self._database.pool.acquire() as connection:
            told = await self._told_by(connection, {evse.station_id for evse in site.evses})
        return site, findings(site, told)

    def _unfit(self, found: Sequence[Objection]) -> UnfitSiteError:
        self._metrics.count("site", "http", "refused")
        return UnfitSiteError(found)


def _at_once(connection: asyncpg.Connection) -> asyncpg.transaction.Transaction:
    """Return a transaction whose queries all see the same moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


def _check_version(wanted: Site, before: Described | None) -> None:
    if not wanted.version:
        return
    if before is None:
        raise ChangedSiteError(f"There is no site {wanted.site_id}: leave `version` out to describe it.")
    if before.site.version != wanted.version:
        what = f"The site {wanted.site_id} is at version {before.site.version}, and not at {wanted.version}"
        raise ChangedSiteError(f"{what}: somebody changed it meanwhile. Get it, and change that.")


async def _taken_elsewhere(connection: asyncpg.Connection, wanted: Site) -> list[Objection]:
    others = await evses.elsewhere(connection, wanted.site_id, {evse.station_id for evse in wanted.evses})
    return [
        Objection(f"evses.{number}.station_id", f"{evse.station_id} hangs under the site {others[evse.station_id]}")
        for number, evse in enumerate(wanted.evses)
        if evse.station_id in others
    ]
