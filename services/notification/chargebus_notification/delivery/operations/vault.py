"""The secrets of subscriptions, as the database holds them: sealed, each for its subscription alone."""

import os
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from chargebus_runtime.sealing import Sealing

from chargebus_notification.delivery.domain.signing import written
from chargebus_notification.delivery.domain.subscription import Secrets

_SECRET_BYTES: Final = 32
_FOR_GOOD: Final = timedelta(days=36_500)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Secrets).decode


def new_secret() -> str:
    """Return a secret that nobody has seen yet."""
    return written(os.urandom(_SECRET_BYTES))


class Vault:
    """Seals and opens them; what another key than the first sealed is to be sealed anew."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    @property
    def has_keys(self) -> bool:
        """Whether anything can be sealed."""
        return self._sealing.has_keys

    def seal(self, subscription_id: UUID, secrets: Secrets, now: datetime) -> str:
        """Return secrets sealed.

        Raises:
            SealingError: there is no key.
        """
        return self._sealing.seal(_encode(secrets), _context(subscription_id), now + _FOR_GOOD)

    def open(self, subscription_id: UUID, sealed: str, now: datetime) -> Secrets:
        """Return the secrets of a subscription.

        Raises:
            SealingError: their key is not there.
        """
        return _decode(self._sealing.open(sealed, _context(subscription_id), now))

    def prefix(self, now: datetime) -> str:
        """Return with what everything begins that the first key sealed."""
        return self._sealing.seal(b"", "the name of a key", now).partition(".")[0] + "."


def _context(subscription_id: UUID) -> str:
    return f"subscription {subscription_id}"
