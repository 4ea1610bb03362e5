"""Where each station-initiated action goes and who answers it, worked out once from the action table."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec
from chargebus_events.personal import PERSONAL
from chargebus_events.topics import frames_topic
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.secrets import STANDARD, TELLS_SETTINGS
from chargebus_ocppj.versions import Version

DECIDING_SERVICES: Final = frozenset({"device", "security", "session", "smart-charging"})
"""The services that answer calls today. What another one would have to decide is refused as not supported."""

BOOT: Final = "BootNotification"
SEEN_BY: Final = "device"


class Route(msgspec.Struct, frozen=True, gc=False):
    """The way of one action in one version; `header` is the action as a Kafka header.

    `seen`: it goes to `device`, which notes that the station was there. `mask` says what Kafka gets of a payload that
    may tell a setting which is secret; None: all of it. `is_personal`: it tells of people, and is sealed there.
    """

    action: str
    topic: str
    answered_by_edge: bool
    expects_answer: bool
    supported: bool
    seen: bool
    header: tuple[str, bytes]
    mask: Callable[[bytes], bytes] | None = None
    is_personal: bool = False


def _routes() -> dict[tuple[str, str], Route]:
    return {
        (version, row.name): Route(
            action=row.name,
            topic=frames_topic(row.service),
            answered_by_edge=row.answered_by == "edge",
            expects_answer=row.answered_by != "nobody",
            supported=row.answered_by != "service" or row.service in DECIDING_SERVICES,
            seen=row.service == SEEN_BY,
            header=("ocpp_action", row.name.encode()),
            mask=partial(STANDARD.masked_call, row.name) if row.name in TELLS_SETTINGS else None,
            is_personal=row.name in PERSONAL,
        )
        for row in ACTIONS
        if row.initiator == "station"
        for version in row.versions
    }


_ROUTES: Final[Mapping[tuple[str, str], Route]] = _routes()


def route(version: Version, action: str) -> Route | None:
    """Return the route of an action that a station may start in `version`, or None."""
    return _ROUTES.get((version, action))
