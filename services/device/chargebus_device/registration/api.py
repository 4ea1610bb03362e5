"""Owns what comes in over HTTP: stations and the onboarding policy."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import quote

import asyncpg
from chargebus_events.public import StationDescribed
from chargebus_events.registry import Registration, removed
from chargebus_ocppj.versions import Version
from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_device.registration import resources
from chargebus_device.registration.domain import Change
from chargebus_device.registration.errors import (
    NoChangeError,
    RegistrationError,
    TooManyChangesError,
    TooManyPasswordsError,
    TooManyStationsError,
)
from chargebus_device.registration.operations import Registrar, describe
from chargebus_device.registration.resources import (
    BulkOut,
    ChangeIn,
    OnboardingIn,
    OnboardingOut,
    PasswordIn,
    StationCreated,
    StationDetail,
    StationIn,
    StationOut,
    StationSecret,
    StationsIn,
)
from chargebus_device.registration.store import onboarding, stations
from chargebus_device.registration.store.descriptions import described
from chargebus_device.statuses.domain import Status

StationId = Annotated[str, Path(description="The station's identity, percent-encoded in UTF-8, a slash in it too")]

STATIONS: Final = Listing("stations", str)

_TITLES: Final[dict[type[RegistrationError], str]] = {
    TooManyStationsError: "too many stations",
    TooManyPasswordsError: "too many passwords",
    TooManyChangesError: "too many unused passwords",
    NoChangeError: "no change of the password",
}

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))
ADMIN: Final = Depends(require(Role.ADMIN))


def router(database: Database, registrar: Registrar) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter()
    routes.include_router(_station_routes(database))
    routes.include_router(_registration_routes(database, registrar))
    routes.include_router(_onboarding_routes(database, registrar))
    return routes


def _station_routes(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/stations", tags=["stations"])

    @routes.get("", summary="List stations", dependencies=[VIEWER])
    async def list_stations(
        paging: Annotated[PageQuery, Depends()], wanted: Annotated[stations.Filter, Depends(_filter)]
    ) -> Page[StationOut]:
        async with database.pool.acquire() as connection:
            rows = await stations.page(connection, wanted, STATIONS.after(paging) or "", paging.limit + 1)
            found = STATIONS.page(rows, paging.limit, lambda row: row["station_id"])
            reports = await stations.statuses(connection, [row["station_id"] for row in found.items])
        grouped = resources.by_station(reports)
        items = [resources.station(row, grouped.get(row["station_id"], [])) for row in found.items]
        return Page(items=items, next=found.next)

    @routes.get(
        "/{station_id}",
        summary="A station with its EVSEs and connectors",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def get_station(station_id: StationId) -> StationDetail:
        async with database.pool.acquire() as connection:
            return await _detail(connection, station_id)

    @routes.patch("/{station_id}", summary="Change a station", dependencies=[OPERATOR], responses=raises(404))
    async def change_station(station_id: StationId, wanted: ChangeIn) -> StationDetail:
        """A change of registration reaches the station with its next boot, its edge at once."""
        async with database.transaction() as tx:
            change = _change(wanted)
            registered = await stations.change(tx.connection, station_id, change, tx.now)
            if registered is None:
                raise _unknown(station_id)
            tx.send(registered.record())
            if change.describes:
                await describe(tx, [station_id])
            detail = await _detail(tx.connection, station_id)
        await tx.published()
        return detail

    @routes.delete(
        "/{station_id}",
        summary="Remove a station",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def remove_station(station_id: StationId) -> None:
        async with database.transaction() as tx:
            removed_at = await stations.remove(tx.connection, station_id, tx.now)
            if removed_at is None:
                raise _unknown(station_id)
            tx.send(removed(station_id))
            tx.send(described(StationDescribed(station_id, removed_at, removed=True)))
        await tx.published()

    return routes


def _registration_routes(database: Database, registrar: Registrar) -> APIRouter:
    routes = APIRouter(prefix="/stations", tags=["stations"])

    @routes.post("", summary="Register a station", status_code=201, dependencies=[OPERATOR], responses=raises(409))
    async def register_station(wanted: StationIn, response: Response) -> StationCreated:
        """The generated password is shown in this answer only."""
        password = await registrar.register(wanted)
        if password is None:
            detail = f"There is a station {wanted.station_id} already; change it with PATCH."
            raise Problem(409, "station exists", detail)
        response.headers["Location"] = f"/v1/stations/{quote(wanted.station_id, safe='')}"
        async with database.pool.acquire() as connection:
            created = await _detail(connection, wanted.station_id)
        return StationCreated(**created.model_dump(), password=password.shown)

    @routes.post("/bulk", summary="Register many stations", dependencies=[OPERATOR])
    async def register_stations(wanted: StationsIn) -> BulkOut:
        """Each station stands for itself: those that can be registered are, and every item tells what became of it.

        All that are created are created together; nothing is created if the call fails. A station that exists is
        left as it is, so the call can be repeated; the password of one that was created before is not shown again:
        give it a new one.
        """
        try:
            items = await registrar.register_many(wanted.stations)
        except RegistrationError as error:
            raise Problem(422, _TITLES[type(error)], str(error)) from error
        results = [item.result for item in items]
        return BulkOut(
            created=results.count("created"),
            exists=results.count("exists"),
            invalid=results.count("invalid"),
            items=items,
        )

    routes.include_router(_password_routes(registrar))
    return routes


def _password_routes(registrar: Registrar) -> APIRouter:
    routes = APIRouter(prefix="/{station_id}/password", dependencies=[OPERATOR])

    @routes.post("", summary="Give a station a new password", responses=raises(404, 409))
    async def rotate_password(station_id: StationId, wanted: PasswordIn | None = None) -> StationSecret:
        """The new password stands beside the older ones until the station uses it; then those end.

        It is shown in this answer only. The connection stays. `password_change` of the station tells how far it is.
        """
        wanted = wanted or PasswordIn()
        with _problems():
            password = await registrar.rotate(station_id, wanted.password, wanted.older_valid_s)
        if password is None:
            raise _unknown(station_id)
        return StationSecret(station_id=station_id, password=password.shown)

    @routes.delete("/older", summary="End a station's older passwords", status_code=204, responses=raises(404, 409))
    async def end_older_passwords(station_id: StationId) -> None:
        """The newest is the only one from now on; a connection that came in by an older one is closed."""
        with _problems():
            if not await registrar.end_older(station_id):
                raise _unknown(station_id)

    @routes.delete("/newer", summary="Take back unused passwords", status_code=204, responses=raises(404, 409))
    async def take_back_newer_passwords(station_id: StationId) -> None:
        """The password that the station has used is the only one from now on."""
        with _problems():
            if not await registrar.take_back_newer(station_id):
                raise _unknown(station_id)

    return routes


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except RegistrationError as error:
        raise Problem(409, _TITLES[type(error)], str(error)) from error


def _onboarding_routes(database: Database, registrar: Registrar) -> APIRouter:
    routes = APIRouter(prefix="/onboarding", tags=["stations"])

    @routes.get("", summary="What becomes of stations that nobody registered", dependencies=[VIEWER])
    async def get_onboarding() -> OnboardingOut:
        async with database.pool.acquire() as connection:
            policy = await onboarding.load(connection)
        if policy is None:
            return OnboardingOut(unknown_stations="refuse")
        return OnboardingOut(unknown_stations=policy.unknown_stations, updated_at=policy.updated_at)

    @routes.put("", summary="Decide what becomes of stations that nobody registered", dependencies=[ADMIN])
    async def set_onboarding(wanted: OnboardingIn) -> OnboardingOut:
        """A station that nobody registered must present the onboarding password, shown in this answer only."""
        policy, shown = await registrar.set_onboarding(wanted.unknown_stations, new_password=wanted.new_password)
        return OnboardingOut(unknown_stations=policy.unknown_stations, updated_at=policy.updated_at, password=shown)

    return routes


async def _filter(  # noqa: PLR0913 - each is a parameter of the address
    *,
    connected: bool | None = None,
    registration: Registration | None = None,
    version: Annotated[Version | None, Query(description="OCPP version last spoken")] = None,
    text: Annotated[str | None, Query(description="Part of id, name, vendor, model or serial number")] = None,
    status: Annotated[Status | None, Query(description="The status of any of its connectors")] = None,
    password_unused: Annotated[bool | None, Query(description="It has not used a password it was given")] = None,
) -> stations.Filter:
    return stations.Filter(connected, registration, version, text, status, password_unused)


def _change(wanted: ChangeIn) -> Change:
    versions = None if wanted.versions is None else tuple(wanted.versions)
    ratings = None if wanted.ratings is None else resources.ratings_of(wanted.ratings)
    return Change(
        wanted.registration,
        versions,
        wanted.name,
        wanted.labels,
        wanted.strict,
        ratings,
        wanted.time_zone,
        wanted.security_profile,
        wanted.certificate_identity,
        None if wanted.certificate_pins is None else tuple(wanted.certificate_pins),
    )


async def _detail(connection: asyncpg.Connection, station_id: str) -> StationDetail:
    row = await stations.get(connection, station_id)
    if row is None:
        raise _unknown(station_id)
    return resources.detail(row, await stations.statuses(connection, [station_id]))


def _unknown(station_id: str) -> Problem:
    return Problem(404, "no such station", f"No station {station_id} is registered; POST /v1/stations registers one.")
