"""What a service is to the process that runs it: its parts, wired."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.view import Tail, View

Hook = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Do nothing: the hook of a service that needs none."""


@dataclass(frozen=True)
class Service:
    """A service: what it consumes, serves and does besides.

    `routers` has its routes by the prefix that they are served under, such as `/v1` or `/`. `start` runs when
    databases, producer, views and tails are ready, and before the consumer; `drain` before anything is closed;
    `tasks` run from start to stop; a check returns why the service cannot work, or None.
    """

    name: str
    database: Database | None = None
    consumer: ConsumerSpec | None = None
    views: Sequence[View] = ()
    tails: Sequence[Tail] = ()
    routers: Mapping[str, APIRouter] = field(default_factory=dict)
    tasks: Sequence[Hook] = ()
    start: Hook = nothing
    drain: Hook = nothing
    checks: Sequence[Callable[[], str | None]] = ()
