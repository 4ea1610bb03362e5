"""HTTP in: campaigns are asked for, looked at, paused, resumed, cancelled."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from chargebus_commanding.asking import fingerprint
from chargebus_runtime.clock import Clock
from chargebus_runtime.http import FieldError, IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Query, Response

from chargebus_firmware.campaigns.domain.campaign import MemberState, State
from chargebus_firmware.campaigns.errors import (
    CampaignError,
    CampaignStateError,
    UnfitCampaignError,
    UnknownCampaignError,
)
from chargebus_firmware.campaigns.operations import Campaigns
from chargebus_firmware.campaigns.resources import (
    CampaignDetail,
    CampaignIn,
    CampaignOut,
    CampaignStationOut,
    PreviewOut,
)
from chargebus_firmware.campaigns.store.members import Filter
from chargebus_firmware.keys import Key, KeyUsedError

PREFIX: Final = "/firmware/campaigns"

CAMPAIGNS: Final = Listing("firmware-campaigns", str)
STATIONS: Final = Listing("firmware-campaign-stations", str)
PREVIEWED: Final = Listing("firmware-campaign-preview", str)

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_AGAIN: Final[dict[int | str, dict[str, object]]] = {
    200: {"model": CampaignDetail, "description": "It was asked for before, under the same Idempotency-Key"}
}
_PROBLEMS: Final[dict[type[CampaignError], tuple[int, str]]] = {
    UnknownCampaignError: (404, "no such campaign"),
    CampaignStateError: (409, "not in this state"),
}


def router(campaigns: Campaigns, clock: Clock) -> APIRouter:
    """Return the routes of campaigns."""
    routes = APIRouter(tags=["firmware"])
    routes.include_router(_making(campaigns, clock))
    routes.include_router(_reading(campaigns))
    routes.include_router(_steering(campaigns))
    return routes


def _making(campaigns: Campaigns, clock: Clock) -> APIRouter:
    routes = APIRouter(dependencies=[OPERATOR])

    @routes.post(PREFIX, summary="Roll out an image", status_code=201, responses=_AGAIN)
    async def create_campaign(
        wanted: CampaignIn, response: Response, idempotency_key: IdempotencyKey = None
    ) -> CampaignDetail:
        """It begins at once. Its stations are those that are meant now; one that comes later is not in it."""
        key = Key(idempotency_key, fingerprint("campaign", wanted.model_dump(mode="json")))
        with _problems():
            made, is_new = await campaigns.create(wanted.wanted(), key)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/firmware/campaigns/{made.campaign.campaign_id}"
        return CampaignDetail.shown(made)

    @routes.post("/firmware/campaign-preview", summary="Try out a campaign")
    async def preview_campaign(wanted: CampaignIn, paging: Annotated[PageQuery, Depends()]) -> PreviewOut:
        """Which stations it would have, in which waves, and which not, and why, page by page. Nothing is kept."""
        after = PREVIEWED.after(paging) or ""
        with _problems():
            version, listed = await campaigns.preview(wanted.wanted(), clock())
        page = PREVIEWED.page(listed.page(after, paging.limit + 1), paging.limit, lambda each: each[0])
        return PreviewOut.of(version, listed, [member for _, member in page.items], page.next)

    return routes


def _reading(campaigns: Campaigns) -> APIRouter:
    routes = APIRouter(prefix=PREFIX, dependencies=[VIEWER])

    @routes.get("", summary="List campaigns, the newest first")
    async def list_campaigns(
        paging: Annotated[PageQuery, Depends()], state: Annotated[State | None, Query()] = None
    ) -> Page[CampaignOut]:
        found = await campaigns.page(_after(paging), state, paging.limit + 1)
        page = CAMPAIGNS.page(found, paging.limit, lambda each: _key(each.created_at, each.campaign_id))
        return Page(items=[CampaignOut.of(each) for each in page.items], next=page.next)

    @routes.get("/{campaign_id}", summary="A campaign, and how far it is", responses=raises(404))
    async def show_campaign(campaign_id: UUID) -> CampaignDetail:
        with _problems():
            return CampaignDetail.shown(await campaigns.find(campaign_id))

    @routes.get("/{campaign_id}/stations", summary="The stations of a campaign", responses=raises(404))
    async def list_stations(
        campaign_id: UUID,
        paging: Annotated[PageQuery, Depends()],
        state: Annotated[MemberState | None, Query()] = None,
        wave: Annotated[int | None, Query(ge=1, le=100, description="From 1")] = None,
    ) -> Page[CampaignStationOut]:
        """Each with all states that it was in, when and why."""
        wanted = Filter(campaign_id, state, None if wave is None else wave - 1)
        with _problems():
            found = await campaigns.stations(wanted, STATIONS.after(paging) or "", paging.limit + 1)
        page = STATIONS.page(found, paging.limit, lambda member: member.station_id)
        return Page(items=[CampaignStationOut.of(each) for each in page.items], next=page.next)

    return routes


def _steering(campaigns: Campaigns) -> APIRouter:
    routes = APIRouter(prefix=f"{PREFIX}/{{campaign_id}}", dependencies=[OPERATOR])

    @routes.post("/pause", summary="Let nothing more begin", responses=raises(404, 409))
    async def pause_campaign(campaign_id: UUID) -> CampaignDetail:
        """Stations that are being updated go on."""
        with _problems():
            return CampaignDetail.shown(await campaigns.pause(campaign_id))

    @routes.post("/resume", summary="Go on", responses=raises(404, 409))
    async def resume_campaign(campaign_id: UUID) -> CampaignDetail:
        """Also with one that has stopped by itself: what has failed until now does not stop it again."""
        with _problems():
            return CampaignDetail.shown(await campaigns.resume(campaign_id))

    @routes.post("/cancel", summary="End it", responses=raises(404, 409))
    async def cancel_campaign(campaign_id: UUID) -> CampaignDetail:
        """Stations that wait are left as they are; those that are being updated go on to their end."""
        with _problems():
            return CampaignDetail.shown(await campaigns.cancel(campaign_id))

    return routes


def _key(made_at: datetime, campaign_id: UUID) -> str:
    """Return what campaigns are ordered by."""
    return f"{made_at.isoformat()}/{campaign_id}"


def _after(paging: PageQuery) -> tuple[datetime, UUID] | None:
    key = CAMPAIGNS.after(paging)
    if key is None:
        return None
    try:
        made_at, _, campaign_id = key.partition("/")
        return datetime.fromisoformat(made_at).astimezone(UTC), UUID(campaign_id)
    except (ValueError, OverflowError):
        error = FieldError("query.cursor", "is not one that this list gave")
        raise Problem(422, "invalid request", errors=[error]) from None


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except UnfitCampaignError as error:
        errors = [FieldError(f"body.{each.where}", each.what) for each in error.objections]
        raise Problem(422, "it does not fit", errors=errors) from error
    except KeyUsedError as error:
        raise Problem(422, "the idempotency key was used before", str(error)) from error
    except CampaignError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
