"""New API keys."""

import secrets as random_source
from dataclasses import dataclass
from datetime import datetime

from chargebus_events.access import ApiKey, RoleName
from chargebus_runtime import secrets
from chargebus_runtime.keys import format_key


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key, and what its holder presents: nothing else ever holds the secret."""

    key: ApiKey
    presented: str


def new_key_id() -> str:
    """Return an id that no other key has: 48 random bits in hexadecimal."""
    return random_source.token_hex(6)


def make_key(name: str, role: RoleName, expires_at: datetime | None, now: datetime) -> MadeKey:
    """Make a key; `expires_at` is in UTC."""
    key_id, secret = new_key_id(), secrets.generate_password()
    key = ApiKey(key_id, name, role, secrets.hash_generated(secret), now, expires_at)
    return MadeKey(key, format_key(key_id, secret))
