"""HTTP in: stations' requests for certificates."""

from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Query, Response

from chargebus_security.signing.domain.request import STATES
from chargebus_security.signing.errors import SigningError, UnknownRequestError, UnknownTargetError, UnsuitedError
from chargebus_security.signing.operations import Requests
from chargebus_security.signing.resources import AskedOut, CertificateType, RequestIn, RequestOut
from chargebus_security.signing.store import Filter

REQUESTS: Final = Listing("certificate-requests", int)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_PROBLEMS: Final[dict[type[SigningError], tuple[int, str]]] = {
    UnknownRequestError: (404, "no such request"),
    UnknownTargetError: (404, "no such station"),
    UnsuitedError: (409, "the station knows no such certificates"),
}
State = Literal[STATES]  # type: ignore[valid-type]
_Id = Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")]


def router(requests: Requests) -> APIRouter:
    """Return the routes of requests."""
    routes = APIRouter(prefix="/certificate-requests", tags=["certificates"])

    @routes.get("", summary="List stations' requests for certificates, the newest first", dependencies=[VIEWER])
    async def list_requests(
        paging: Annotated[PageQuery, Depends()],
        station_id: _Id = "",
        state: State | None = None,
        certificate_type: CertificateType | None = None,
    ) -> Page[RequestOut]:
        wanted = Filter(station_id, state or "", certificate_type)
        found = await requests.page(wanted, REQUESTS.after(paging), paging.limit + 1)
        shown = REQUESTS.page(found, paging.limit, lambda numbered: numbered[0])
        return Page(items=[RequestOut.of(each) for _, each in shown.items], next=shown.next)

    @routes.post(
        "",
        summary="Ask a station to request a certificate",
        status_code=202,
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def ask(wanted: RequestIn, response: Response) -> AskedOut:
        """The station answers, makes a key and a CSR, and sends that by itself: it is in the list then."""
        try:
            asked = await requests.ask_for(wanted.station_id, wanted.certificate_type or "")
        except SigningError as error:
            raise _problem(error) from error
        response.headers["Location"] = f"/v1/commands/{asked.command_id}"
        return AskedOut(command_id=asked.command_id, station_id=asked.station_id)

    @routes.get("/{request_id}", summary="Show a request", dependencies=[VIEWER], responses=raises(404))
    async def show(request_id: UUID) -> RequestOut:
        try:
            return RequestOut.of(await requests.find(request_id))
        except SigningError as error:
            raise _problem(error) from error

    return routes


def _problem(error: SigningError) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
