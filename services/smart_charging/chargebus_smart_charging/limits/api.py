"""HTTP in: the stations that were heard."""

from typing import Annotated, Final

from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends

from chargebus_smart_charging.limits.errors import SmartChargingError, UnheardStationError
from chargebus_smart_charging.limits.operations import Operations
from chargebus_smart_charging.limits.resources import HeardStation

STATIONS: Final = Listing("smart-charging-stations", str)

_PROBLEMS: Final[dict[type[SmartChargingError], tuple[int, str]]] = {
    UnheardStationError: (404, "no such station"),
}


def router(operations: Operations) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter(prefix="/smart-charging", tags=["smart-charging"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get("/stations", summary="List the stations that were heard")
    async def list_stations(paging: Annotated[PageQuery, Depends()]) -> Page[HeardStation]:
        found = await operations.page(STATIONS.after(paging) or "", paging.limit + 1)
        shown = [HeardStation.model_validate(each) for each in found]
        return STATIONS.page(shown, paging.limit, lambda station: station.station_id)

    @routes.get("/stations/{station_id}", summary="Show a station that was heard", responses=raises(404))
    async def show_station(station_id: str) -> HeardStation:
        try:
            return HeardStation.model_validate(await operations.find(station_id))
        except SmartChargingError as error:
            raise _problem(error) from error

    return routes


def _problem(error: SmartChargingError) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
