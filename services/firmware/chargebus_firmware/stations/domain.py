"""What is known of a station: its make, version and labels, whether it is connected, faulted, charging. Pure.

Each part has a time of its own, and what comes late sets nothing back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

ENDED_REMEMBERED: Final = 8
"""How many sessions that ended are known of a station: one of them whose begin comes late is not open again."""


_PROTOCOLS: Final = frozenset({"FTP", "FTPS", "HTTP", "HTTPS", "SFTP"})


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Whether something was so (a session is open, a connector is faulted), and when that was told."""

    so: bool
    at: datetime


class Make(msgspec.Struct, frozen=True):
    """What a station said of itself when it booted; empty: nothing."""

    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""


class Description(msgspec.Struct, frozen=True):
    """What operators say of a station; an empty time zone is UTC."""

    name: str = ""
    labels: dict[str, str] = {}
    time_zone: str = ""
    removed: bool = False


class Station(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station as it is known.

    Attributes:
        make: what it said at its last boot, `booted_at`.
        ocpp_version: the version of OCPP that it spoke last.
        online, connected_at: whether it is connected, and since when it is or is not; `epoch` orders its connections.
        described, described_at: what operators say of it, and when they did.
        connectors: which are faulted, by `evse.connector`.
        sessions: which are open, by their ids; some that ended last are kept.
        last_ended_at: when a session ended last in which energy flowed.
        protocols: over what it transfers files, as OCPP calls it; empty: it does not say, None: it was not asked, or
            did not answer.
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
    connectors: dict[str, Seen] = {}
    sessions: dict[str, Seen] = {}
    last_ended_at: datetime | None = None
    protocols: tuple[str, ...] | None = None

    @property
    def faulted(self) -> bool:
        """Whether a connector, an EVSE or all of it is faulted."""
        return any(seen.so for seen in self.connectors.values())

    @property
    def open_sessions(self) -> int:
        """How many sessions are open."""
        return sum(seen.so for seen in self.sessions.values())

    @property
    def is_known(self) -> bool:
        """Whether it is there, as far as anybody says."""
        return not self.described.removed


class Energy(msgspec.Struct, frozen=True):
    """A session as it was told: whether it is open, and when it ended with energy, if it did."""

    session_id: str
    is_open: bool
    at: datetime
    charged_until: datetime | None = None


def booted(station: Station, at: datetime, make: Make, ocpp_version: str) -> Station:
    """Return it after it booted."""
    if station.booted_at is not None and at < station.booted_at:
        return station
    version = station.ocpp_version or ocpp_version
    protocols = station.protocols if make.firmware_version == station.make.firmware_version else None
    return msgspec.structs.replace(station, make=make, booted_at=at, ocpp_version=version, protocols=protocols)


def protocols_told(station: Station, protocols: tuple[str, ...]) -> Station:
    """Return it after it said over what it transfers files; another firmware is asked again."""
    return msgspec.structs.replace(station, protocols=protocols)


def protocols_in(told: object) -> tuple[str, ...]:
    """Return the protocols in what a station says: a list in one text."""
    words = told.upper().replace(";", ",").split(",") if isinstance(told, str) else []
    return tuple(sorted({word.strip() for word in words} & _PROTOCOLS))


def connected(station: Station, at: datetime, epoch: int, ocpp_version: str) -> Station:
    """Return it after it connected; an older connection is no news."""
    if epoch < station.epoch or (epoch == station.epoch and station.online):
        return station
    version = ocpp_version or station.ocpp_version
    return msgspec.structs.replace(station, online=True, epoch=epoch, connected_at=at, ocpp_version=version)


def lost(station: Station, at: datetime, epoch: int) -> Station:
    """Return it after a connection ended; one that another has replaced is no news."""
    if epoch < station.epoch or (epoch == station.epoch and not station.online):
        return station
    return msgspec.structs.replace(station, online=False, epoch=epoch, connected_at=at)


def described(station: Station, at: datetime, description: Description) -> Station:
    """Return it after operators said something of it; of one that is removed, nothing is going on any more."""
    if station.described_at is not None and at < station.described_at:
        return station
    told = msgspec.structs.replace(station, described=description, described_at=at)
    return msgspec.structs.replace(told, connectors={}, sessions={}) if description.removed else told


def status_told(station: Station, place: str, at: datetime, *, faulted: bool) -> Station:
    """Return it after it said whether a connector is faulted."""
    known = station.connectors.get(place)
    if known is not None and at < known.at:
        return station
    return msgspec.structs.replace(station, connectors=station.connectors | {place: Seen(faulted, at)})


def session_told(station: Station, told: Energy) -> Station:
    """Return it after a session began, went on or ended."""
    known = station.sessions.get(told.session_id)
    if known is not None and (told.at < known.at or (known.so and told.is_open)):
        return station
    sessions = _remembered(station.sessions | {told.session_id: Seen(told.is_open, told.at)})
    return msgspec.structs.replace(
        station, sessions=sessions, last_ended_at=_latest(station.last_ended_at, told.charged_until)
    )


def _remembered(sessions: Mapping[str, Seen]) -> dict[str, Seen]:
    ended = sorted((seen.at, session_id) for session_id, seen in sessions.items() if not seen.so)
    forgotten = {session_id for _, session_id in ended[:-ENDED_REMEMBERED]}
    return {session_id: seen for session_id, seen in sessions.items() if session_id not in forgotten}


def _latest(known: datetime | None, told: datetime | None) -> datetime | None:
    if known is None or told is None:
        return known or told
    return max(known, told)
