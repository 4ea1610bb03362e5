"""HTTP in: what stations are set to is looked at, read and changed."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_device.variables.domain.names import NAMES
from chargebus_device.variables.domain.request import Request
from chargebus_device.variables.errors import (
    NoVersionError,
    ReadOnlyVariableError,
    UnfitVariableError,
    UnknownRequestError,
    UnknownStationError,
    VariableError,
)
from chargebus_device.variables.operations.looking import Change, Read, Variables, Wait
from chargebus_device.variables.resources import ChangeIn, NameOut, NamesOut, ReadIn, RequestOut, VariableOut, WaitIn
from chargebus_device.variables.store.variables import Filter

VARIABLES: Final = Listing("variables", str)
REQUESTS: Final = Listing("variable-requests", str)

_VIEWER: Final = Depends(require(Role.VIEWER))
_OPERATOR: Final = Depends(require(Role.OPERATOR))
_StationId = Annotated[
    str, Path(max_length=255, pattern=r"^[^\x00]+$", description="The station's identity, percent-encoded")
]
_Name = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")]
_WITHIN_S: Final = 60.0
_ON_ITS_WAY: Final[dict[int | str, dict[str, object]]] = {
    202: {"model": RequestOut, "description": "On its way; how far it is stands at Location"}
}
_PROBLEMS: Final[dict[type[VariableError], tuple[int, str]]] = {
    UnknownStationError: (404, "no such station"),
    UnknownRequestError: (404, "no such request"),
    NoVersionError: (409, "no version known"),
    ReadOnlyVariableError: (409, "read-only"),
}


def router(variables: Variables) -> APIRouter:
    """Return the routes of variables."""
    routes = APIRouter(tags=["variables"])
    routes.include_router(_looking(variables))
    routes.include_router(_asking(variables))

    @routes.get("/variable-names", summary="Names that mean the same in all versions", dependencies=[_VIEWER])
    async def list_names() -> NamesOut:
        """Each addresses a configuration key of 1.6 and a variable of 2.x."""
        return NamesOut(items=[NameOut.of(name) for name in NAMES])

    return routes


def _looking(variables: Variables) -> APIRouter:
    routes = APIRouter(prefix="/stations/{station_id}/variables", dependencies=[_VIEWER])

    @routes.get("", summary="What a station is set to and can do", responses=raises(404))
    async def list_variables(  # noqa: PLR0913, PLR0917 - each is a parameter of the address
        station_id: _StationId,
        paging: Annotated[PageQuery, Depends()],
        name: Annotated[_Name, Query(description="A name that all versions know, or a configuration key")] = None,
        component: Annotated[_Name, Query(description="By its whole name, whatever the case")] = None,
        variable: Annotated[_Name, Query(description="By its whole name, whatever the case")] = None,
        text: Annotated[_Name, Query(description="A part of the component's or variable's name")] = None,
        reboot_required: Annotated[bool | None, Query(description="They take a value with the next boot")] = None,
        known: Annotated[bool | None, Query(description="false: the station says that it has them not")] = None,
    ) -> Page[VariableOut]:
        """As it told when it was last read: after its first boot, after one with other firmware, or by `read`."""
        wanted = Filter(component, variable, text, None, reboot_required, known)
        with problems():
            found = await variables.page(station_id, wanted, name, VARIABLES.after(paging) or "", paging.limit + 1)
        page = VARIABLES.page(found, paging.limit, lambda each: each.place.key)
        return Page(items=[VariableOut.of(each) for each in page.items], next=page.next)

    @routes.get("/requests", summary="What a station was asked about its variables", responses=raises(404))
    async def list_requests(station_id: _StationId, paging: Annotated[PageQuery, Depends()]) -> Page[RequestOut]:
        """The newest first; kept for a week."""
        with problems():
            found = await variables.requests(station_id, _after(paging), paging.limit + 1)
        page = REQUESTS.page(found, paging.limit, lambda each: f"{each.created_at.isoformat()}/{each.request_id}")
        return Page(items=[RequestOut.of(each) for each in page.items], next=page.next)

    @routes.get("/requests/{request_id}", summary="How far a request is", responses=raises(404))
    async def show_request(station_id: _StationId, request_id: UUID) -> RequestOut:
        with problems():
            return RequestOut.of(await variables.request(station_id, request_id))

    return routes


def _asking(variables: Variables) -> APIRouter:
    routes = APIRouter(prefix="/stations/{station_id}/variables", dependencies=[_OPERATOR])

    @routes.post("/read", summary="Read a station's variables", responses=_ON_ITS_WAY | raises(404, 409))
    async def read_variables(station_id: _StationId, response: Response, wanted: ReadIn | None = None) -> RequestOut:
        """All of them, or some: in pieces that the station takes. What comes is kept, even if not all of it does."""
        given = wanted or ReadIn()
        addresses = tuple(each.address for each in given.variables)
        with problems():
            read = Read(addresses, given.base, tuple(given.criteria))
            request = await variables.read(station_id, read, _wait(given))
        return _told(response, request)

    @routes.patch("", summary="Change a station's variables", responses=_ON_ITS_WAY | raises(404, 409))
    async def change_variables(station_id: _StationId, wanted: ChangeIn, response: Response) -> RequestOut:
        """Several at once; each has a result of its own. Nothing is sent if one of them cannot be, by what is known.

        What the station takes with its next boot only (`RebootRequired`) is remembered until then.
        """
        changes = [Change(each.address, each.value) for each in wanted.variables]
        with problems():
            request = await variables.change(station_id, changes, _wait(wanted), force=wanted.force)
        return _told(response, request)

    return routes


def _told(response: Response, request: Request) -> RequestOut:
    response.headers["Location"] = (
        f"/v1/stations/{quote(request.station_id, safe='')}/variables/requests/{request.request_id}"
    )
    response.status_code = 200 if request.state == "ended" else 202
    return RequestOut.of(request)


def _wait(wanted: WaitIn) -> Wait:
    return Wait(wanted.ttl_s, _WITHIN_S + min(wanted.ttl_s, _WITHIN_S) if wanted.wait else 0.0)


def _after(paging: PageQuery) -> tuple[datetime, UUID] | None:
    key = REQUESTS.after(paging)
    if key is None:
        return None
    try:
        made_at, _, request_id = key.partition("/")
        return datetime.fromisoformat(made_at).astimezone(UTC), UUID(request_id)
    except (ValueError, OverflowError):
        error = FieldError("query.cursor", "is not one that this list gave")
        raise Problem(422, "invalid request", errors=[error]) from None


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what the operations raise into problems."""
    try:
        yield
    except UnfitVariableError as error:
        errors = [FieldError(f"body.{each.where}", each.what) for each in error.objections]
        raise Problem(422, "it does not fit the station", errors=errors) from error
    except VariableError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
