"""HTTP in: firmware that local controllers publish."""

from typing import Annotated, Final
from uuid import UUID

from chargebus_commanding.asking import fingerprint
from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Query, Response

from chargebus_firmware.keys import Key, KeyUsedError
from chargebus_firmware.publications.errors import (
    BusyControllerError,
    PublicationError,
    SecretError,
    UnfitPublicationError,
    UnknownControllerError,
    UnknownImageError,
    UnknownPublicationError,
    UnpublishedError,
)
from chargebus_firmware.publications.operations import Publications
from chargebus_firmware.publications.resources import PublicationHistory, PublicationIn, PublicationOut

PUBLICATIONS: Final = Listing("firmware-publications", int)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_AGAIN: Final[dict[int | str, dict[str, object]]] = {
    200: {"model": PublicationOut, "description": "It was asked for before, under the same Idempotency-Key"}
}
_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    KeyUsedError: (422, "the idempotency key was used before"),
    UnknownImageError: (404, "no such image"),
    UnfitPublicationError: (422, "the image cannot be published like that"),
    UnknownPublicationError: (404, "no such publication"),
    UnknownControllerError: (404, "no such station"),
    BusyControllerError: (409, "the controller is busy"),
    SecretError: (422, "the address holds a secret"),
    UnpublishedError: (409, "it is not published"),
}


def router(publications: Publications) -> APIRouter:
    """Return the routes of publications."""
    routes = APIRouter(prefix="/firmware/publications", tags=["firmware"])

    @routes.post(
        "",
        summary="Have a local controller publish firmware",
        status_code=201,
        dependencies=[OPERATOR],
        responses=_AGAIN | raises(404, 409),
    )
    async def publish(
        wanted: PublicationIn, response: Response, idempotency_key: IdempotencyKey = None
    ) -> PublicationOut:
        """It fetches the file and offers it to the stations behind it; a station of OCPP 1.6 cannot do that."""
        key = Key(idempotency_key, fingerprint("publication", wanted.model_dump(mode="json")))
        try:
            publication, is_new = await publications.publish(wanted.wanted(), key)
        except (PublicationError, KeyUsedError) as error:
            raise _problem(error) from error
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/firmware/publications/{publication.publication_id}"
        return PublicationOut.of(publication)

    @routes.get("", summary="List publications, the newest first", dependencies=[VIEWER])
    async def list_publications(
        paging: Annotated[PageQuery, Depends()],
        station_id: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
    ) -> Page[PublicationOut]:
        found = await publications.page(station_id, PUBLICATIONS.after(paging), paging.limit + 1)
        shown = PUBLICATIONS.page(found, paging.limit, lambda each: each.request_id)
        return Page(items=[PublicationOut.of(each) for each in shown.items], next=shown.next)

    @routes.get(
        "/{publication_id}",
        summary="Show a publication and its history",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def show(publication_id: UUID) -> PublicationHistory:
        try:
            return PublicationHistory.of(await publications.find(publication_id))
        except PublicationError as error:
            raise _problem(error) from error

    @routes.post(
        "/{publication_id}/unpublish",
        summary="Have the controller take the file away",
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def unpublish(publication_id: UUID) -> PublicationOut:
        try:
            return PublicationOut.of(await publications.unpublish(publication_id))
        except PublicationError as error:
            raise _problem(error) from error

    return routes


def _problem(error: Exception) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
