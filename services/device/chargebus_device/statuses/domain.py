"""Owns the status of connectors, EVSEs and stations: which report counts, what it changes, what follows from it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

Status = Literal["Available", "Occupied", "Reserved", "Unavailable", "Faulted"]

STATUSES: tuple[Status, ...] = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")
LARGEST_ID = 2**31 - 1
STALE_CLOCK = timedelta(days=7)
REPLAY = timedelta(minutes=10)

_SUMMARY_ORDER: tuple[Status, ...] = ("Available", "Occupied", "Reserved", "Faulted", "Unavailable")
_EVSE_ORDER: tuple[Status, ...] = ("Occupied", "Reserved", "Available", "Faulted", "Unavailable")
_OUT_OF_SERVICE = ("Faulted", "Unavailable")


class Place(msgspec.Struct, frozen=True):
    """A connector; connector_id 0 is the EVSE as a whole, both 0 the station."""

    evse_id: int
    connector_id: int


STATION = Place(0, 0)


class UnusableReportError(ValueError):
    """A report that names a place no station can have, or a status that nobody knows."""


def connector(evse_id: int, connector_id: int) -> Place:
    """Return the place with these ids.

    Raises:
        UnusableReportError: an id is negative or too large to be one.
    """
    if not (0 <= evse_id <= LARGEST_ID and 0 <= connector_id <= LARGEST_ID):
        message = f"evseId {evse_id}, connectorId {connector_id}"
        raise UnusableReportError(message)
    return Place(evse_id, connector_id)


def status_of(words: Mapping[str, Status], said: str) -> Status:
    """Return the status that a station's word stands for.

    Raises:
        UnusableReportError: it stands for none.
    """
    status = words.get(said)
    if status is None:
        message = f"status {said!r}"
        raise UnusableReportError(message)
    return status


class Report(msgspec.Struct, frozen=True):
    """What a station says of one place, in the words of OCPP 2.x.

    `detail` is the finer status of OCPP 1.6 (Preparing, SuspendedEV, …); `said_at` is the station's own time,
    None if it gave none that can be read.
    """

    place: Place
    status: Status
    detail: str = ""
    error_code: str = ""
    info: str = ""
    vendor_id: str = ""
    vendor_error_code: str = ""
    said_at: datetime | None = None


class Known(msgspec.Struct, frozen=True):
    """The newest report of a place, the time from which it counts, and when it reached us."""

    report: Report
    reported_at: datetime
    received_at: datetime


def counts_from(said_at: datetime | None, received_at: datetime) -> datetime:
    """Return the time a report counts from: the station's, unless its clock cannot be believed.

    Stations start in 1970 until they know the time, write local time with a Z, or give no time at all. A time in
    the future, or more than `STALE_CLOCK` in the past, is replaced by the time of receipt.

    Spec: OCPP 1.6 6.47 (if absent, time of receipt is assumed)
    """
    if said_at is None or said_at > received_at or received_at - said_at > STALE_CLOCK:
        return received_at
    return said_at.astimezone(UTC)


def take(known: Known | None, report: Report, received_at: datetime) -> Known | None:
    """Return what is known after a report, or None if the report is older than what is known.

    A station that reconnects sends old reports along with new ones, all within minutes. Where what is known came
    longer ago than `REPLAY`, a time before it comes of a clock that was set back, and the report counts.
    """
    reported_at = counts_from(report.said_at, received_at)
    if known is not None and reported_at < known.reported_at and received_at - known.received_at <= REPLAY:
        return None
    return Known(report, reported_at, received_at)


def is_news(known: Known | None, report: Report) -> bool:
    """Tell whether a report says anything but the time anew: stations repeat all statuses when they reconnect."""
    return known is None or msgspec.structs.replace(known.report, said_at=None) != msgspec.structs.replace(
        report, said_at=None
    )


def evse_status(evse_id: int, known: Mapping[Place, Status]) -> Status | None:
    """Return the status of an EVSE from its own report and its connectors', None if nothing was reported.

    An EVSE serves one vehicle at a time: one occupied or reserved connector takes all of it.

    Spec: OCPP 2.0.1 G01 (ConnectorStatusEnumType), Part 1 "Architecture & Topology" (EVSE)
    """
    own = known.get(Place(evse_id, 0))
    if own in _OUT_OF_SERVICE:
        return own
    connectors = {status for place, status in known.items() if place.evse_id == evse_id and place.connector_id}
    return _first(_EVSE_ORDER, connectors) or own


def station_status(known: Mapping[Place, Status]) -> Status | None:
    """Return the status of a station: its own if out of service, else Available if any EVSE is, and so on down."""
    own = known.get(STATION)
    if own in _OUT_OF_SERVICE:
        return own
    evses = {place.evse_id for place in known if place.evse_id}
    return _first(_SUMMARY_ORDER, {evse_status(evse_id, known) for evse_id in evses}) or own


def _first(order: Iterable[Status], present: set[Status] | set[Status | None]) -> Status | None:
    return next((status for status in order if status in present), None)
