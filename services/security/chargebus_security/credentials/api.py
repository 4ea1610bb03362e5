"""HTTP in: passwords are rotated, security profiles changed, and looked at how far that is."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from chargebus_commanding.asking import fingerprint
from chargebus_runtime.http import FieldError, IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Query, Response

from chargebus_security.credentials.domain.campaign import Kind, MemberState, Wanted
from chargebus_security.credentials.errors import KeyUsedError, NobodyMeantError, NoKeyError, UnknownCampaignError
from chargebus_security.credentials.operations.campaigns import Campaigns, Shown
from chargebus_security.credentials.resources import CampaignOut, MemberOut, RotationIn, UpgradeIn, UpgradeOut
from chargebus_security.credentials.store.campaigns import Key

ROTATIONS: Final = Listing("credential-rotations", int)
UPGRADES: Final = Listing("credential-upgrades", int)
STATIONS: Final = Listing("credential-stations", str)

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_PREFIX: Final = "/credentials"
_State = Annotated[MemberState | None, Query()]


def _again(model: type[CampaignOut]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": "It was asked for before, under the same Idempotency-Key"}}


def router(campaigns: Campaigns) -> APIRouter:
    """Return the routes of credentials."""
    routes = APIRouter(tags=["credentials"])
    routes.include_router(_rotations(campaigns))
    routes.include_router(_upgrades(campaigns))
    routes.include_router(_of_both(campaigns, "rotation", "rotations"))
    routes.include_router(_of_both(campaigns, "upgrade", "upgrades"))
    return routes


def _rotations(campaigns: Campaigns) -> APIRouter:
    routes = APIRouter(prefix=f"{_PREFIX}/rotations")

    @routes.post(
        "",
        summary="Give stations new passwords",
        status_code=201,
        dependencies=[OPERATOR],
        responses={**_again(CampaignOut), **raises(409)},
    )
    async def rotate(wanted: RotationIn, response: Response, idempotency_key: IdempotencyKey = None) -> CampaignOut:
        """Each gets one of its own that nobody sees; the old one counts until it has come back with the new one."""
        key = Key(idempotency_key, fingerprint("rotation", wanted.model_dump(mode="json")))
        return CampaignOut.of(*await _create(campaigns, wanted.wanted(), key, response))

    @routes.get("", summary="List rotations, the newest first", dependencies=[VIEWER])
    async def list_rotations(paging: Annotated[PageQuery, Depends()]) -> Page[CampaignOut]:
        found = await campaigns.page("rotation", ROTATIONS.after(paging), paging.limit + 1)
        shown = ROTATIONS.page(found, paging.limit, lambda each: each[0][0])
        return Page(items=[CampaignOut.of(campaign, counts) for (_, campaign), counts in shown.items], next=shown.next)

    @routes.get("/{campaign_id}", summary="A rotation, and how far it is", dependencies=[VIEWER], responses=raises(404))
    async def show_rotation(campaign_id: UUID) -> CampaignOut:
        with _problems():
            return CampaignOut.of(*await campaigns.find("rotation", campaign_id))

    @routes.post("/{campaign_id}/stop", summary="Stop a rotation", dependencies=[OPERATOR], responses=raises(404))
    async def stop_rotation(campaign_id: UUID) -> CampaignOut:
        """Nothing more begins; stations that have begun go on to their end."""
        with _problems():
            return CampaignOut.of(*await campaigns.stop("rotation", campaign_id))

    return routes


def _upgrades(campaigns: Campaigns) -> APIRouter:
    routes = APIRouter(prefix=f"{_PREFIX}/upgrades")

    @routes.post(
        "",
        summary="Move stations to another security profile",
        status_code=201,
        dependencies=[OPERATOR],
        responses=_again(UpgradeOut),
    )
    async def upgrade(wanted: UpgradeIn, response: Response, idempotency_key: IdempotencyKey = None) -> UpgradeOut:
        """Each may come in as before until it has come back with the new one; one that does not is changed back."""
        key = Key(idempotency_key, fingerprint("upgrade", wanted.model_dump(mode="json")))
        return UpgradeOut.of(*await _create(campaigns, wanted.wanted(), key, response))

    @routes.get("", summary="List upgrades, the newest first", dependencies=[VIEWER])
    async def list_upgrades(paging: Annotated[PageQuery, Depends()]) -> Page[UpgradeOut]:
        found = await campaigns.page("upgrade", UPGRADES.after(paging), paging.limit + 1)
        shown = UPGRADES.page(found, paging.limit, lambda each: each[0][0])
        return Page(items=[UpgradeOut.of(campaign, counts) for (_, campaign), counts in shown.items], next=shown.next)

    @routes.get("/{campaign_id}", summary="An upgrade, and how far it is", dependencies=[VIEWER], responses=raises(404))
    async def show_upgrade(campaign_id: UUID) -> UpgradeOut:
        with _problems():
            return UpgradeOut.of(*await campaigns.find("upgrade", campaign_id))

    @routes.post("/{campaign_id}/stop", summary="Stop an upgrade", dependencies=[OPERATOR], responses=raises(404))
    async def stop_upgrade(campaign_id: UUID) -> UpgradeOut:
        """Nothing more begins; stations that have begun go on to their end."""
        with _problems():
            return UpgradeOut.of(*await campaigns.stop("upgrade", campaign_id))

    return routes


def _of_both(campaigns: Campaigns, kind: Kind, name: str) -> APIRouter:
    routes = APIRouter(prefix=f"{_PREFIX}/{name}")

    @routes.get(
        "/{campaign_id}/stations",
        summary=f"The stations of one of the {name}",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def list_stations(
        campaign_id: UUID, paging: Annotated[PageQuery, Depends()], state: _State = None
    ) -> Page[MemberOut]:
        """Each with all states that it was in, when and why."""
        with _problems():
            found = await campaigns.stations(kind, campaign_id, state, STATIONS.after(paging) or "", paging.limit + 1)
        page = STATIONS.page(found, paging.limit, lambda member: member.station_id)
        return Page(items=[MemberOut.of(each) for each in page.items], next=page.next)

    return routes


async def _create(campaigns: Campaigns, wanted: Wanted, key: Key, response: Response) -> Shown:
    with _problems():
        (campaign, counts), is_new = await campaigns.create(wanted, key)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/credentials/{wanted.kind}s/{campaign.campaign_id}"
    return campaign, counts


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except UnknownCampaignError as error:
        raise Problem(404, "no such campaign", str(error)) from error
    except NobodyMeantError as error:
        raise Problem(422, "it does not fit", errors=[FieldError("body.stations", str(error))]) from error
    except KeyUsedError as error:
        raise Problem(422, "the idempotency key was used before", str(error)) from error
    except NoKeyError as error:
        raise Problem(409, "nothing to seal with", str(error)) from error
