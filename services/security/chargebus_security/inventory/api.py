"""HTTP in: certificates are uploaded, looked for, named, forgotten."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, Role, UtcDatetime, raises, require
from fastapi import APIRouter, Depends, Path, Query

from chargebus_security.inventory.domain.certificate import Source
from chargebus_security.inventory.errors import (
    NeededCertificateError,
    UnknownCertificateError,
    UnreadableCertificateError,
)
from chargebus_security.inventory.operations import Inventory
from chargebus_security.inventory.resources import (
    NAME,
    CertificateDetail,
    CertificateOut,
    ChangeIn,
    Kind,
    UploadedOut,
    UploadIn,
)
from chargebus_security.inventory.store import Filter

CERTIFICATES: Final = Listing("certificates", str)
CertificateId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hexadecimal digits")]

_VIEWER: Final = Depends(require(Role.VIEWER))
_OPERATOR: Final = Depends(require(Role.OPERATOR))


@dataclass(frozen=True)
class _Search:
    q: Annotated[str, Query(max_length=200, pattern=NAME, description="Text in names, serial numbers, stations")] = ""
    kind: Annotated[Kind, Query()] = ""
    source: Annotated[Source | None, Query()] = None
    station_id: Annotated[str, Query(max_length=255, pattern=NAME, description="Whose it is")] = ""
    expires_before: Annotated[UtcDatetime | None, Query()] = None
    in_use: Annotated[bool | None, Query()] = None

    def filter(self) -> Filter:
        return Filter(self.q, self.kind, self.source or "", self.station_id, self.expires_before, self.in_use)


def router(inventory: Inventory) -> APIRouter:
    """Return the routes of certificates."""
    routes = APIRouter(prefix="/certificates", tags=["certificates"])

    @routes.get("", summary="Look for certificates", dependencies=[_VIEWER])
    async def list_certificates(
        paging: Annotated[PageQuery, Depends()], search: Annotated[_Search, Depends()]
    ) -> Page[CertificateOut]:
        after = CERTIFICATES.after(paging) or ""
        found = await inventory.page(search.filter(), after, paging.limit + 1)
        shown = CERTIFICATES.page(found, paging.limit, lambda each: each.certificate_id)
        return Page(items=[CertificateOut.model_validate(each) for each in shown.items], next=shown.next)

    @routes.post("", summary="Upload certificates", status_code=201, dependencies=[_OPERATOR])
    async def upload_certificates(wanted: UploadIn) -> UploadedOut:
        """Roots that stations are to have, and intermediates by which answers of responders are checked."""
        with problems():
            found = await inventory.upload(wanted.pem, wanted.name, wanted.kind)
        return UploadedOut(items=[CertificateOut.model_validate(each) for each in found])

    @routes.get("/{certificate_id}", summary="Show a certificate", dependencies=[_VIEWER], responses=raises(404))
    async def show_certificate(certificate_id: CertificateId) -> CertificateDetail:
        with problems():
            return CertificateDetail.model_validate(await inventory.find(certificate_id))

    @routes.put("/{certificate_id}", summary="Name a certificate", dependencies=[_OPERATOR], responses=raises(404))
    async def change_certificate(certificate_id: CertificateId, wanted: ChangeIn) -> CertificateDetail:
        with problems():
            changed = await inventory.change(certificate_id, wanted.name, wanted.kind, in_use=wanted.in_use)
        return CertificateDetail.model_validate(changed)

    @routes.delete(
        "/{certificate_id}",
        summary="Forget a certificate",
        status_code=204,
        dependencies=[_OPERATOR],
        responses=raises(404, 409),
    )
    async def remove_certificate(certificate_id: CertificateId) -> None:
        """It is not deleted from any station: while one has it, or is to have it, it is kept."""
        with problems():
            await inventory.remove(certificate_id)

    return routes


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about certificates into problems."""
    try:
        yield
    except UnknownCertificateError as error:
        raise Problem(404, "no such certificate", str(error)) from error
    except NeededCertificateError as error:
        raise Problem(409, "needed", str(error)) from error
    except UnreadableCertificateError as error:
        raise Problem(422, "unreadable certificates", errors=[FieldError("body.pem", str(error))]) from error
