"""API keys, known to every process from the compacted topic `access.keys`, checked without a look-up."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from chargebus_events.access import ApiKey
from chargebus_events.record import Received
from chargebus_events.topics import API_KEYS
from fastapi import Request

from chargebus_runtime import secrets
from chargebus_runtime.clock import Clock
from chargebus_runtime.http.callers import Caller, Role, unauthenticated
from chargebus_runtime.http.problems import Problem
from chargebus_runtime.view import View

PREFIX = "cbk"
HEADER = "X-API-Key"

_CHALLENGE: Final = "Bearer"
_SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": HEADER,
        "description": f"An API key: `{PREFIX}_<key id>_<secret>`",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An API key as a bearer token"},
}


def format_key(key_id: str, secret: str) -> str:
    """Return the key as the caller presents it."""
    return f"{PREFIX}_{key_id}_{secret}"


def split_key(presented: str) -> tuple[str, str] | None:
    """Return the key id and the secret of a presented key, or None where it is no API key of ours."""
    parts = presented.split("_")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == PREFIX else None  # noqa: PLR2004


_ROLES = {role.name.lower(): role for role in Role}


class KeyRing:
    """All API keys in memory, an authenticator; nobody is let in before the topic was read to its end.

    A key whose record cannot be read lets nobody in: it may have been revoked, expired, or given another role.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self.schemes = _SCHEMES
        self.challenge = _CHALLENGE
        self.view = View(API_KEYS, self._apply, unreadable=self._forget)

    async def identify(self, request: Request) -> Caller | None:
        """Return who presents a key in the header `X-API-Key` or as a bearer token; None where there is none.

        Raises:
            Problem: as `caller`.
        """
        presented = request.headers.get(HEADER)
        if presented is None:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token.startswith(PREFIX + "_"):
                return None
            presented = token.strip()
        try:
            return self.caller(presented)
        except Problem as problem:
            if problem.status != HTTPStatus.UNAUTHORIZED or not await self.view.catch_up():
                raise
        return self.caller(presented)  # one that was made just now may not have been read yet

    def caller(self, presented: str) -> Caller:
        """Return who presents this key.

        Raises:
            Problem: 401 for a missing, unknown, wrong or expired key; 503 while the keys are not known yet.
        """
        if not self.view.ready.is_set():
            detail = "The API keys are still being read from Kafka; try again in a moment."
            raise Problem(503, "not ready", detail)
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


def _unauthorized(detail: str) -> Problem:
    return unauthenticated(detail, _CHALLENGE)
