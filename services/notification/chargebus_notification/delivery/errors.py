"""What is refused about delivery."""

from collections.abc import Sequence
from uuid import UUID

import msgspec


class Objection(msgspec.Struct, frozen=True):
    """Why something is refused; `where` is the place in its document, such as `channel.url`."""

    where: str
    what: str


class DeliveryError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownSubscriptionError(DeliveryError):
    """There is no such subscription."""

    def __init__(self, subscription_id: UUID) -> None:
        super().__init__(f"There is no subscription {subscription_id}; POST /v1/subscriptions makes one.")


class UnknownDeliveryError(DeliveryError):
    """There is no such delivery, or it is not kept any more."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"There is no delivery {delivery_id}, or it is not kept any more.")


class NoSecretError(DeliveryError):
    """The subscription has none: mail is not signed."""

    def __init__(self) -> None:
        super().__init__("Only webhooks have a secret, and this subscription is told by mail.")


class NotParkedError(DeliveryError):
    """There is nothing to resume."""

    def __init__(self) -> None:
        super().__init__("The subscription is active: what waits for it is delivered when it is due.")


class UnfitSubscriptionError(DeliveryError):
    """Nobody could be told like that."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(objection.what for objection in objections))
        self.objections = objections
