"""What people see of sites and sessions, and what they set for a time."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database

from chargebus_smart_charging.allocation.domain.ease import is_easy
from chargebus_smart_charging.allocation.domain.problem import Plan
from chargebus_smart_charging.planning.domain.controller import Sighted, decided, sight
from chargebus_smart_charging.planning.domain.decision import shown
from chargebus_smart_charging.planning.domain.demands import needs_of
from chargebus_smart_charging.planning.domain.known import Shown
from chargebus_smart_charging.planning.domain.looking import SessionCharging, Supposition, look, supposed
from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.errors import UnfitError, UnknownOverrideError
from chargebus_smart_charging.planning.operations.solver import NoPlanError, Solvers
from chargebus_smart_charging.planning.store import known as known_store
from chargebus_smart_charging.planning.store import overrides, plans
from chargebus_smart_charging.planning.store.known import Loaded
from chargebus_smart_charging.planning.store.plans import Between
from chargebus_smart_charging.sites.domain.site import Policy
from chargebus_smart_charging.sites.errors import Objection, UnknownSiteError
from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.vehicles.errors import UnknownSessionError
from chargebus_smart_charging.vehicles.store import driver_needs, vehicles


def _shown(sighted: Sighted, plan: Plan | None, fallback: str) -> Shown:
    """Return what people would see of what is decided."""
    return shown(decided(sighted, plan, fallback), "")


class Views:
    """What people see of sites and sessions."""

    def __init__(self, database: Database, solvers: Solvers, clock: Clock) -> None:
        self._database = database
        self._solvers = solvers
        self._clock = clock

    async def state(self, site_id: str) -> Shown:
        """Return a site as it is now.

        Raises:
            UnknownSiteError: there is none.
        """
        now = self._clock()
        return await self._as_it_is(await self._load(site_id, now), now)

    async def _as_it_is(self, loaded: Loaded, now: datetime) -> Shown:
        site_id = loaded.known.site.site_id
        async with self._database.pool.acquire() as connection:  # after the other one: nobody waits holding one
            last = await plans.shown(connection, site_id)
        return await asyncio.to_thread(look, loaded.known, now, last)

    async def page(self, site_id: str, between: Between, limit: int) -> Sequence[Shown]:
        """Return up to `limit` plans of a site, the newest first.

        Raises:
            UnknownSiteError: there is none.
        """
        await self._load(site_id, self._clock())
        async with self._database.pool.acquire() as connection:
            return await plans.page(connection, site_id, between, limit)

    async def what_if(self, site_id: str, supposition: Supposition) -> Shown:
        """Return what would be decided about a site; nothing is told, and nothing kept.

        Raises:
            UnknownSiteError: there is none.
            UnfitError: what is supposed is not of the site.
        """
        now = self._clock()
        loaded = await self._load(site_id, now)
        objections = list(_objections(loaded, supposition, now))
        if objections:
            raise UnfitError(objections)
        sighted = await asyncio.to_thread(sight, supposed(loaded.known, supposition, now), now)
        plan, fallback = None, ""
        if sighted.problem.demands and not is_easy(sighted.problem):
            try:
                plan = await self._solvers.solve(sighted.problem)
            except NoPlanError as error:
                fallback = str(error)
        return await asyncio.to_thread(_shown, sighted, plan, fallback)

    async def session(self, session_id: str) -> SessionCharging:
        """Return how a session is charged.

        Raises:
            UnknownSessionError: it is not going on.
        """
        async with self._database.pool.acquire() as connection:
            vehicle = await vehicles.of_session(connection, session_id)
            if vehicle is None or vehicle.session is None or vehicle.present is None:
                raise UnknownSessionError(f"No session {session_id!r} is going on; see /v1/sessions?state=active.")
            sites = await evses.sites_of(connection, [vehicle.station_id])
            site_id = sites.get(vehicle.station_id, "")
            session = vehicle.session
            classes = await driver_needs.of(connection, session.classes)
        if not site_id:
            return SessionCharging(vehicle, needs_of(vehicle, session, classes, Policy()))
        now = self._clock()
        loaded = await self._load(site_id, now)
        state = await self._as_it_is(loaded, now)
        mine = next((each for each in state.evses if (each.station_id, each.evse_id) == vehicle.key), None)
        needs = needs_of(vehicle, session, loaded.known.classes, loaded.known.site.policy)
        return SessionCharging(vehicle, needs, site_id, mine)

    async def _load(self, site_id: str, now: datetime) -> Loaded:
        async with (
            self._database.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            loaded = await known_store.load(connection, [site_id], now)
        if site_id not in loaded:
            raise UnknownSiteError(site_id)
        return loaded[site_id]


def _objections(loaded: Loaded, supposition: Supposition, now: datetime) -> Iterator[Objection]:
    """Yield what of a supposition does not fit its site."""
    site = loaded.known.site
    nodes, keys = {node.node_id for node in site.nodes}, {evse.key for evse in site.evses}
    for number, node_id in enumerate(supposition.capacities):
        if node_id not in nodes:
            yield Objection(f"limits.{number}.node_id", f"the site has no node {node_id}")
    seen = set()
    for number, each in enumerate(supposition.vehicles):
        where, name = f"vehicles.{number}", f"EVSE {each.key[1]} of {each.key[0]}"
        vehicle = loaded.known.vehicles.get(each.key)
        if each.key not in keys:
            yield Objection(where, f"the site has no {name}")
        elif each.key in seen or (vehicle is not None and vehicle.present is not None):
            yield Objection(where, f"{name} is taken")
        if each.needs.departs_at is not None and each.needs.departs_at <= now:
            yield Objection(f"{where}.departs_at", "it is over")
        seen.add(each.key)


class Overrides:
    """Limits that operators set on an EVSE or a session, until they end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(self, site_id: str) -> Sequence[Override]:
        """Return the limits of a site that have not ended.

        Raises:
            UnknownSiteError: there is none.
        """
        async with self._database.transaction() as tx:
            if site_id not in await known_store.load(tx.connection, [site_id], tx.now):
                raise UnknownSiteError(site_id)
            return await overrides.of_sites(tx.connection, [site_id], tx.now)

    async def put(self, override: Override) -> None:
        """Set a limit, in the place of another of its id; its site is planned at once.

        Raises:
            UnknownSiteError: there is no such site.
            UnfitError: it is on nothing of the site, or has ended.
        """
        async with self._database.transaction() as tx:
            loaded = await known_store.load(tx.connection, [override.site_id], tx.now)
            if override.site_id not in loaded:
                raise UnknownSiteError(override.site_id)
            objections = list(_objections_to(override, loaded[override.site_id], tx.now))
            if objections:
                raise UnfitError(objections)
            await overrides.put(tx.connection, override)
            await due.mark(tx.connection, [override.site_id], tx.now)

    async def remove(self, site_id: str, override_id: str) -> None:
        """Take a limit away; its site is planned at once.

        Raises:
            UnknownOverrideError: there is none.
        """
        async with self._database.transaction() as tx:
            if not await overrides.remove(tx.connection, site_id, override_id):
                raise UnknownOverrideError(f"Site {site_id} has no override {override_id}.")
            await due.mark(tx.connection, [site_id], tx.now)


def _objections_to(override: Override, loaded: Loaded, now: datetime) -> Iterator[Objection]:
    site = loaded.known.site
    on_evse = bool(override.station_id)
    if on_evse == bool(override.session_id):
        yield Objection(
            "station_id", "it stands on an EVSE or on a session: give station_id and evse_id, or session_id"
        )
        return
    if on_evse and (override.station_id, override.evse_id) not in {evse.key for evse in site.evses}:
        yield Objection("evse_id", f"the site has no EVSE {override.evse_id} of {override.station_id}")
    present = {each.present.session_id for each in loaded.known.vehicles.values() if each.present is not None}
    if override.session_id and override.session_id not in present:
        yield Objection("session_id", f"no session {override.session_id} is going on at the site")
    if override.ends_at <= now:
        yield Objection("ends_at", f"{override.ends_at.isoformat()} is over")
