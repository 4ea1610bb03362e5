"""HTTP in: authorities, and the certificates that they have issued."""

from typing import Annotated, Final

from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, UtcDatetime, raises, require
from fastapi import APIRouter, Depends, Path, Query

from chargebus_security.authorities.errors import (
    AuthorityError,
    NotRevocableError,
    UnknownAuthorityError,
    UnknownCertificateError,
)
from chargebus_security.authorities.operations.issued import Issued
from chargebus_security.authorities.resources import AuthorityCertificateOut, AuthorityOut, IssuedOut, RevocationIn
from chargebus_security.authorities.store import Filter

ISSUED: Final = Listing("issued-certificates", int)
VIEWER: Final = Depends(require(Role.VIEWER))
ADMIN: Final = Depends(require(Role.ADMIN))

_PROBLEMS: Final[dict[type[AuthorityError], tuple[int, str]]] = {
    UnknownAuthorityError: (404, "no such authority"),
    UnknownCertificateError: (404, "no such certificate"),
    NotRevocableError: (409, "it is not ours to revoke"),
}
_StationId = Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")]
_Id = Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")]
_Serial = Annotated[str, Path(max_length=40, pattern=r"^[0-9a-f]+$", description="Hexadecimal, in lower case")]
_Name = Annotated[str, Path(max_length=64, pattern=r"^[^\x00]+$")]


def router(issued: Issued) -> APIRouter:
    """Return the routes of authorities."""
    routes = APIRouter(prefix="/certificate-authorities", tags=["certificates"])

    @routes.get("", summary="List the authorities that sign for stations", dependencies=[VIEWER])
    async def list_authorities() -> list[str]:
        return list(issued.names)

    @routes.get("/issued", summary="List issued certificates, the newest first", dependencies=[VIEWER])
    async def list_issued(  # noqa: PLR0913, PLR0917 - a query parameter each
        paging: Annotated[PageQuery, Depends()],
        station_id: _StationId = "",
        authority: _Id = "",
        serial_number: _Id = "",
        expires_before: UtcDatetime | None = None,
        revoked: bool | None = None,  # noqa: FBT001 - a query parameter
    ) -> Page[IssuedOut]:
        wanted = Filter(station_id, authority, serial_number.lower().lstrip("0"), expires_before, revoked)
        found = await issued.page(wanted, ISSUED.after(paging), paging.limit + 1)
        shown = ISSUED.page(found, paging.limit, lambda numbered: numbered[0])
        return Page(items=[IssuedOut.of(each) for _, each in shown.items], next=shown.next)

    @routes.get(
        "/{authority}",
        summary="Show an authority with its own certificates",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def show_authority(authority: _Name) -> AuthorityOut:
        try:
            own = await issued.certificates_of(authority)
        except AuthorityError as error:
            raise _problem(error) from error
        return AuthorityOut(name=authority, certificates=[AuthorityCertificateOut.of(each) for each in own])

    @routes.get(
        "/{authority}/certificates/{serial_number}",
        summary="Show an issued certificate",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def show_issued(authority: _Name, serial_number: _Serial) -> IssuedOut:
        try:
            return IssuedOut.of(await issued.find(authority, serial_number))
        except AuthorityError as error:
            raise _problem(error) from error

    @routes.post(
        "/{authority}/certificates/{serial_number}/revoke",
        summary="Revoke a certificate of the built-in authority",
        dependencies=[ADMIN],
        responses=raises(404, 409),
    )
    async def revoke(authority: _Name, serial_number: _Serial, wanted: RevocationIn) -> IssuedOut:
        """The revocation list and OCSP's answers have it at once; a station keeps its socket until it reconnects."""
        try:
            return IssuedOut.of(await issued.revoke(authority, serial_number, wanted.reason))
        except AuthorityError as error:
            raise _problem(error) from error

    return routes


def _problem(error: AuthorityError) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
