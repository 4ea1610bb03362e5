"""HTTP in: sites as they are planned, sessions as they are charged, and limits of operators."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from chargebus_runtime.http import Caller, FieldError, Listing, Page, PageQuery, Problem, UtcDatetime, raises
from fastapi import APIRouter, Depends, Path, Query

from chargebus_smart_charging.planning.domain.overrides import Override
from chargebus_smart_charging.planning.errors import PlanningError, UnfitError, UnknownOverrideError
from chargebus_smart_charging.planning.operations.views import Overrides, Views
from chargebus_smart_charging.planning.resources import (
    OverrideIn,
    OverrideOut,
    PlanOut,
    SessionChargingOut,
    SuppositionIn,
)
from chargebus_smart_charging.planning.store.plans import Between
from chargebus_smart_charging.sites.api import OPERATOR, VIEWER, SiteId
from chargebus_smart_charging.sites.api import problems as site_problems
from chargebus_smart_charging.sites.resources import ID_PATTERN
from chargebus_smart_charging.vehicles.domain.needs import Needs
from chargebus_smart_charging.vehicles.errors import PastDepartureError, UnknownSessionError, VehicleError
from chargebus_smart_charging.vehicles.operations import DriverNeeds
from chargebus_smart_charging.vehicles.resources import SessionNeedsIn

PLANS: Final = Listing("site-plans", str)

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownOverrideError: (404, "no such override"),
    UnknownSessionError: (404, "no such session"),
    PastDepartureError: (422, "the departure is over"),
}

NewOverrideId = Annotated[str, Path(description="Its id, as its operator chooses it", pattern=ID_PATTERN)]


@dataclass(frozen=True)
class PlansQuery:
    """Which plans to list."""

    starts_at: Annotated[UtcDatetime | None, Query(alias="from", description="made then or later")] = None
    ends_at: Annotated[UtcDatetime | None, Query(alias="to", description="made before then")] = None


def router(views: Views, overrides: Overrides, needs: DriverNeeds) -> APIRouter:
    """Return the routes of plans."""
    routes = APIRouter()
    routes.include_router(_site_routes(views))
    routes.include_router(_override_routes(overrides))
    routes.include_router(_session_routes(views, needs))
    return routes


def _site_routes(views: Views) -> APIRouter:
    routes = APIRouter(prefix="/sites/{site_id}", tags=["plans"])

    @routes.get("/state", summary="A site now", dependencies=[VIEWER], responses=raises(404))
    async def get_state(site_id: SiteId) -> PlanOut:
        """What each node and EVSE may draw, is to draw by the last plan, is seen to draw and is reckoned with."""
        with problems():
            return PlanOut.of(site_id, await views.state(site_id))

    @routes.get("/plans", summary="The plans of a day, the newest first", dependencies=[VIEWER], responses=raises(404))
    async def list_plans(
        site_id: SiteId, paging: Annotated[PageQuery, Depends()], wanted: Annotated[PlansQuery, Depends()]
    ) -> Page[PlanOut]:
        """Each that changed what an EVSE may draw."""
        between = Between(PLANS.after(paging), wanted.starts_at, wanted.ends_at)
        with problems():
            found = await views.page(site_id, between, paging.limit + 1)
        page = PLANS.page(found, paging.limit, lambda each: each.plan_id)
        return Page(items=[PlanOut.of(site_id, each) for each in page.items], next=page.next)

    @routes.post(
        "/what-if",
        summary="What a site's plan would be under another limit, or with more vehicles",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def what_if(site_id: SiteId, wanted: SuppositionIn) -> PlanOut:
        """It is computed as any plan; nothing is told to stations, and nothing kept."""
        with problems():
            return PlanOut.of(site_id, await views.what_if(site_id, wanted.supposition()))

    return routes


def _override_routes(overrides: Overrides) -> APIRouter:
    routes = APIRouter(prefix="/sites/{site_id}/overrides", tags=["plans"])

    @routes.get("", summary="List limits of operators", dependencies=[VIEWER], responses=raises(404))
    async def list_overrides(site_id: SiteId) -> Page[OverrideOut]:
        with problems():
            found = await overrides.listed(site_id)
        return Page(items=[OverrideOut.model_validate(each) for each in found])

    @routes.put("/{override_id}", summary="Limit an EVSE or a session for a time", responses=raises(404))
    async def put_override(
        site_id: SiteId, override_id: NewOverrideId, wanted: OverrideIn, caller: Annotated[Caller, OPERATOR]
    ) -> OverrideOut:
        """It counts beside all other limits: it lowers what may be drawn, and never raises it."""
        override = Override(
            override_id,
            site_id,
            wanted.limit_a,
            wanted.ends_at,
            wanted.station_id or "",
            wanted.evse_id or 0,
            wanted.session_id or "",
            wanted.reason,
            caller.key_id,
        )
        with problems():
            await overrides.put(override)
        return OverrideOut.model_validate(override)

    @routes.delete(
        "/{override_id}",
        summary="Take a limit of an operator away",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def remove_override(site_id: SiteId, override_id: str) -> None:
        with problems():
            await overrides.remove(site_id, override_id)

    return routes


def _session_routes(views: Views, needs: DriverNeeds) -> APIRouter:
    routes = APIRouter(prefix="/sessions/{session_id}/charging", tags=["plans"])

    @routes.get("", summary="How a session is charged, and why", dependencies=[VIEWER], responses=raises(404))
    async def get_charging(session_id: str) -> SessionChargingOut:
        with problems():
            return SessionChargingOut.of(await views.session(session_id))

    @routes.put("", summary="Say what a session needs", dependencies=[OPERATOR], responses=raises(404))
    async def put_charging(session_id: str, wanted: SessionNeedsIn) -> SessionChargingOut:
        """It comes before what the vehicle tells, and before what is known of its token and its site."""
        with problems():
            await needs.ask(session_id, Needs(wanted.energy_wh, wanted.departs_at, wanted.priority))
            return SessionChargingOut.of(await views.session(session_id))

    return routes


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about plans into problems."""
    try:
        with site_problems():
            yield
    except UnfitError as error:
        errors = [FieldError(f"body.{objection.where}", objection.what) for objection in error.objections]
        raise Problem(422, "it does not fit the site", errors=errors) from error
    except (PlanningError, VehicleError) as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
