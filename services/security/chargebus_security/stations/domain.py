"""What is known of a station: its make, version and labels, whether it is connected. Pure.

Each part has a time of its own, and what comes late sets nothing back.
"""

from datetime import datetime
from typing import Final

import msgspec

_HABIT: Final = 3
"""So many connections in a row with a boot are a habit: stations lose connections oftener than they restart."""


class Make(msgspec.Struct, frozen=True):
    """What a station said of itself when it booted; empty: nothing."""

    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""


class Description(msgspec.Struct, frozen=True):
    """What operators say of a station."""

    name: str = ""
    labels: dict[str, str] = {}
    removed: bool = False


class Station(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station as it is known.

    Attributes:
        make: what it said at its last boot, `booted_at`.
        ocpp_version: the version of OCPP that it spoke last.
        online, connected_at: whether it is connected, and since when it is or is not; `epoch` orders its connections.
        security_profile: by which it came in last; None: that was not told.
        begun_at: when its newest connection began; `boots`: in how many in a row, up to that one, it has booted.
        described, described_at: what operators say of it, and when they did.
    """

    station_id: str
    make: Make = Make()
    booted_at: datetime | None = None
    ocpp_version: str = ""
    online: bool = False
    epoch: int = -1
    connected_at: datetime | None = None
    described: Description = Description()
    described_at: datetime | None = None
    security_profile: int | None = None
    begun_at: datetime | None = None
    boots: int = 0

    @property
    def boots_always(self) -> bool:
        """Whether it says at every connection that it has started, as far as can be seen."""
        return self.boots >= _HABIT

    @property
    def is_known(self) -> bool:
        """Whether it is there, as far as anybody says."""
        return not self.described.removed

    @property
    def is_registered(self) -> bool:
        """Whether an operator has registered it: a connection alone says nothing."""
        return self.described_at is not None and self.is_known


def booted(station: Station, at: datetime, make: Make, ocpp_version: str) -> Station:
    """Return it after it booted."""
    if station.booted_at is not None and at < station.booted_at:
        return station
    version = station.ocpp_version or ocpp_version
    is_first = station.begun_at is not None and at >= station.begun_at and not _has_booted(station)
    boots = min(station.boots + is_first, _HABIT)
    return msgspec.structs.replace(station, make=make, booted_at=at, ocpp_version=version, boots=boots)


def connected(
    station: Station, at: datetime, epoch: int, ocpp_version: str, security_profile: int | None = None
) -> Station:
    """Return it after it connected; an older connection is no news."""
    if epoch < station.epoch or (epoch == station.epoch and station.online):
        return station
    return msgspec.structs.replace(
        station,
        begun_at=at,
        boots=station.boots if _has_booted(station) else 0,
        online=True,
        epoch=epoch,
        connected_at=at,
        ocpp_version=ocpp_version or station.ocpp_version,
        security_profile=security_profile,
    )


def _has_booted(station: Station) -> bool:
    """Tell whether it has booted since its newest connection began."""
    return station.begun_at is not None and station.booted_at is not None and station.booted_at >= station.begun_at


def lost(station: Station, at: datetime, epoch: int) -> Station:
    """Return it after a connection ended; one that another has replaced is no news."""
    if epoch < station.epoch or (epoch == station.epoch and not station.online):
        return station
    return msgspec.structs.replace(station, online=False, epoch=epoch, connected_at=at)


def described(station: Station, at: datetime, description: Description) -> Station:
    """Return it after operators said something of it."""
    if station.described_at is not None and at < station.described_at:
        return station
    return msgspec.structs.replace(station, described=description, described_at=at)
