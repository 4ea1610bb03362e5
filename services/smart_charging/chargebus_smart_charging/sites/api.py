"""HTTP in: sites."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final

from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Response

from chargebus_smart_charging.sites.errors import (
    ChangedSiteError,
    SiteError,
    UnfitSiteError,
    UnknownNodeError,
    UnknownSiteError,
)
from chargebus_smart_charging.sites.operations import Sites
from chargebus_smart_charging.sites.resources import (
    ID_PATTERN,
    CheckOut,
    DescribedSite,
    FindingOut,
    ListedSite,
    SiteDescription,
)

SITES: Final = Listing("sites", str)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

SiteId = Annotated[str, Path(description="The site's id")]
NewSiteId = Annotated[str, Path(description="The site's id, as its operator chooses it", pattern=ID_PATTERN)]

_PROBLEMS: Final[dict[type[SiteError], tuple[int, str]]] = {
    UnknownSiteError: (404, "no such site"),
    UnknownNodeError: (404, "no such node"),
    ChangedSiteError: (409, "the site was changed meanwhile"),
}


def router(sites: Sites) -> APIRouter:
    """Return the routes of sites."""
    routes = APIRouter(prefix="/sites", tags=["sites"])

    @routes.get("", summary="List sites", dependencies=[VIEWER])
    async def list_sites(paging: Annotated[PageQuery, Depends()]) -> Page[ListedSite]:
        rows = await sites.page(SITES.after(paging) or "", paging.limit + 1)
        return SITES.page([ListedSite.of(row) for row in rows], paging.limit, lambda site: site.site_id)

    @routes.get("/{site_id}", summary="A site, as it is described", dependencies=[VIEWER], responses=raises(404))
    async def get_site(site_id: SiteId) -> DescribedSite:
        with problems():
            return DescribedSite.of(await sites.find(site_id))

    @routes.put(
        "/{site_id}",
        summary="Describe a site",
        dependencies=[OPERATOR],
        responses={201: {"model": DescribedSite, "description": "It is new"}, **raises(409)},
    )
    async def put_site(site_id: NewSiteId, wanted: SiteDescription, response: Response) -> DescribedSite:
        """The whole site in one document, in the place of what was known. Nothing changes if any part does not fit.

        With the `version` that was read before, a change that somebody else made meanwhile is not lost: it is 409.
        """
        with problems():
            described, new = await sites.put(wanted.site(site_id))
        if new:
            response.status_code = 201
            response.headers["Location"] = f"/v1/sites/{site_id}"
        return DescribedSite.of(described)

    @routes.delete(
        "/{site_id}", summary="Remove a site", status_code=204, dependencies=[OPERATOR], responses=raises(404)
    )
    async def remove_site(site_id: SiteId) -> None:
        """Its stations are told nothing more; what they hold runs out."""
        with problems():
            await sites.remove(site_id)

    @routes.get(
        "/{site_id}/check",
        summary="What a site lacks, or where it contradicts itself",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def check_site(site_id: SiteId) -> CheckOut:
        with problems():
            site, found = await sites.check(site_id)
        findings = [FindingOut.model_validate(each) for each in found]
        return CheckOut(site_id=site.site_id, version=site.version, findings=findings)

    return routes


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about sites into problems."""
    try:
        yield
    except UnfitSiteError as error:
        errors = [FieldError(f"body.{objection.where}", objection.what) for objection in error.objections]
        raise Problem(422, "the site does not fit together", errors=errors) from error
    except SiteError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
