"""One way to send a message, whatever the channel; what goes wrong is told as a result."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from chargebus_runtime.sealing import SealingError

from chargebus_notification.delivery.domain.subscription import Mail
from chargebus_notification.delivery.domain.trying import Result
from chargebus_notification.delivery.operations.mail import Mails
from chargebus_notification.delivery.operations.vault import Vault
from chargebus_notification.delivery.operations.webhooks import Webhooks
from chargebus_notification.delivery.payload import Message
from chargebus_notification.delivery.store.subscriptions import Subscription

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Channels:
    """Sends messages to receivers."""

    webhooks: Webhooks
    mails: Mails
    vault: Vault

    async def send(self, subscription: Subscription, message: Message, now: datetime) -> tuple[Result, int]:
        """Send a message once; return what came of it, and how many milliseconds it took."""
        began = time.monotonic()
        try:
            result = await self._send(subscription, message, now)
        except SealingError as error:
            result = Result("failed", error=f"its secret cannot be opened: {error}")
        except Exception as error:
            log.exception("a message to the subscription %s cannot be sent", subscription.subscription_id)
            result = Result("failed", error=f"it cannot be sent ({type(error).__name__}): the service's log says why")
        return result, int(1000 * (time.monotonic() - began))

    async def _send(self, subscription: Subscription, message: Message, now: datetime) -> Result:
        channel = subscription.wanted.channel
        if isinstance(channel, Mail):
            return await self.mails.send(message, channel.addresses, subscription.remaining, now)
        secrets = self.vault.open(subscription.subscription_id, subscription.sealed or "", now)
        return await self.webhooks.post(channel, secrets, message, now)
