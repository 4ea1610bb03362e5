"""What operators see of variables, and what they ask for over HTTP."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.database import Database

from chargebus_device.variables.domain.addresses import Address, resolve
from chargebus_device.variables.domain.checks import Objection, objection
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.request import FULL, Item, Request
from chargebus_device.variables.domain.variable import Variable
from chargebus_device.variables.errors import (
    FieldObjection,
    NoVersionError,
    ReadOnlyVariableError,
    UnfitVariableError,
    UnknownRequestError,
    UnknownStationError,
)
from chargebus_device.variables.operations.requests import NO_VERSION, Requests, Wanted
from chargebus_device.variables.routes import WORDS, Words
from chargebus_device.variables.store import requests, stations, variables
from chargebus_device.variables.store.stations import Station
from chargebus_device.variables.store.variables import Filter


class Wait(msgspec.Struct, frozen=True):
    """How long a station that is away, and its answers, are waited for."""

    ttl_s: float
    within_s: float


class Read(msgspec.Struct, frozen=True):
    """What is to be read: an inventory, what meets criteria, components or variables by their addresses."""

    addresses: tuple[Address, ...] = ()
    base: str = FULL
    criteria: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """A variable and what it is to be."""

    address: Address
    value: str


class Variables:
    """The operations."""

    def __init__(self, database: Database, asking: Requests) -> None:
        self._database = database
        self._asking = asking

    async def page(
        self, station_id: str, wanted: Filter, name: str | None, after: str, limit: int
    ) -> Sequence[Variable]:
        """Return up to `limit` variables of a station: by a name of the table as well.

        Raises:
            UnknownStationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            station = (await stations.find(connection, [station_id])).get(station_id)
            if station is None:
                raise _unknown(station_id)
            if name is not None:
                words = WORDS.get(station.version)
                place = None if words is None else resolve(Address(name), words.own)
                wanted = msgspec.structs.replace(wanted, keys=() if place is None else (place.key,))
            return await variables.page(connection, station_id, wanted, after, limit)

    async def requests(self, station_id: str, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Request]:
        """Return up to `limit` of what a station was asked, the newest first.

        Raises:
            UnknownStationError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            if station_id not in await stations.find(connection, [station_id]):
                raise _unknown(station_id)
            return await requests.page(connection, station_id, after, limit)

    async def request(self, station_id: str, request_id: UUID) -> Request:
        """Return what a station was asked.

        Raises:
            UnknownRequestError: there is nothing of that id.
        """
        found = await requests.find(self._database.pool, station_id, request_id)
        if found is None:
            raise UnknownRequestError(f"Station {station_id} was not asked anything under {request_id}.")
        return found

    async def read(self, station_id: str, wanted: Read, wait: Wait) -> Request:
        """Ask a station for variables.

        Raises:
            UnknownStationError: there is none.
            NoVersionError: it has not connected yet.
            UnfitVariableError: what is named cannot be asked of it, or is more than it takes for one report.
        """
        async with self._database.transaction() as tx:
            station, words = await self._asked(tx.connection, station_id)
            places = _places(words, wanted.addresses)
            wholes = [place for place in places if not place.variable]
            if (wholes or wanted.criteria) and not words.is_reported:
                what = "OCPP 1.6 has no components: name keys, or nothing for all of them"
                raise UnfitVariableError([FieldObjection("variables" if wholes else "criteria", what)])
            kind = "report" if wholes or wanted.criteria else "named" if places else "all"
            items = tuple(Item(place) for place in places)
            if kind == "report":
                await _fits(tx.connection, station_id, words, items)
            asked = Wanted(kind, "operator", items, wanted.base, wanted.criteria)  # type: ignore[arg-type]
            request = await self._asking.start(tx, station, asked, timedelta(seconds=wait.ttl_s))
        return await self._asking.wait(request, wait.within_s)

    async def change(self, station_id: str, changes: Sequence[Change], wait: Wait, *, force: bool) -> Request:
        """Have a station set variables.

        Raises:
            UnknownStationError: there is none.
            NoVersionError: it has not connected yet.
            UnfitVariableError: by what is known it cannot take this; with `force` only what it cannot be asked at all.
            ReadOnlyVariableError: it has said that it cannot be set.
        """
        async with self._database.transaction() as tx:
            station, words = await self._asked(tx.connection, station_id)
            places = _places(words, [each.address for each in changes])
            known = await variables.find(tx.connection, [station_id], [place.key for place in places])
            own = known.get(station_id, {})
            found: list[tuple[int, Objection]] = []
            for number, (place, change) in enumerate(zip(places, changes, strict=True)):
                is_read = station.read_at is not None
                why = _objection(
                    words.longest[station.version], place, change.value, own.get(place.key), is_read=is_read
                )
                if why is not None and not (force and why.kind != "secret"):
                    found.append((number, why))
            _refuse(found)
            items = tuple(Item(place, each.value) for place, each in zip(places, changes, strict=True))
            request = await self._asking.start(
                tx, station, Wanted("change", "operator", items), timedelta(seconds=wait.ttl_s)
            )
        return await self._asking.wait(request, wait.within_s)

    async def _asked(self, connection: asyncpg.Connection, station_id: str) -> tuple[Station, Words]:
        station = (await stations.find(connection, [station_id])).get(station_id)
        if station is None:
            raise _unknown(station_id)
        words = WORDS.get(station.version)
        if words is None:
            raise NoVersionError(f"Station {station_id} cannot be asked: {NO_VERSION}; it can once it has connected.")
        return station, words


async def _fits(connection: asyncpg.Connection, station_id: str, words: Words, items: Sequence[Item]) -> None:
    """Refuse more components than a station takes for one report. Spec: OCPP 2.0.1 B08 (ItemsPerMessage)."""
    most = (await variables.limits(connection, station_id, (words.reported_items, None))).items
    if most is not None and len(items) > most:
        what = f"the station takes {most} in one message, not {len(items)}: name fewer"
        raise UnfitVariableError([FieldObjection("variables", what)])


def _places(words: Words, addresses: Sequence[Address]) -> list[Place]:
    found: list[Place] = []
    wrong: list[FieldObjection] = []
    for number, address in enumerate(addresses):
        place = resolve(address, words.own)
        if place is None:
            spoken = " and ".join(words.versions)
            what = f"{address.text} has no place in OCPP {spoken}, which the station speaks; see /v1/variable-names"
            wrong.append(FieldObjection(f"variables.{number}", what))
        elif place in found:
            wrong.append(FieldObjection(f"variables.{number}", f"{place.text} is named twice"))
        else:
            found.append(place)
    if wrong:
        raise UnfitVariableError(wrong)
    return found


def _objection(longest: int, place: Place, value: str, known: Variable | None, *, is_read: bool) -> Objection | None:
    if len(value) > longest:
        return Objection("value", f"has more than {longest} characters")
    return objection(place, value, known, is_read=is_read)


def _refuse(found: Sequence[tuple[int, Objection]]) -> None:
    if not found:
        return
    if all(why.kind == "read_only" for _, why in found):
        raise ReadOnlyVariableError("; ".join(f"variables.{number}: {why.what}" for number, why in found))
    members = {"value": ".value"}
    raise UnfitVariableError(
        [FieldObjection(f"variables.{number}{members.get(why.kind, '')}", why.what) for number, why in found]
    )


def _unknown(station_id: str) -> UnknownStationError:
    return UnknownStationError(f"No station {station_id} is registered; POST /v1/stations registers one.")
