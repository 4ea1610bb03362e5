"""Who may call: API keys, known to every process from the compacted topic `access.keys`, checked without a look-up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from chargebus_events.access import ApiKey
from chargebus_events.record import Received
from chargebus_events.topics import API_KEYS
from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from chargebus_runtime import secrets
from chargebus_runtime.clock import Clock
from chargebus_runtime.problems import Problem
from chargebus_runtime.view import View

PREFIX = "cbk"

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key: `cbk_<key id>_<secret>`")
_bearer = HTTPBearer(auto_error=False, description="An API key as a bearer token")


class Role(IntEnum):
    """What a key allows; each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """Who is calling."""

    key_id: str
    name: str
    role: Role


def format_key(key_id: str, secret: str) -> str:
    """Return the key as the caller presents it."""
    return f"{PREFIX}_{key_id}_{secret}"


def split_key(presented: str) -> tuple[str, str] | None:
    """Return the key id and the secret of a presented key, or None where it is no API key of ours."""
    parts = presented.split("_")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == PREFIX else None  # noqa: PLR2004


_ROLES = {role.name.lower(): role for role in Role}


class KeyRing:
    """All API keys in memory; nobody is let in before the topic was read to its end.

    A key whose record cannot be read lets nobody in: it may have been revoked, expired, or given another role.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self.view = View(API_KEYS, self._apply, unreadable=self._forget)

    def caller(self, presented: str) -> Caller:
        """Return who presents this key.

        Raises:
            Problem: 401 for a missing, unknown, wrong or expired key; 503 while the keys are not known yet.
        """
        if not self.view.ready.is_set():
            raise Problem(503, "not ready", "The API keys are still being read from Kafka; try again in a moment.")
        split = split_key(presented)
        key = self._keys.get(split[0]) if split else None
        if split is None or key is None or not secrets.verify(split[1].encode(), key.secret_hash):
            raise _unauthorized("Send a valid API key in the header X-API-Key, or as a bearer token.")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise _unauthorized("This API key has expired; ask an administrator for a new one.")
        return Caller(key.key_id, key.name, _ROLES[key.role])

    def _apply(self, record: Received) -> None:
        if record.value is None:
            self._forget(record)
            return
        key = msgspec.json.decode(record.value, type=ApiKey)
        if key.role not in _ROLES:
            raise ValueError(f"the role {key.role!r} is unknown")
        self._keys[record.key] = key

    def _forget(self, record: Received) -> None:
        self._keys.pop(record.key, None)


def require(role: Role) -> Callable[..., Awaitable[Caller]]:
    """Return a FastAPI dependency that lets in callers with at least `role`.

    Raises (as problem+json):
        401: no valid key. 403: the key's role is too small. 503: the keys are not known yet.
    """

    async def check(
        request: Request,
        header: str | None = Security(_header),
        bearer: HTTPAuthorizationCredentials | None = Security(_bearer),  # noqa: B008 - how FastAPI declares it
    ) -> Caller:
        ring: KeyRing = request.app.state.key_ring
        caller = ring.caller(header or (bearer.credentials if bearer else ""))
        if caller.role < role:
            raise Problem(403, "not allowed", f"This call needs the role {role.name.lower()}.")
        return caller

    return check


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "not authenticated", detail, {"WWW-Authenticate": "Bearer"})
