"""HTTP in: what stations are to be set to is said, tried out, and looked after."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final
from uuid import UUID

from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_device.configurations.domain.compared import Verdict
from chargebus_device.configurations.domain.shown import DryRun
from chargebus_device.configurations.errors import (
    ConfigurationError,
    TooManyConfigurationsError,
    UnfitConfigurationError,
    UnknownConfigurationError,
)
from chargebus_device.configurations.operations.wanting import Configurations
from chargebus_device.configurations.resources import (
    ConfigurationIn,
    ConfigurationOut,
    DryRunOut,
    EntryOut,
    StationConfigurationOut,
)
from chargebus_device.variables.errors import UnknownStationError

CONFIGURATIONS: Final = Listing("configurations", UUID)
ENTRIES: Final = Listing("configuration-stations", str)
DRY_RUN: Final = Listing("configuration-dry-run", str)

_BETWEEN: Final = "\x1e"
_FIRST: Final = UUID(int=0)
_VIEWER: Final = Depends(require(Role.VIEWER))
_OPERATOR: Final = Depends(require(Role.OPERATOR))
_StationId = Annotated[
    str, Path(max_length=255, pattern=r"^[^\x00]+$", description="The station's identity, percent-encoded")
]
_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownConfigurationError: (404, "no such configuration"),
    UnknownStationError: (404, "no such station"),
    TooManyConfigurationsError: (409, "too many configurations"),
}


def router(wanting: Configurations) -> APIRouter:
    """Return the routes of configurations."""
    routes = APIRouter(tags=["configurations"])
    routes.include_router(_changing(wanting))
    routes.include_router(_looking(wanting))
    return routes


def _changing(wanting: Configurations) -> APIRouter:
    routes = APIRouter(dependencies=[_OPERATOR])

    @routes.post("/configurations", summary="Want stations set to something", status_code=201, responses=raises(409))
    async def add_configuration(given: ConfigurationIn, response: Response) -> ConfigurationOut:
        """What differs is changed, at a pace, and again where it does not stay so; after each boot, too."""
        with _problems():
            made = await wanting.add(given.configuration())
        response.headers["Location"] = f"/v1/configurations/{made.configuration.configuration_id}"
        return ConfigurationOut.of(made)

    @routes.put("/configurations/{configuration_id}", summary="Change a configuration", responses=raises(404))
    async def replace_configuration(configuration_id: UUID, given: ConfigurationIn) -> ConfigurationOut:
        """What breaks connections goes to a few stations first again, if it is another; else what is held stays so."""
        with _problems():
            return ConfigurationOut.of(await wanting.replace(configuration_id, given.configuration()))

    @routes.delete(
        "/configurations/{configuration_id}", summary="Drop a configuration", status_code=204, responses=raises(404)
    )
    async def remove_configuration(configuration_id: UUID) -> None:
        """Stations stay as they are."""
        with _problems():
            await wanting.remove(configuration_id)

    @routes.post(
        "/configurations/{configuration_id}/release", summary="Go on with one that is held", responses=raises(404)
    )
    async def release_configuration(configuration_id: UUID) -> ConfigurationOut:
        """Stations that are lost until now do not hold up others any more."""
        with _problems():
            return ConfigurationOut.of(await wanting.release(configuration_id))

    @routes.post("/configuration-dry-run", summary="Try out a configuration")
    async def try_configuration(given: ConfigurationIn, paging: Annotated[PageQuery, Depends()]) -> DryRunOut:
        """What it would change, station by station; nothing is kept, and no station is asked."""
        after = DRY_RUN.after(paging) or ""
        with _problems():
            run = await wanting.dry_run(given.configuration(), after, paging.limit + 1)
        return _run(run, paging.limit)

    @routes.post(
        "/configurations/{configuration_id}/dry-run",
        summary="What a configuration would change now",
        responses=raises(404),
    )
    async def try_again(configuration_id: UUID, paging: Annotated[PageQuery, Depends()]) -> DryRunOut:
        """Station by station, by what is known of them; no station is asked."""
        after = DRY_RUN.after(paging) or ""
        with _problems():
            run = await wanting.try_again(configuration_id, after, paging.limit + 1)
        return _run(run, paging.limit)

    return routes


def _looking(wanting: Configurations) -> APIRouter:
    routes = APIRouter(dependencies=[_VIEWER])

    @routes.get("/configurations", summary="List configurations, and how they go")
    async def list_configurations(paging: Annotated[PageQuery, Depends()]) -> Page[ConfigurationOut]:
        found = await wanting.page(CONFIGURATIONS.after(paging) or _FIRST, paging.limit + 1)
        page = CONFIGURATIONS.page(found, paging.limit, lambda each: each.configuration.configuration_id)
        return Page(items=[ConfigurationOut.of(each) for each in page.items], next=page.next)

    @routes.get("/configurations/{configuration_id}", summary="A configuration, and how it goes", responses=raises(404))
    async def show_configuration(configuration_id: UUID) -> ConfigurationOut:
        with _problems():
            return ConfigurationOut.of(await wanting.find(configuration_id))

    @routes.get(
        "/configurations/{configuration_id}/stations",
        summary="How its variables stand, station by station",
        responses=raises(404),
    )
    async def list_entries(
        configuration_id: UUID,
        paging: Annotated[PageQuery, Depends()],
        verdict: Annotated[Verdict | None, Query(description="Only those that stand so")] = None,
    ) -> Page[EntryOut]:
        station_id, _, key = (ENTRIES.after(paging) or "").partition(_BETWEEN)
        with _problems():
            found = await wanting.entries(configuration_id, verdict, (station_id, key), paging.limit + 1)
        page = ENTRIES.page(found, paging.limit, lambda each: f"{each.station_id}{_BETWEEN}{each.key}")
        return Page(items=[EntryOut.model_validate(each) for each in page.items], next=page.next)

    @routes.get(
        "/stations/{station_id}/configuration",
        summary="What is wanted of a station, and how it stands",
        responses=raises(404),
    )
    async def show_station(station_id: _StationId) -> StationConfigurationOut:
        with _problems():
            return StationConfigurationOut.of(station_id, await wanting.of_station(station_id))

    return routes


def _run(run: DryRun, limit: int) -> DryRunOut:
    page = DRY_RUN.page(run.found, limit, lambda each: each.station_id)
    return DryRunOut.of(run, page.items, page.next)


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except UnfitConfigurationError as error:
        errors = [FieldError(f"body.{each.where}", each.what) for each in error.objections]
        raise Problem(422, "it cannot be wanted", errors=errors) from error
    except (ConfigurationError, UnknownStationError) as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
