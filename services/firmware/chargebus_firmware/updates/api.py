"""HTTP in: firmware updates of single stations."""

from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_commanding.asking import fingerprint
from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Query, Response

from chargebus_firmware.keys import Key, KeyUsedError
from chargebus_firmware.updates.domain.update import STATES
from chargebus_firmware.updates.errors import (
    BegunError,
    BusyStationError,
    NotServedError,
    TooFarAheadError,
    UnfitImageError,
    UnknownImageError,
    UnknownTargetError,
    UnknownUpdateError,
    UpdateError,
)
from chargebus_firmware.updates.operations import Updates
from chargebus_firmware.updates.resources import UpdateHistory, UpdateIn, UpdateOut
from chargebus_firmware.updates.store import Filter

UPDATES: Final = Listing("firmware-updates", int)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    KeyUsedError: (422, "the idempotency key was used before"),
    UnknownUpdateError: (404, "no such update"),
    UnknownTargetError: (404, "no such station"),
    UnknownImageError: (404, "no such image"),
    BusyStationError: (409, "the station is busy"),
    BegunError: (409, "it cannot be cancelled"),
    TooFarAheadError: (422, "too far ahead"),
    UnfitImageError: (422, "the image does not fit"),
    NotServedError: (422, "images are not served like that"),
}
_AGAIN: Final[dict[int | str, dict[str, object]]] = {
    200: {"model": UpdateOut, "description": "It was asked for before, under the same Idempotency-Key"}
}
State = Literal[STATES]  # type: ignore[valid-type]
_Id = Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")]


def router(updates: Updates) -> APIRouter:
    """Return the routes of updates."""
    routes = APIRouter(prefix="/firmware/updates", tags=["firmware"])

    @routes.post(
        "",
        summary="Update a station's firmware",
        status_code=201,
        dependencies=[OPERATOR],
        responses=_AGAIN | raises(404, 409),
    )
    async def begin(wanted: UpdateIn, response: Response, idempotency_key: IdempotencyKey = None) -> UpdateOut:
        """A station that is there is asked at once, one that is away as soon as it comes.

        What becomes of it is followed by what the station says, and judged by the version with which it boots.
        """
        content = fingerprint("update", wanted.model_dump(mode="json"))
        try:
            update, is_new = await updates.create(wanted.wanted(), Key(idempotency_key, content))
        except (UpdateError, KeyUsedError) as error:
            raise _problem(error) from error
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/firmware/updates/{update.update_id}"
        return UpdateOut.of(update)

    @routes.get("", summary="List firmware updates, the newest first", dependencies=[VIEWER])
    async def list_updates(
        paging: Annotated[PageQuery, Depends()],
        station_id: _Id = "",
        campaign_id: _Id = "",
        state: State | None = None,
    ) -> Page[UpdateOut]:
        wanted = Filter(station_id, campaign_id, state or "")
        found = await updates.page(wanted, UPDATES.after(paging), paging.limit + 1)
        shown = UPDATES.page(found, paging.limit, lambda update: update.request_id)
        return Page(items=[UpdateOut.of(each) for each in shown.items], next=shown.next)

    @routes.get(
        "/{update_id}", summary="Show a firmware update and its history", dependencies=[VIEWER], responses=raises(404)
    )
    async def show(update_id: UUID) -> UpdateHistory:
        try:
            return UpdateHistory.of(await updates.find(update_id))
        except UpdateError as error:
            raise _problem(error) from error

    @routes.post(
        "/{update_id}/cancel",
        summary="Give up an update whose station was not asked yet",
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def cancel(update_id: UUID) -> UpdateOut:
        """OCPP has no message that takes back what a station was asked."""
        try:
            return UpdateOut.of(await updates.cancel(update_id))
        except UpdateError as error:
            raise _problem(error) from error

    return routes


def _problem(error: Exception) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
