"""HTTP in: what drivers of a class need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path

from chargebus_smart_charging.vehicles.domain.needs import ClassNeeds, Kind, class_value
from chargebus_smart_charging.vehicles.errors import SaysNothingError, UnknownClassError, VehicleError
from chargebus_smart_charging.vehicles.operations import DriverNeeds
from chargebus_smart_charging.vehicles.resources import DriverNeedsIn, DriverNeedsOut

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))
CLASSES: Final = Listing("driver-needs", str)

_PROBLEMS: Final[dict[type[VehicleError], tuple[int, str]]] = {
    UnknownClassError: (404, "no such class of drivers"),
    SaysNothingError: (422, "nothing is said"),
}

Value = Annotated[
    str,
    Path(
        description="The token's text, the id of a group of tokens, or a type of them, such as eMAID",
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]


def router(needs: DriverNeeds) -> APIRouter:
    """Return the routes of what drivers of a class need."""
    routes = APIRouter(prefix="/smart-charging/driver-needs", tags=["smart-charging"])

    @routes.get("", summary="List what drivers of a class need", dependencies=[VIEWER])
    async def list_needs(paging: Annotated[PageQuery, Depends()]) -> Page[DriverNeedsOut]:
        kind, _, value = (CLASSES.after(paging) or "").partition("/")
        found = await needs.page((kind, value), paging.limit + 1)
        shown = [DriverNeedsOut.model_validate(each) for each in found]
        return CLASSES.page(shown, paging.limit, lambda each: f"{each.kind}/{each.value}")

    @routes.get(
        "/{kind}/{value:path}",
        summary="What drivers of a class need",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def get_needs(kind: Kind, value: Value) -> DriverNeedsOut:
        with _told():
            return DriverNeedsOut.model_validate(await needs.find(kind, class_value(kind, value)))

    @routes.put("/{kind}/{value:path}", summary="Say what drivers of a class need", dependencies=[OPERATOR])
    async def put_needs(kind: Kind, value: Value, wanted: DriverNeedsIn) -> DriverNeedsOut:
        """The closest row counts: a token's, its group's, its type's; what driver or vehicle tell comes before all."""
        said = ClassNeeds(kind, class_value(kind, value), wanted.energy_wh, wanted.stay_s, wanted.priority)
        with _told():
            await needs.put(said)
        return DriverNeedsOut.model_validate(said)

    @routes.delete(
        "/{kind}/{value:path}",
        summary="Say no more of a class of drivers",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def remove_needs(kind: Kind, value: Value) -> None:
        with _told():
            await needs.remove(kind, class_value(kind, value))

    return routes


@contextmanager
def _told() -> Iterator[None]:
    """Tell as a problem why something cannot be."""
    try:
        yield
    except VehicleError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
