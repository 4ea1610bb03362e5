"""What operators say of the needs of drivers, each in one transaction."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.vehicles.domain.needs import ClassNeeds, Kind, Needs
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle
from chargebus_smart_charging.vehicles.errors import (
    PastDepartureError,
    SaysNothingError,
    UnknownClassError,
    UnknownSessionError,
)
from chargebus_smart_charging.vehicles.store import driver_needs, vehicles

_AT_ONCE = 500


class DriverNeeds:
    """What drivers need: by the class of their token, and by session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, after: tuple[str, str], limit: int) -> Sequence[ClassNeeds]:
        """Return up to `limit` classes in the order of kind and value."""
        async with self._database.pool.acquire() as connection:
            return await driver_needs.page(connection, after, limit)

    async def find(self, kind: Kind, value: str) -> ClassNeeds:
        """Return what is said of a class.

        Raises:
            UnknownClassError: nothing.
        """
        async with self._database.pool.acquire() as connection:
            found = await driver_needs.find(connection, kind, value)
        if found is None:
            raise UnknownClassError(f"Nothing is said of drivers with the {kind} {value!r}.")
        return found

    async def put(self, needs: ClassNeeds) -> None:
        """Say what drivers of a class need; sites are planned by it when they are planned next.

        Raises:
            SaysNothingError: nothing is said.
        """
        if needs.energy_wh is None and needs.stay_s is None and needs.priority is None:
            raise SaysNothingError("Say at least one of energy_wh, stay_s and priority; DELETE takes all of it back.")
        async with self._database.transaction() as tx:
            await driver_needs.put(tx.connection, needs)

    async def remove(self, kind: Kind, value: str) -> None:
        """Say no more of a class.

        Raises:
            UnknownClassError: nothing was said.
        """
        async with self._database.transaction() as tx:
            if not await driver_needs.remove(tx.connection, kind, value):
                raise UnknownClassError(f"Nothing is said of drivers with the {kind} {value!r}.")

    async def ask(self, session_id: str, needs: Needs) -> Vehicle:
        """Say what a session needs; its site is planned at once.

        Raises:
            UnknownSessionError: it is not going on.
            PastDepartureError: the vehicle is said to have left.
        """
        async with self._database.transaction() as tx:
            vehicle = await vehicles.lock_session(tx.connection, session_id)
            if vehicle is None or vehicle.present is None:
                raise UnknownSessionError(f"No session {session_id!r} is going on; see /v1/sessions?state=active.")
            if needs.departs_at is not None and needs.departs_at <= tx.now:
                raise PastDepartureError(f"departs_at: {needs.departs_at.isoformat()} is over; say when it leaves.")
            after = msgspec.structs.replace(vehicle, asked=needs)
            await vehicles.keep(tx.connection, [after], tx.now)
            sites = await evses.sites_of(tx.connection, [vehicle.station_id])
            await due.mark(tx.connection, set(sites.values()), tx.now)
        return after


class Forgetting:
    """Drops what is known at EVSEs of which nothing was heard for `keep`."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._keep = keep
        self._stale = DueWork(database, _AT_ONCE, self._take, self._forget)

    async def sweep(self) -> None:
        """Forget what is stale."""
        await self._stale.sweep()

    async def _take(self, tx: Transaction, limit: int) -> Sequence[EvseKey]:
        return await vehicles.take_stale(tx.connection, tx.now - self._keep, limit)

    async def _forget(self, tx: Transaction, keys: Sequence[EvseKey]) -> int:
        await vehicles.forget(tx.connection, keys)
        return len(keys)
