"""HTTP in: what stations know of customers; for administrators, as it is personal."""

from typing import Annotated, Final

from chargebus_commanding import KeyReusedError
from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query

from chargebus_notification.customer_information.errors import UnknownRequestError
from chargebus_notification.customer_information.operations import CustomerInformation
from chargebus_notification.customer_information.resources import (
    CustomerInformationOut,
    CustomerInformationText,
    FittingRequest,
)

REQUESTS: Final = Listing("customer-information", int)

OPERATOR: Final = Depends(require(Role.OPERATOR))
ADMIN: Final = Depends(require(Role.ADMIN))

RequestId = Annotated[int, Path(ge=0, lt=2**31)]


def router(information: CustomerInformation) -> APIRouter:
    """Return the routes of customer information."""
    routes = APIRouter(prefix="/customer-information", tags=["customer information"])

    @routes.post("", summary="Ask a station of a customer", status_code=202, dependencies=[ADMIN])
    async def ask(wanted: FittingRequest, idempotency_key: IdempotencyKey = None) -> CustomerInformationOut:
        """What it tells is found at its `request_id`, until it is deleted."""
        try:
            request = await information.ask(wanted.station_id, wanted.wanted(), idempotency_key)
        except KeyReusedError as error:
            raise Problem(422, "the idempotency key was used before", str(error)) from error
        return CustomerInformationOut.of(*await information.find(request.request_id))

    @routes.get("", summary="List requests, the newest first, without what was told", dependencies=[OPERATOR])
    async def list_requests(
        paging: Annotated[PageQuery, Depends()],
        station_id: Annotated[str | None, Query(description="to this station")] = None,
    ) -> Page[CustomerInformationOut]:
        found = await information.page(station_id, REQUESTS.after(paging), paging.limit + 1)
        page = REQUESTS.page(found, paging.limit, lambda each: each[0].request_id)
        return Page(items=[CustomerInformationOut.of(*each) for each in page.items], next=page.next)

    @routes.get("/{request_id}", summary="What a station told", dependencies=[ADMIN], responses=raises(404))
    async def show(request_id: RequestId) -> CustomerInformationText:
        try:
            return CustomerInformationText.of(*await information.find(request_id))
        except UnknownRequestError as error:
            raise _unknown(error) from error

    @routes.delete("/{request_id}", summary="Delete it now", dependencies=[ADMIN], responses=raises(404))
    async def delete(request_id: RequestId) -> CustomerInformationOut:
        """What the station told is deleted; that it was asked stays known."""
        try:
            await information.delete(request_id)
            return CustomerInformationOut.of(*await information.find(request_id))
        except UnknownRequestError as error:
            raise _unknown(error) from error

    return routes


def _unknown(error: UnknownRequestError) -> Problem:
    return Problem(404, "no such request", str(error))
