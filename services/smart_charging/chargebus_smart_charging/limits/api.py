"""HTTP in: limits of others, the curtailment switch, readings of nodes' meters."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import quote

from chargebus_runtime.clock import Clock
from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, raises
from fastapi import APIRouter, Depends, Path, Response

from chargebus_smart_charging.limits.domain.limit import CURTAILMENT, KnownLimit
from chargebus_smart_charging.limits.errors import (
    LimitError,
    UnfitLimitError,
    UnknownLimitError,
    UnmeteredNodeError,
)
from chargebus_smart_charging.limits.operations import Limits
from chargebus_smart_charging.limits.resources import (
    CurtailmentDescription,
    LimitDescription,
    LimitOut,
    ReadingDescription,
)
from chargebus_smart_charging.sites.api import OPERATOR, VIEWER, SiteId
from chargebus_smart_charging.sites.api import problems as site_problems
from chargebus_smart_charging.sites.errors import Objection
from chargebus_smart_charging.sites.resources import ID_PATTERN

LIMITS: Final = Listing("site-limits", str)

Source = Annotated[str, Path(description="Who sets it")]
LimitId = Annotated[str, Path(description="Its name there")]
NewSource = Annotated[str, Path(description="Who sets it, such as EMS", pattern=ID_PATTERN)]
NewLimitId = Annotated[str, Path(description="Its name there", pattern=ID_PATTERN)]

_PROBLEMS: Final[dict[type[LimitError], tuple[int, str]]] = {
    UnknownLimitError: (404, "no such limit"),
    UnmeteredNodeError: (404, "no such meter"),
}


def router(limits: Limits, clock: Clock) -> APIRouter:
    """Return the routes of limits and readings."""
    routes = APIRouter(prefix="/sites/{site_id}", tags=["limits"])
    routes.include_router(_limit_routes(limits, clock))
    routes.include_router(_curtailment_routes(limits))

    @routes.post(
        "/nodes/{node_id}/readings",
        summary="Tell what a node's other loads draw",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def post_reading(site_id: SiteId, node_id: str, wanted: ReadingDescription) -> None:
        """Of a node whose meter is described without a station. The newest counts; an older one changes nothing."""
        phase_a = wanted.currents()
        with problems():
            if phase_a is None:
                raise UnfitLimitError([Objection("phase_a", "give phase_a or total_w, one of both")])
            await limits.read(site_id, node_id, wanted.reading(phase_a))

    return routes


def _limit_routes(limits: Limits, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/limits")

    @routes.get("", summary="Limits of others, and which decide", dependencies=[VIEWER], responses=raises(404))
    async def list_limits(site_id: SiteId, paging: Annotated[PageQuery, Depends()]) -> Page[LimitOut]:
        """All count, so of those on one place the lowest decides; a site's own capacities are never raised by any."""
        after = LIMITS.after(paging) or ""
        with problems():
            standing = await limits.of_site(site_id, clock())
        rows = sorted((each for each in standing if _key(each.limit) > after), key=lambda each: _key(each.limit))
        found = LIMITS.page(rows[: paging.limit + 1], paging.limit, lambda each: _key(each.limit))
        return Page(items=[LimitOut.of(each) for each in found.items], next=found.next)

    @routes.put(
        "/{source}/{limit_id}",
        summary="Set a limit",
        dependencies=[OPERATOR],
        responses={201: {"model": LimitOut, "description": "It is new"}, **raises(404)},
    )
    async def put_limit(
        site_id: SiteId, source: NewSource, limit_id: NewLimitId, wanted: LimitDescription, response: Response
    ) -> LimitOut:
        """It takes the place of what the source told of the same before, and counts at once."""
        with problems():
            if source == CURTAILMENT:
                raise UnfitLimitError([Objection("source", "is set by PUT /v1/sites/{site_id}/curtailment")])
            standing, new = await limits.put(wanted.limit(site_id, source, limit_id))
        if new:
            response.status_code = 201
        return LimitOut.of(standing)

    @routes.delete(
        "/{source}/{limit_id}",
        summary="Take a limit away",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def clear_limit(site_id: SiteId, source: Source, limit_id: LimitId) -> None:
        with problems():
            await limits.clear(site_id, source, limit_id)

    return routes


def _curtailment_routes(limits: Limits) -> APIRouter:
    routes = APIRouter(prefix="/curtailment")

    @routes.put(
        "",
        summary="Curtail a site in an emergency of the grid",
        dependencies=[OPERATOR],
        responses={201: {"model": LimitOut, "description": "There was none"}, **raises(404)},
    )
    async def curtail(site_id: SiteId, wanted: CurtailmentDescription, response: Response) -> LimitOut:
        """What the whole site may draw until the end; it is one more limit, and all count."""
        with problems():
            standing, new = await limits.put(wanted.limit(site_id))
        if new:
            response.status_code = 201
        return LimitOut.of(standing)

    @routes.delete(
        "", summary="End a curtailment before its time", status_code=204, dependencies=[OPERATOR], responses=raises(404)
    )
    async def end_curtailment(site_id: SiteId) -> None:
        with problems():
            await limits.clear(site_id, CURTAILMENT, CURTAILMENT)

    return routes


def _key(limit: KnownLimit) -> str:
    """Return what limits are ordered by; no part of it has a slash of its own."""
    return f"{quote(limit.source, safe='')}/{quote(limit.limit_id, safe='')}"


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about limits and sites into problems."""
    try:
        with site_problems():
            yield
    except UnfitLimitError as error:
        errors = [FieldError(f"body.{objection.where}", objection.what) for objection in error.objections]
        raise Problem(422, "it does not fit", errors=errors) from error
    except LimitError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
