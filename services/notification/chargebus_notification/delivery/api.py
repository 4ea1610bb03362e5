"""HTTP in: subscriptions, and the log of what was delivered."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final
from uuid import UUID

from chargebus_runtime.http import FieldError, Listing, Page, PageQuery, Problem, Role, raises, require
from chargebus_runtime.sealing import SealingError
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_notification.delivery.errors import (
    DeliveryError,
    NoSecretError,
    NotParkedError,
    UnfitSubscriptionError,
    UnknownDeliveryError,
    UnknownSubscriptionError,
)
from chargebus_notification.delivery.operations.log import DeliveryLog
from chargebus_notification.delivery.operations.subscriptions import Subscriptions
from chargebus_notification.delivery.resources import (
    DeliveryDetail,
    DeliveryOut,
    Resumption,
    RevealedSubscription,
    State,
    SubscriptionDescription,
    SubscriptionOut,
    TrialOut,
)

SUBSCRIPTIONS: Final = Listing("subscriptions", UUID)
DELIVERIES: Final = Listing("deliveries", int)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

SubscriptionId = Annotated[UUID, Path(description="The subscription's id")]

_PROBLEMS: Final[dict[type[DeliveryError], tuple[int, str]]] = {
    UnknownSubscriptionError: (404, "no such subscription"),
    UnknownDeliveryError: (404, "no such delivery"),
    NoSecretError: (409, "it has no secret"),
    NotParkedError: (409, "it is not parked"),
}


def router(subscriptions: Subscriptions, log: DeliveryLog) -> APIRouter:
    """Return the routes of delivery."""
    routes = APIRouter()
    routes.include_router(_subscriptions(subscriptions))
    routes.include_router(_deliveries(log))
    return routes


def _subscriptions(subscriptions: Subscriptions) -> APIRouter:
    routes = APIRouter(prefix="/subscriptions", tags=["subscriptions"])

    @routes.get("", summary="List subscriptions", dependencies=[VIEWER])
    async def list_subscriptions(paging: Annotated[PageQuery, Depends()]) -> Page[SubscriptionOut]:
        found = await subscriptions.page(SUBSCRIPTIONS.after(paging), paging.limit + 1)
        shown = [SubscriptionOut.of(each) for each in found]
        return SUBSCRIPTIONS.page(shown, paging.limit, lambda each: each.subscription_id)

    @routes.post("", summary="Subscribe to alerts", status_code=201, dependencies=[OPERATOR])
    async def add_subscription(wanted: SubscriptionDescription, response: Response) -> RevealedSubscription:
        """The answer holds a webhook's secret; it is shown this once."""
        with problems():
            added = await subscriptions.add(wanted.wanted(), wanted.headers() or {})
        response.headers["Location"] = f"/v1/subscriptions/{added.subscription.subscription_id}"
        return RevealedSubscription.revealed(added.subscription, added.secret)

    @routes.get("/{subscription_id}", summary="A subscription", dependencies=[VIEWER], responses=raises(404))
    async def get_subscription(subscription_id: SubscriptionId) -> SubscriptionOut:
        with problems():
            return SubscriptionOut.of(await subscriptions.find(subscription_id))

    @routes.put(
        "/{subscription_id}", summary="Change a subscription", dependencies=[OPERATOR], responses=raises(404, 409)
    )
    async def put_subscription(
        subscription_id: SubscriptionId, wanted: SubscriptionDescription
    ) -> RevealedSubscription:
        """What waits already is told as it is wanted now. A secret is shown only if it became a webhook by this."""
        with problems():
            changed = await subscriptions.change(subscription_id, wanted.wanted(), wanted.headers())
        return RevealedSubscription.revealed(changed.subscription, changed.secret)

    @routes.delete(
        "/{subscription_id}", summary="Unsubscribe", status_code=204, dependencies=[OPERATOR], responses=raises(404)
    )
    async def remove_subscription(subscription_id: SubscriptionId) -> None:
        """What waits for it is cancelled; the log of what was delivered stays."""
        with problems():
            await subscriptions.remove(subscription_id)

    @routes.post(
        "/{subscription_id}/secret",
        summary="Sign with a new secret",
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def renew_secret(subscription_id: SubscriptionId) -> RevealedSubscription:
        """It is shown this once. For 24 hours messages have two signatures, the second with the secret before."""
        with problems():
            renewed = await subscriptions.renew_secret(subscription_id)
        return RevealedSubscription.revealed(renewed.subscription, renewed.secret)

    @routes.post(
        "/{subscription_id}/test", summary="Send a test message", dependencies=[OPERATOR], responses=raises(404)
    )
    async def test_subscription(subscription_id: SubscriptionId) -> TrialOut:
        """Sends it at once, and past what waits; it is not tried again, and not in the log."""
        with problems():
            return TrialOut.of(*await subscriptions.test(subscription_id))

    @routes.post(
        "/{subscription_id}/resume",
        summary="Deliver again to a receiver that was given up",
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def resume_subscription(subscription_id: SubscriptionId, how: Resumption) -> SubscriptionOut:
        with problems():
            return SubscriptionOut.of(await subscriptions.resume(subscription_id, discard=how.discard))

    return routes


def _deliveries(log: DeliveryLog) -> APIRouter:
    routes = APIRouter(prefix="/deliveries", tags=["subscriptions"], dependencies=[VIEWER])

    @routes.get("", summary="What subscriptions are told, the newest first")
    async def list_deliveries(
        paging: Annotated[PageQuery, Depends()],
        subscription_id: Annotated[UUID | None, Query()] = None,
        alert_id: Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]*$")] = None,
        state: Annotated[State | None, Query()] = None,
    ) -> Page[DeliveryOut]:
        filters: dict[str, object] = {"subscription_id": subscription_id, "alert_id": alert_id, "state": state}
        rows = await log.page(filters, DELIVERIES.after(paging), paging.limit + 1)
        page = DELIVERIES.page(rows, paging.limit, lambda row: row.number)
        return Page(items=[DeliveryOut.of(row) for row in page.items], next=page.next)

    @routes.get("/{delivery_id}", summary="A delivery with each attempt", responses=raises(404))
    async def get_delivery(delivery_id: Annotated[UUID, Path(description="The delivery's id")]) -> DeliveryDetail:
        with problems():
            row, attempts = await log.find(delivery_id)
        return DeliveryDetail.detail(row, list(attempts))

    return routes


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused about delivery into problems."""
    try:
        yield
    except UnfitSubscriptionError as error:
        errors = [FieldError(f"body.{objection.where}", objection.what) for objection in error.objections]
        raise Problem(422, "the subscription does not fit", errors=errors) from error
    except SealingError as error:
        raise Problem(409, "its secret cannot be opened", f"{error}. Bring the key back, or subscribe anew.") from error
    except DeliveryError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
