"""Owns the table of what is done with each action of each version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from chargebus_ocppj.actions import lookup

from chargebus_device import payload, v16, v21, v201
from chargebus_device.domain.boot import Boot, BootAnswer
from chargebus_device.domain.status import Report


@dataclass(frozen=True)
class BootRoute:
    """A boot: read, decided, answered."""

    read: Callable[[bytes], Boot]
    answer: Callable[[BootAnswer], Mapping[str, Any]]


@dataclass(frozen=True)
class StatusRoute:
    """A status report: read and kept; the edge has answered it."""

    read: Callable[[bytes], Report]


@dataclass(frozen=True)
class FixedRoute:
    """A call whose answer is the same whatever it says."""

    answer: Mapping[str, Any]


Route = BootRoute | StatusRoute | FixedRoute

_V16: Final[Mapping[str, Route]] = {
    "BootNotification": BootRoute(v16.boot, payload.boot_answer),
    "DataTransfer": FixedRoute(payload.unknown_vendor()),
    "StatusNotification": StatusRoute(v16.status),
}
_V201: Final[Mapping[str, Route]] = {
    "BootNotification": BootRoute(v201.boot, payload.boot_answer),
    "DataTransfer": FixedRoute(payload.unknown_vendor()),
    "StatusNotification": StatusRoute(v201.status),
}
_V21: Final[Mapping[str, Route]] = {
    **_V201,
    "OpenPeriodicEventStream": FixedRoute(v21.stream_refused()),
}

ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {"1.6": _V16, "2.0.1": _V201, "2.1": _V21}


@dataclass(frozen=True)
class Treatment:
    """What is done with a frame; without a route, one that is waited for is refused, and others are signs of life."""

    route: Route | None = None
    waited_for: bool = False


SIGN_OF_LIFE: Final = Treatment()


@lru_cache(maxsize=1024)
def treat(version: bytes, action: bytes) -> Treatment:
    """Return what to do with a frame by its headers: most are signs of life, and need not be read."""
    version_name, action_name = version.decode("utf-8", "replace"), action.decode("utf-8", "replace")
    found = ROUTES.get(version_name, {}).get(action_name)
    waited_for = wants_answer(version_name, action_name)
    return Treatment(found, waited_for) if found or waited_for else SIGN_OF_LIFE


def wants_answer(version: str, action: str) -> bool:
    """Tell whether the station waits for this service's answer: the edge gives all others by itself."""
    row = lookup(version, action)
    return row is not None and row.answered_by == "service"
