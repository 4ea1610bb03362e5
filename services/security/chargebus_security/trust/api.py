"""HTTP in: which roots stations are to have, what they have, and what one is to do now."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final
from uuid import UUID

from chargebus_commanding import KeyReusedError
from chargebus_commanding.http import tell
from chargebus_runtime.http import (
    FieldError,
    IdempotencyKey,
    Listing,
    Page,
    PageQuery,
    Problem,
    Role,
    raises,
    require,
)
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_security.inventory.api import CertificateId, problems
from chargebus_security.stations.errors import UnknownStationError
from chargebus_security.trust.errors import (
    NoSuchTypeError,
    NotInstalledError,
    ProtectedError,
    UnfitRootError,
    UnknownPolicyError,
)
from chargebus_security.trust.operations.wanting import Trust, Wait
from chargebus_security.trust.resources import (
    AskedOut,
    HolderOut,
    InstallIn,
    PolicyIn,
    PolicyOut,
    ReportIn,
    ReportsOut,
    StationCertificatesOut,
    TrustStationOut,
    WaitIn,
)

POLICIES: Final = Listing("trust-policies", UUID)
STATIONS: Final = Listing("trust-stations", str)
HOLDERS: Final = Listing("certificate-stations", str)

_VIEWER: Final = Depends(require(Role.VIEWER))
_OPERATOR: Final = Depends(require(Role.OPERATOR))
_StationId = Annotated[str, Path(max_length=255, pattern=r"^[^\x00]+$")]
_WITHIN_S: Final = 60.0
_ASKED: Final[dict[int | str, dict[str, object]]] = {
    202: {"model": AskedOut, "description": "On its way; the command is at Location"}
}
_REPORTS: Final[dict[int | str, dict[str, object]]] = {202: {"model": ReportsOut, "description": "On their way"}}
_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownPolicyError: (404, "no such policy"),
    NotInstalledError: (404, "not on the station"),
    UnknownStationError: (404, "no such station"),
    ProtectedError: (409, "it must stay"),
    NoSuchTypeError: (409, "no such type"),
    KeyReusedError: (422, "the idempotency key was used before"),
}


def router(trust: Trust) -> APIRouter:
    """Return the routes of roots on stations."""
    routes = APIRouter(tags=["certificates"])
    routes.include_router(_policies(trust))
    routes.include_router(_looking(trust))
    routes.include_router(_asking(trust))
    return routes


def _policies(trust: Trust) -> APIRouter:
    routes = APIRouter(prefix="/trust/policies")

    @routes.get("", summary="List policies", dependencies=[_VIEWER])
    async def list_policies(paging: Annotated[PageQuery, Depends()]) -> Page[PolicyOut]:
        found = await trust.page(POLICIES.after(paging), paging.limit + 1)
        shown = POLICIES.page(found, paging.limit, lambda each: each.policy_id)
        return Page(items=[PolicyOut.model_validate(each) for each in shown.items], next=shown.next)

    @routes.post("", summary="Want roots on stations", status_code=201, dependencies=[_OPERATOR])
    async def add_policy(wanted: PolicyIn, response: Response) -> PolicyOut:
        """What stations lack is installed, at a pace, and again where it goes missing."""
        with _refused():
            made = await trust.add(wanted.policy())
        response.headers["Location"] = f"/v1/trust/policies/{made.policy_id}"
        return PolicyOut.model_validate(made)

    @routes.get("/{policy_id}", summary="Show a policy", dependencies=[_VIEWER], responses=raises(404))
    async def show_policy(policy_id: UUID) -> PolicyOut:
        with _refused():
            return PolicyOut.model_validate(await trust.find(policy_id))

    @routes.put("/{policy_id}", summary="Change a policy", dependencies=[_OPERATOR], responses=raises(404))
    async def replace_policy(policy_id: UUID, wanted: PolicyIn) -> PolicyOut:
        with _refused():
            return PolicyOut.model_validate(await trust.replace(policy_id, wanted.policy()))

    @routes.delete(
        "/{policy_id}", summary="Drop a policy", status_code=204, dependencies=[_OPERATOR], responses=raises(404)
    )
    async def remove_policy(policy_id: UUID) -> None:
        """What stations have, they keep."""
        with _refused():
            await trust.remove(policy_id)

    return routes


def _looking(trust: Trust) -> APIRouter:
    routes = APIRouter(dependencies=[_VIEWER])

    @routes.get("/trust/stations", summary="List stations with the certificates on them")
    async def list_stations(
        paging: Annotated[PageQuery, Depends()],
        drifted: Annotated[bool, Query(description="Only those that differ from what is wanted")] = False,  # noqa: FBT002 - a query
    ) -> Page[TrustStationOut]:
        found = await trust.stations(STATIONS.after(paging) or "", paging.limit + 1, drifted=drifted)
        shown = STATIONS.page(found, paging.limit, lambda each: each.station_id)
        return Page(items=[TrustStationOut.model_validate(each) for each in shown.items], next=shown.next)

    @routes.get("/stations/{station_id}/certificates", summary="What a station has, and is to have")
    async def show_station(station_id: _StationId) -> StationCertificatesOut:
        """Of a station that nobody has heard of there is nothing."""
        return StationCertificatesOut.of(*await trust.of_station(station_id))

    @routes.get(
        "/certificates/{certificate_id}/stations", summary="Where a certificate is installed", responses=raises(404)
    )
    async def list_holders(certificate_id: CertificateId, paging: Annotated[PageQuery, Depends()]) -> Page[HolderOut]:
        with problems():
            found = await trust.with_certificate(certificate_id, HOLDERS.after(paging) or "", paging.limit + 1)
        shown = HOLDERS.page(found, paging.limit, lambda each: each[0])
        items = [HolderOut(station_id=one, certificate_type=kind, reported_at=at) for one, kind, at in shown.items]
        return Page(items=items, next=shown.next)

    return routes


def _asking(trust: Trust) -> APIRouter:
    routes = APIRouter(prefix="/stations/{station_id}/certificates", dependencies=[_OPERATOR])

    @routes.post("/report", summary="Ask a station what it has", responses=_REPORTS | raises(404, 409))
    async def report(station_id: _StationId, response: Response, wanted: ReportIn | None = None) -> ReportsOut:
        asked = wanted or ReportIn.model_validate({})
        with _refused():
            types = tuple(dict.fromkeys(asked.certificate_types))
            found = await trust.report(station_id, types, _wait(asked, None))
        for command, outcome in found:
            tell(response, command, outcome)
        response.status_code = 200 if all(outcome for _, outcome in found) else 202
        return ReportsOut(items=[AskedOut.of(*each) for each in found])

    @routes.post("", summary="Install a root on a station", responses=_ASKED)
    async def install(
        station_id: _StationId, wanted: InstallIn, response: Response, idempotency_key: IdempotencyKey = None
    ) -> AskedOut:
        """A station that there is not is told by the outcome: undeliverable."""
        with _refused():
            wait = _wait(wanted, idempotency_key)
            asked, outcome = await trust.install(station_id, wanted.certificate_type, wanted.certificate_id, wait)
        tell(response, asked, outcome)
        return AskedOut.of(asked, outcome)

    @routes.post(
        "/{certificate_id}/delete", summary="Delete a certificate from a station", responses=_ASKED | raises(404, 409)
    )
    async def delete(
        station_id: _StationId,
        certificate_id: CertificateId,
        response: Response,
        wanted: WaitIn | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> AskedOut:
        """Never the last root for the CSMS that works, nor one that is in use or wanted (409)."""
        with _refused():
            wait = _wait(wanted or WaitIn(), idempotency_key)
            asked, outcome = await trust.delete(station_id, certificate_id, wait)
        tell(response, asked, outcome)
        return AskedOut.of(asked, outcome)

    return routes


def _wait(wanted: WaitIn, key: str | None) -> Wait:
    return Wait(wanted.ttl_s, _WITHIN_S + wanted.ttl_s if wanted.wait else 0.0, key)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except UnfitRootError as error:
        raise Problem(422, "no such root", errors=[FieldError(error.where, str(error))]) from error
    except tuple(_PROBLEMS) as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
