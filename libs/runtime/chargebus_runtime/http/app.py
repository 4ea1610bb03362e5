"""The app of a process: the routers of its services, health and the page that shows OpenAPI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts

from chargebus_runtime.http import declared, docs, methods, problems
from chargebus_runtime.http.callers import Authenticator
from chargebus_runtime.http.checks import CheckedCall
from chargebus_runtime.http.health import Health, health_router
from chargebus_runtime.http.layers import BoundedBody, HeadAsGet, Measured, SlashesInside
from chargebus_runtime.telemetry import Tracing


@dataclass(frozen=True)
class HttpParts:
    """What the app of a process is made of: routers by prefix, of each service; what is wrong, by service.

    Of the authenticators the first that knows a caller decides who it is.
    """

    title: str
    routers: Sequence[Mapping[str, APIRouter]]
    authenticators: Sequence[Authenticator]
    tracing: Tracing
    not_ready: Health
    degraded: Health


class App(FastAPI):
    """FastAPI, whose OpenAPI says what is answered."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if self.openapi_schema is None:
            declared.complete(super().openapi(), iter_route_contexts(self.routes), self.state.authenticators)
        return super().openapi()


def build_app(parts: HttpParts) -> FastAPI:
    """Return the app: what the services serve, `/health/live`, `/health/ready`, `/health`, `/docs`, `/openapi.json`."""
    app = App(
        title=parts.title,
        version="1",
        description="Lists come by pages, errors as problem+json (RFC 9457). A body is JSON, taken as it stands.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.authenticators = parts.authenticators
    problems.install(app)
    methods.install(app)
    checked = Depends(CheckedCall())
    for prefix, router in (mounted for routers in parts.routers for mounted in routers.items()):
        app.include_router(router, prefix=prefix.rstrip("/"), dependencies=[checked])
    app.include_router(health_router(parts.not_ready, parts.degraded))
    docs.install(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(Measured, tracing=parts.tracing)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SlashesInside)
    return app
