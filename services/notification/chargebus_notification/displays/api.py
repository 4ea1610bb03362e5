"""HTTP in: display messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final
from uuid import UUID

from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path

from chargebus_notification.displays.errors import (
    DisplayError,
    ImpossibleMessageError,
    KeyReusedError,
    UnknownMessageError,
)
from chargebus_notification.displays.operations import Displays
from chargebus_notification.displays.resources import FittingMessage, MessageOut, ShownOut, StationDisplayOut

MESSAGES: Final = Listing("display-messages", UUID)
ON_STATIONS: Final = Listing("display-message-stations", str)
OF_STATION: Final = Listing("station-display-messages", int)

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_PROBLEMS: Final[dict[type[DisplayError], tuple[int, str]]] = {
    UnknownMessageError: (404, "no such display message"),
    KeyReusedError: (422, "the idempotency key was used before"),
    ImpossibleMessageError: (422, "the message is over"),
}

Paging = Annotated[PageQuery, Depends()]
StationId = Annotated[str, Path(description="The station's identity, percent-encoded in UTF-8, a slash in it too")]


def router(displays: Displays) -> APIRouter:
    """Return the routes of display messages."""
    routes = APIRouter(tags=["display messages"])
    routes.include_router(_messages(displays))
    routes.include_router(_stations(displays))
    return routes


def _messages(displays: Displays) -> APIRouter:
    routes = APIRouter(prefix="/display-messages")

    @routes.post("", summary="Have stations show a message", status_code=201, dependencies=[OPERATOR])
    async def add(wanted: FittingMessage, idempotency_key: IdempotencyKey = None) -> MessageOut:
        """Stations are told one after the other; a station that is away is told when it is back."""
        with _told():
            message = await displays.add(wanted.target(), wanted.face(), idempotency_key)
            return MessageOut.of(*await displays.find(message.message_id))

    @routes.get("", summary="List the messages that are wanted", dependencies=[VIEWER])
    async def list_messages(paging: Paging) -> Page[MessageOut]:
        after = MESSAGES.after(paging)
        found = await displays.page("" if after is None else str(after), paging.limit + 1)
        page = MESSAGES.page(found, paging.limit, lambda each: UUID(each[0].message_id))
        return Page(items=[MessageOut.of(*each) for each in page.items], next=page.next)

    @routes.get("/{message_id}", summary="A message", dependencies=[VIEWER], responses=raises(404))
    async def show(message_id: UUID) -> MessageOut:
        with _told():
            return MessageOut.of(*await displays.find(str(message_id)))

    @routes.put("/{message_id}", summary="Want another in its place", dependencies=[OPERATOR], responses=raises(404))
    async def replace(message_id: UUID, wanted: FittingMessage) -> MessageOut:
        """Stations that show it are told the new one under the same number; those it is for no more clear it."""
        with _told():
            await displays.replace(str(message_id), wanted.target(), wanted.face())
            return MessageOut.of(*await displays.find(str(message_id)))

    @routes.delete("/{message_id}", summary="Want it no more", dependencies=[OPERATOR], responses=raises(404))
    async def remove(message_id: UUID) -> MessageOut:
        """It is cleared from its stations; those that are away clear it when they are back."""
        with _told():
            await displays.remove(str(message_id))
            return MessageOut.of(*await displays.find(str(message_id)))

    @routes.get("/{message_id}/stations", summary="Its stations", dependencies=[VIEWER], responses=raises(404))
    async def list_stations(message_id: UUID, paging: Paging) -> Page[ShownOut]:
        with _told():
            found = await displays.on_stations(str(message_id), ON_STATIONS.after(paging) or "", paging.limit + 1)
        page = ON_STATIONS.page(found, paging.limit, lambda each: each.station_id)
        return Page(items=[ShownOut.of(each) for each in page.items], next=page.next)

    return routes


def _stations(displays: Displays) -> APIRouter:
    routes = APIRouter(prefix="/stations/{station_id}/display-messages")

    @routes.get("", summary="What is wanted on a station beside what it reported", dependencies=[VIEWER])
    async def show_station(station_id: StationId, paging: Paging) -> StationDisplayOut:
        """Messages of others are shown, and left alone."""
        return await _page(displays, station_id, paging)

    @routes.post("/compare", summary="Have it report its messages now", status_code=202, dependencies=[OPERATOR])
    async def compare(station_id: StationId) -> StationDisplayOut:
        """What differs from what is wanted is repaired. It is asked by itself after each boot."""
        await displays.compare(station_id)
        return await _page(displays, station_id, PageQuery())

    return routes


async def _page(displays: Displays, station_id: str, paging: PageQuery) -> StationDisplayOut:
    station, found = await displays.of_station(station_id, OF_STATION.after(paging) or 0, paging.limit + 1)
    page = OF_STATION.page(found, paging.limit, lambda each: each.number)
    return StationDisplayOut.of(station, page.items, page.next)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DisplayError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
