"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated

from chargebus_events.access import RoleName
from chargebus_runtime.http import Input, UtcDatetime
from msgspec import structs
from pydantic import BaseModel, Field, StringConstraints

from chargebus_access.domain.keys import StoredKey

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class ApiKeyIn(Input):
    """An API key to create."""

    name: Name = Field(description="Who or what will use it")
    role: RoleName = Field(description="viewer reads, operator also steers, admin also manages API keys")
    expires_at: UtcDatetime | None = Field(default=None, description="Left out: it does not expire")


class ApiKeyOut(BaseModel):
    """An API key, without its secret."""

    key_id: str
    name: str
    role: RoleName
    created_at: datetime
    created_by: str = Field(description="The id of the key that created it; empty for the admin key file's")
    expires_at: datetime | None
    revoked_at: datetime | None


class ApiKeyCreated(ApiKeyOut):
    """A new API key; `key` is shown this once."""

    key: str = Field(description="Send it in the header X-API-Key, or as a bearer token; keep it safe")


def view(stored: StoredKey) -> ApiKeyOut:
    """Return a key as the API shows it."""
    shown = structs.asdict(stored.key) | {"created_by": stored.created_by, "revoked_at": stored.revoked_at}
    return ApiKeyOut.model_validate(shown)
