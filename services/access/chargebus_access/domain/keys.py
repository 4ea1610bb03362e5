"""The rules of API keys: who is an administrator, that there is always one, and what the topic of keys should say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chargebus_events.access import ApiKey, RoleName, revoked
from chargebus_events.record import Record


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as the database has it; `created_by` is the id of the key that made it, empty for the admin key file.

    A revoked one stays, so that its id tells what it was.
    """

    key: ApiKey
    created_by: str = ""
    revoked_at: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Tell whether the key lets its caller in."""
        return self.revoked_at is None and (self.key.expires_at is None or now < self.key.expires_at)


@dataclass(frozen=True, slots=True)
class WantedKey:
    """What is asked of a new key; `expires_at` is in UTC, `created_by` the id of the key that asks."""

    name: str
    role: RoleName
    expires_at: datetime | None = None
    created_by: str = ""


def is_last_admin(key_id: str, keys: Iterable[StoredKey], now: datetime) -> bool:
    """Tell whether, among all keys, this is the only one that works and may make others."""
    admins = {stored.key.key_id for stored in keys if stored.key.role == "admin" and stored.works(now)}
    return admins == {key_id}


def corrections(stored: Mapping[str, StoredKey], published: Mapping[str, bytes]) -> list[Record]:
    """Return what is to be published so that the topic says what the database says; both by key id."""
    wanted = {key_id: each.key.record() for key_id, each in stored.items() if each.revoked_at is None}
    missing = [record for key_id, record in wanted.items() if published.get(key_id) != record.value]
    return missing + [revoked(key_id) for key_id in published if key_id not in wanted]
