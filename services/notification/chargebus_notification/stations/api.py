"""HTTP in: what is known of stations."""

from typing import Annotated, Final

import msgspec
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends

from chargebus_notification.stations.errors import StationError, UnknownStationError
from chargebus_notification.stations.operations import Operations
from chargebus_notification.stations.resources import KnownStation, KnownStationDetail

STATIONS: Final = Listing("notification-stations", str)

_PROBLEMS: Final[dict[type[StationError], tuple[int, str]]] = {
    UnknownStationError: (404, "no such station"),
}


def router(operations: Operations) -> APIRouter:
    """Return the routes of this subject."""
    routes = APIRouter(prefix="/notification", tags=["notification"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get("/stations", summary="List stations as rules see them")
    async def list_stations(paging: Annotated[PageQuery, Depends()]) -> Page[KnownStation]:
        found = await operations.page(STATIONS.after(paging) or "", paging.limit + 1)
        shown = [KnownStation.model_validate(each) for each in found]
        return STATIONS.page(shown, paging.limit, lambda station: station.station_id)

    @routes.get("/stations/{station_id}", summary="Show a station as rules see it", responses=raises(404))
    async def show_station(station_id: str) -> KnownStationDetail:
        try:
            found = await operations.find(station_id)
        except StationError as error:
            raise _problem(error) from error
        shown = KnownStation.model_validate(found)
        return KnownStationDetail(**shown.model_dump(), facts=msgspec.to_builtins(found, str_keys=True))

    return routes


def _problem(error: StationError) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
