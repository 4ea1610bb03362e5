"""The HTTP API of a service without a server: the real app, called within the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx
from chargebus_runtime.http import Authenticator, Caller, HttpParts, Role, build_app
from chargebus_runtime.telemetry import Tracing
from fastapi import APIRouter, Request

_PUBLIC: Final[Mapping[str, Mapping[str, str]]] = {"Anyone": {"type": "http", "scheme": "anyone"}}


@dataclass
class Anyone:
    """An authenticator that takes everyone for the same caller; a test may change the role."""

    role: Role = Role.ADMIN
    schemes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _PUBLIC)
    challenge: str = "Anyone"

    async def identify(self, _request: Request) -> Caller:
        """Return the caller."""
        return Caller("k", "test", self.role)


def http_client(
    routers: Mapping[str, APIRouter], authenticator: Authenticator, prefix: str = "", **headers: str
) -> httpx.AsyncClient:
    """Return a client of an app with `routers`; paths are taken to follow `prefix`."""

    async def nothing() -> dict[str, list[str]]:
        return {}

    app = build_app(HttpParts("test", [routers], [authenticator], Tracing(enabled=False), nothing, nothing))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://test{prefix}", headers=headers)
