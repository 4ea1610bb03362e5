"""HTTP in: stations as far as their certificates are concerned."""

from typing import Annotated, Final

from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends

from chargebus_security.stations.errors import UnknownStationError
from chargebus_security.stations.operations import Stations
from chargebus_security.stations.resources import StationOut

STATIONS: Final = Listing("security-stations", str)


def router(stations: Stations) -> APIRouter:
    """Return the routes of stations."""
    routes = APIRouter(prefix="/security", tags=["security"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get("/stations", summary="List stations as their certificates are concerned")
    async def list_stations(paging: Annotated[PageQuery, Depends()]) -> Page[StationOut]:
        found = await stations.page(STATIONS.after(paging) or "", paging.limit + 1)
        shown = STATIONS.page(found, paging.limit, lambda station: station.station_id)
        return Page(items=[StationOut.of(each) for each in shown.items], next=shown.next)

    @routes.get(
        "/stations/{station_id}", summary="Show a station as its certificates are concerned", responses=raises(404)
    )
    async def show_station(station_id: str) -> StationOut:
        try:
            return StationOut.of(await stations.find(station_id))
        except UnknownStationError as error:
            raise Problem(404, "no such station", str(error)) from error

    return routes
