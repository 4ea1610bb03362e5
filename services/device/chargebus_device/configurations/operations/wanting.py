"""What operators want: configurations, how they go, and what they would change."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec
from chargebus_runtime.database import Database, Transaction

from chargebus_device.configurations.domain.compared import Entry, Proof, Verdict
from chargebus_device.configurations.domain.configuration import Configuration, Setting, Wanted, replaced, wanted
from chargebus_device.configurations.domain.shown import DryRun, Shown, StationRun, Sum
from chargebus_device.configurations.errors import (
    TooManyConfigurationsError,
    UnfitConfigurationError,
    UnknownConfigurationError,
)
from chargebus_device.configurations.operations.following import Known, compared_of, known_of
from chargebus_device.configurations.store import configurations, stations
from chargebus_device.configurations.store.stations import Follower
from chargebus_device.variables.domain.checks import objection
from chargebus_device.variables.domain.names import named
from chargebus_device.variables.errors import FieldObjection, UnknownStationError

MOST: Final = 500
"""Configurations that there may be: all of them are looked at for each station."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PROOF: Final = Proof(timedelta(), timedelta())
"""Of a dry run, which changes nothing."""


class Configurations:
    """The operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, given: Configuration) -> Shown:
        """Want something of stations from now on.

        Raises:
            UnfitConfigurationError: it cannot be wanted.
            TooManyConfigurationsError: there are as many as there may be.
        """
        _check(given.settings)
        async with self._database.transaction() as tx:
            if await configurations.count(tx.connection) >= MOST:
                raise TooManyConfigurationsError(f"There are {MOST} configurations, the most there may be: merge some.")
            times = {"created_at": tx.now, "updated_at": tx.now}
            made = msgspec.structs.replace(given, configuration_id=uuid4(), **times)
            await stations.all_due(tx.connection, made.configuration_id, made.stations, tx.now)
            await configurations.keep(tx.connection, made)
        return Shown(made, Sum())

    async def replace(self, configuration_id: UUID, given: Configuration) -> Shown:
        """Want something else; what can break connections goes to a few stations first again, if it is another.

        One that is held stays so, unless it is.

        Raises:
            UnknownConfigurationError: there is none.
            UnfitConfigurationError: it cannot be wanted.
        """
        _check(given.settings)
        async with self._database.transaction() as tx:
            await stations.all_due(tx.connection, configuration_id, given.stations, tx.now)  # before, as looks lock
            known = await self._lock(tx, configuration_id)
            await configurations.keep(tx.connection, replaced(known, given, tx.now))
        return await self.find(configuration_id)

    async def release(self, configuration_id: UUID) -> Shown:
        """Go on although a station did not come back: those that are lost until now hold up nothing.

        Raises:
            UnknownConfigurationError: there is none.
        """
        async with self._database.transaction() as tx:
            await stations.its_own_due(tx.connection, configuration_id, tx.now)
            known = await self._lock(tx, configuration_id)
            await configurations.keep(tx.connection, msgspec.structs.replace(known, state="active", released_at=tx.now))
        return await self.find(configuration_id)

    async def remove(self, configuration_id: UUID) -> None:
        """Want it no more; stations stay as they are.

        Raises:
            UnknownConfigurationError: there is none.
        """
        async with self._database.transaction() as tx:
            await stations.its_own_due(tx.connection, configuration_id, tx.now)
            await self._lock(tx, configuration_id)
            await configurations.delete(tx.connection, configuration_id)

    async def find(self, configuration_id: UUID) -> Shown:
        """Return one, and how it goes.

        Raises:
            UnknownConfigurationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            known = await configurations.find(connection, configuration_id)
            if known is None:
                raise _unknown(configuration_id)
            return Shown(
                known, (await configurations.sums(connection, [configuration_id])).get(configuration_id, Sum())
            )

    async def page(self, after: UUID, limit: int) -> Sequence[Shown]:
        """Return up to `limit`, in the order of their ids, and how they go."""
        async with self._database.pool.acquire() as connection:
            found = await configurations.page(connection, after, limit)
            sums = await configurations.sums(connection, [each.configuration_id for each in found])
        return [Shown(each, sums.get(each.configuration_id, Sum())) for each in found]

    async def entries(
        self, configuration_id: UUID, verdict: Verdict | None, after: tuple[str, str], limit: int
    ) -> Sequence[Entry]:
        """Return up to `limit` variables of its stations and how they stand, in the order of stations.

        Raises:
            UnknownConfigurationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            if await configurations.find(connection, configuration_id) is None:
                raise _unknown(configuration_id)
            return await stations.page(connection, configuration_id, verdict, after, limit)

    async def of_station(self, station_id: str) -> Sequence[Entry]:
        """Return what is wanted of a station, and how it stands.

        Raises:
            UnknownStationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            if not await stations.is_registered(connection, station_id):
                raise UnknownStationError(f"No station {station_id} is registered; POST /v1/stations registers one.")
            found = await stations.entries(connection, [station_id])
        return sorted(found.get(station_id, {}).values(), key=lambda each: each.key)

    async def try_again(self, configuration_id: UUID, after: str, limit: int) -> DryRun:
        """Return what a configuration would do now.

        Raises:
            UnknownConfigurationError: there is none.
        """
        return await self.dry_run((await self.find(configuration_id)).configuration, after, limit)

    async def dry_run(self, given: Configuration, after: str, limit: int) -> DryRun:
        """Return what a configuration would do, with up to `limit` of its stations in the order of their ids.

        Nothing is kept or asked. One that is there already is taken as it is given here.

        Raises:
            UnfitConfigurationError: it cannot be wanted.
        """
        _check(given.settings)
        async with self._database.transaction() as tx:
            others = await configurations.every(tx.connection)
            every = [each for each in others if each.configuration_id != given.configuration_id]
            found = await stations.meant(tx.connection, given.stations, after, limit)
            chosen = {each.station_id: each for each in found}
            counts = {station_id: wanted([*every, given], each) for station_id, each in chosen.items()}
            known = await known_of(tx, chosen, counts, _NO_PROOF)
            count = await stations.count_meant(tx.connection, given.stations)
            return DryRun(count, [_would(tx, given, known, station_id, counts[station_id]) for station_id in chosen])

    async def _lock(self, tx: Transaction, configuration_id: UUID) -> Configuration:
        known = await configurations.lock(tx.connection, configuration_id)
        if known is None:
            raise _unknown(configuration_id)
        return known


def _would(
    tx: Transaction, given: Configuration, known: Known, station_id: str, counts: Mapping[str, Wanted]
) -> StationRun:
    own = {key: each for key, each in counts.items() if each.configuration.configuration_id == given.configuration_id}
    fresh = Known(known.station, known.read, known.variables, {}, _NO_PROOF)
    follower = Follower(station_id=station_id, read_after=_EVER, checked_at=tx.now)
    entries = compared_of(station_id, own, fresh, follower, tx)
    keys = {setting.address.key: setting.address.text for setting in given.settings}
    overruled = {keys[key]: counts[key].configuration.configuration_id for key in keys if key not in own}
    return StationRun(station_id, sorted(entries.values(), key=lambda each: each.key), overruled)


def _check(settings: Sequence[Setting]) -> None:
    """Refuse secrets, what is named twice, and values that no station takes."""
    wrong: list[FieldObjection] = []
    seen: set[str] = set()
    for number, setting in enumerate(settings):
        where, key = f"variables.{number}", setting.address.key
        row = named(setting.address.name) if setting.address.name else None
        if key in seen:
            wrong.append(FieldObjection(where, f"{setting.address.text} is named twice"))
        seen.add(key)
        place = row.place if row else setting.address.place
        if setting.address.name and row is None:
            place = msgspec.structs.replace(place, variable=setting.address.name)
        why = objection(place, setting.value, None, is_read=False)
        if why is not None:
            wrong.append(FieldObjection(f"{where}.value" if why.kind == "value" else where, why.what))
    if wrong:
        raise UnfitConfigurationError(wrong)


def _unknown(configuration_id: UUID) -> UnknownConfigurationError:
    return UnknownConfigurationError(f"There is no configuration {configuration_id}.")
