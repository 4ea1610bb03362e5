"""HTTP of a process: one FastAPI app with the routers of its services, health, paging and problem+json."""

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final, Generic, TypeVar

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from opentelemetry import trace as otel_trace
from pydantic import AfterValidator, AwareDatetime, BaseModel

from chargebus_runtime import problems
from chargebus_runtime.keys import KeyRing
from chargebus_runtime.problems import Problem
from chargebus_runtime.telemetry import Tracing, metrics

__all__ = ["Health", "HttpParts", "HttpServer", "Page", "PageQuery", "Problem", "UtcDatetime", "build_app", "page"]

T = TypeVar("T")

MAX_BODY_BYTES: Final = 4 * 1024 * 1024

Health = Callable[[], Awaitable[dict[str, list[str]]]]


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following page, absent on the last."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True)
class PageQuery:
    """The paging parameters of a list; a dependency: `Annotated[PageQuery, Depends()]`."""

    limit: Annotated[int, Query(ge=1, le=500, description="how many items at most")] = 50
    cursor: Annotated[str | None, Query(description="the `next` of the page before")] = None


def page(rows: Sequence[T], limit: int, cursor: Callable[[T], str]) -> Page[T]:
    """Cut `limit` + 1 fetched rows to a page; `cursor` names a row for the query that goes on after it."""
    more = len(rows) > limit
    items = list(rows[:limit])
    return Page(items=items, next=cursor(items[-1]) if more else None)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC it lies outside of the years 1 to 9999") from error


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with any offset, as a request gives it; it arrives in UTC."""


@dataclass(frozen=True)
class HttpParts:
    """What the app of a process is made of: routers by prefix, of each service; what is wrong, by service."""

    title: str
    routers: Sequence[Mapping[str, APIRouter]]
    key_ring: KeyRing
    tracing: Tracing
    not_ready: Health
    degraded: Health


def build_app(parts: HttpParts) -> FastAPI:
    """Return the app: what the services serve, `/health/live`, `/health/ready`, `/health`, `/docs`."""
    app = FastAPI(
        title=parts.title,
        version="1",
        description="Every call needs an API key: header `X-API-Key`, or as a bearer token.",
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.key_ring = parts.key_ring
    problems.install(app)
    for prefix, router in (mounted for routers in parts.routers for mounted in routers.items()):
        app.include_router(router, prefix=prefix.rstrip("/"), dependencies=[Depends(_refuse_nul)])
    app.include_router(_health_router(parts))
    app.middleware("http")(_measure(parts.tracing))
    return app


def _refuse_nul(request: Request) -> None:
    """Refuse what no database takes, and no name of ours has."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise Problem(422, "invalid request", "The address has a NUL character (%00).")


def _health_router(parts: HttpParts) -> APIRouter:
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", summary="Whether the process runs")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready", summary="Whether the process can do its work: 503 with the reasons if not")
    async def ready() -> JSONResponse:
        reasons = await parts.not_ready()
        status = 503 if reasons else 200
        return JSONResponse({"status": "not ready" if reasons else "ok", "problems": reasons}, status)

    @router.get("", summary="Whether anything needs an operator: holes in the log, a service that cannot work")
    async def health() -> dict[str, object]:
        reasons = await parts.not_ready()
        warnings = await parts.degraded()
        status = "not ready" if reasons else "degraded" if warnings else "ok"
        return {"status": status, "problems": reasons, "warnings": warnings}

    return router


Next = Callable[[Request], Awaitable[Response]]


def _measure(tracing: Tracing) -> Callable[[Request, Next], Awaitable[Response]]:
    async def measure(request: Request, call_next: Next) -> Response:
        started = time.monotonic()
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)  # what an exception becomes further out
        try:
            with _span(tracing, request):
                response = await call_next(request)
            status = response.status_code
        finally:
            route = request.scope.get("route")
            attributes = {"route": getattr(route, "path", ""), "method": request.method, "status": status}
            metrics().http_duration.record(time.monotonic() - started, attributes)
        return response

    return measure


@contextlib.contextmanager
def _span(tracing: Tracing, request: Request) -> Iterator[None]:
    if not tracing.enabled:
        yield
        return
    span = tracing.start(f"{request.method} {request.url.path}", **{"http.request.method": request.method})
    with otel_trace.use_span(span, end_on_exit=True):
        yield


class HttpServer(uvicorn.Server):
    """uvicorn, without its own signal handling: the process decides when it stops."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app, host, port, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def request_stop(self) -> None:
        """End `serve` after the requests under way."""
        self.should_exit = True
