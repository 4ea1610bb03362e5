"""HTTP in: series of the grid."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final

from chargebus_runtime.clock import Clock
from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, raises
from fastapi import APIRouter, Depends

from chargebus_smart_charging.series.domain.series import SeriesKey
from chargebus_smart_charging.series.errors import UnfitSeriesError, UnknownSeriesError
from chargebus_smart_charging.series.operations import GridSeries
from chargebus_smart_charging.series.resources import Kind, SeriesDescription, SeriesDetail, SeriesOut
from chargebus_smart_charging.sites.api import OPERATOR, VIEWER

SERIES: Final = Listing("grid-series", str)


def router(series: GridSeries, clock: Clock) -> APIRouter:
    """Return the routes of series."""
    routes = APIRouter(prefix="/grid-series", tags=["grid-series"])

    @routes.get("", summary="What is known of the grid, and how far ahead", dependencies=[VIEWER])
    async def list_series(paging: Annotated[PageQuery, Depends()]) -> Page[SeriesOut]:
        kind, _, zone = (SERIES.after(paging) or "").partition("/")
        found = await series.page((zone, kind), paging.limit + 1, clock())
        shown = [SeriesOut.of(each) for each in found]
        return SERIES.page(shown, paging.limit, lambda each: f"{each.kind}/{each.zone}")

    @routes.put("", summary="Tell a series", dependencies=[OPERATOR])
    async def put_series(wanted: SeriesDescription) -> SeriesOut:
        """Where it and what was told before tell of the same time, this counts; the rest stays."""
        with problems():
            return SeriesOut.of(await series.put(wanted.series()))

    @routes.get("/{zone}/{kind}", summary="A series, from now on", dependencies=[VIEWER], responses=raises(404))
    async def get_series(zone: str, kind: Kind) -> SeriesDetail:
        with problems():
            return SeriesDetail.of(await series.find(SeriesKey(zone, kind), clock()))

    return routes


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about series into problems."""
    try:
        yield
    except UnfitSeriesError as error:
        errors = [FieldError(f"body.{objection.where}", objection.what) for objection in error.objections]
        raise Problem(422, "it does not fit", errors=errors) from error
    except UnknownSeriesError as error:
        raise Problem(404, "no such series", str(error)) from error
