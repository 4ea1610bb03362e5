"""What may become of API keys; pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from chargebus_events.access import ApiKey, RoleName
from chargebus_runtime import secrets
from chargebus_runtime.keys import format_key, split_key


class LastAdminKeyError(Exception):
    """Without this key nobody could make another one."""


class AdminKeyFileError(ValueError):
    """The admin key file does not hold an API key; the message says what to do."""


@dataclass(frozen=True)
class NewKey:
    """A key, and what its owner presents; the secret is kept nowhere else."""

    key: ApiKey
    presented: str


@dataclass(frozen=True)
class Wish:
    """What a new key is to be."""

    name: str
    role: RoleName
    expires_at: datetime | None = None


def make_key(wish: Wish, key_id: str, secret: str, now: datetime) -> NewKey:
    """Return a key with its hashed secret; `key_id` and `secret` are random and hold no underscore."""
    stored = secrets.hash_generated(secret)
    key = ApiKey(key_id, wish.name, wish.role, stored, now, wish.expires_at)
    return NewKey(key, format_key(key_id, secret))


def read_key(presented: str, wish: Wish, now: datetime) -> NewKey:
    """Return the key that somebody presents, as a file does that was made before.

    Raises:
        AdminKeyFileError: it is no API key.
    """
    split = split_key(presented.strip())
    if split is None:
        raise AdminKeyFileError(
            "the file named by ACCESS_ADMIN_KEY_FILE holds no API key (cbk_<key id>_<secret>); "
            "remove it to have one made"
        )
    return make_key(wish, split[0], split[1], now)


def check_revocable(key: ApiKey, admins: Collection[ApiKey], now: datetime) -> None:
    """Refuse to take away the last admin key that works.

    Raises:
        LastAdminKeyError: no other admin key is valid at `now`.
    """
    others = [admin for admin in admins if admin.key_id != key.key_id and not _is_expired(admin, now)]
    if key.role == "admin" and not others:
        raise LastAdminKeyError


def _is_expired(key: ApiKey, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now
