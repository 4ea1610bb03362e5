"""API keys, as every service must know them to let a caller in."""

from datetime import datetime
from typing import Literal

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import API_KEYS

API_KEY_TYPE = "chargebus.access.key.v1"

RoleName = Literal["viewer", "operator", "admin"]


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API key without its secret; `secret_hash` as `secrets.hash_generated` made it."""

    key_id: str
    name: str
    role: RoleName
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None

    def record(self) -> Record:
        """Return the key as a record for `access.keys`."""
        envelope = Envelope(self.key_id, API_KEY_TYPE, "/access", self.key_id, self.created_at)
        return Record(API_KEYS, self.key_id, msgspec.json.encode(self), envelope.headers())


def revoked(key_id: str) -> Record:
    """Return the tombstone that takes a key away from every service."""
    return Record(API_KEYS, key_id, None)
