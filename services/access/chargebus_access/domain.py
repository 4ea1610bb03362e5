"""The rules of API keys: who is an administrator, and that there is always one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chargebus_events.access import ApiKey


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as the database has it."""

    key: ApiKey
    created_by: str = ""
    revoked_at: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Tell whether the key lets its caller in."""
        return self.revoked_at is None and (self.key.expires_at is None or now < self.key.expires_at)


def is_last_admin(key_id: str, keys: Iterable[StoredKey], now: datetime) -> bool:
    """Tell whether, among all keys, this is the only one that works and may make others."""
    admins = {stored.key.key_id for stored in keys if stored.key.role == "admin" and stored.works(now)}
    return admins == {key_id}
