"""Health of a process: whether it runs, whether it can work, whether anything needs an operator."""

from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

Health = Callable[[], Awaitable[dict[str, list[str]]]]
"""Returns what is wrong, by service."""


class Live(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether the process can do its work, and by service why not."""

    status: Literal["ok", "not ready"]
    problems: dict[str, list[str]]


class Condition(BaseModel):
    """Whether anything needs an operator: `problems` by service keep it from its work, `warnings` do not."""

    status: Literal["ok", "degraded", "not ready"]
    problems: dict[str, list[str]]
    warnings: dict[str, list[str]]


def health_router(not_ready: Health, degraded: Health) -> APIRouter:
    """Return `/health/live`, `/health/ready` and `/health`; nobody needs a key for them."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", summary="Whether the process runs")
    async def live() -> Live:
        return Live()

    @router.get(
        "/ready",
        summary="Whether the process can do its work: 503 with the reasons if not",
        responses={503: {"model": Ready, "description": "It cannot; `problems` says why"}},
    )
    async def ready(response: Response) -> Ready:
        reasons = await not_ready()
        if reasons:
            response.status_code = 503
        return Ready(status="not ready" if reasons else "ok", problems=reasons)

    @router.get("", summary="Whether anything needs an operator: holes in the log, a service that cannot work")
    async def health() -> Condition:
        reasons = await not_ready()
        warnings = await degraded()
        status: Literal["ok", "degraded", "not ready"] = "not ready" if reasons else "degraded" if warnings else "ok"
        return Condition(status=status, problems=reasons, warnings=warnings)

    return router
