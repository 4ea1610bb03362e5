"""What a station reports of its messages: asked for, received in parts, and when it is complete."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_notification.displays.domain.message import Face

FIRST_NUMBER: Final = 1_000_000
"""Numbers from here on are ours; smaller ones are left to who configures a station by hand."""
LAST_NUMBER: Final = 2**31 - 1

PARTS_WITHIN: Final = timedelta(minutes=2)
AGAIN_IN: Final = timedelta(minutes=5)
MOST_TRIES: Final = 3

ReportState = Literal["none", "due", "asked", "complete", "incomplete", "unsupported", "unreachable"]


class Part(msgspec.Struct, frozen=True):
    """A NotifyDisplayMessages: some of a station's messages by their numbers; `is_last`: no more come."""

    station_id: str
    request_id: int
    messages: tuple[tuple[int, Face], ...]
    is_last: bool


class DisplayStation(msgspec.Struct, frozen=True):
    """A station as its display goes: who it is, and how far its report has come.

    `due_at` is when it is asked (`due`), or given up (`asked`).
    """

    station_id: str
    version: str = ""
    next_number: int = FIRST_NUMBER
    request_id: int = 0
    report: ReportState = "none"
    asked_at: datetime | None = None
    reported_at: datetime | None = None
    tries: int = 0
    due_at: datetime | None = None
    detail: str = ""


def wanted(station: DisplayStation, at: datetime) -> DisplayStation:
    """Return that a report is to be asked for; one that was asked for then is not waited for any more."""
    return msgspec.structs.replace(station, report="due", due_at=at, tries=0)


def asked(station: DisplayStation, now: datetime) -> DisplayStation:
    """Return that a report is asked for, under a number that no report had before."""
    return msgspec.structs.replace(
        station,
        request_id=max(station.request_id, FIRST_NUMBER) + 1,
        report="asked",
        asked_at=now,
        due_at=now + PARTS_WITHIN,
        detail="",
    )


def is_of(station: DisplayStation, request_id: int) -> bool:
    """Tell whether something belongs to the report that was asked for last."""
    return station.request_id == request_id and station.asked_at is not None


def numbered(station: DisplayStation, numbers: Iterable[int]) -> DisplayStation:
    """Return that a station has messages under these numbers: none of ours that is to come gets one of them."""
    highest = max((number for number in numbers if number < LAST_NUMBER), default=0)
    return msgspec.structs.replace(station, next_number=max(station.next_number, highest + 1))


def completed(station: DisplayStation, now: datetime) -> DisplayStation:
    """Return that all of a report is here: parts that come once more change nothing."""
    return msgspec.structs.replace(station, report="complete", reported_at=now, due_at=None, tries=0)


def answered(station: DisplayStation, kind: str, detail: str, now: datetime) -> DisplayStation:
    """Return what is known after the station answered that it will report, or did not; parts may have come before."""
    if station.report != "asked" or kind == "accepted":
        return station
    if kind == "unsupported":
        return msgspec.structs.replace(station, report="unsupported", due_at=None, detail=detail)
    return _missed(station, "unreachable" if kind == "away" else "incomplete", detail, now)


def overdue(station: DisplayStation, now: datetime) -> DisplayStation:
    """Return that the rest of a report does not come; it is asked for again some times."""
    return _missed(station, "incomplete", "the last part did not come", now)


def _missed(station: DisplayStation, state: ReportState, detail: str, now: datetime) -> DisplayStation:
    tries = station.tries + 1
    if tries >= MOST_TRIES:
        return msgspec.structs.replace(station, report=state, tries=tries, due_at=None, detail=detail)
    again = msgspec.structs.replace(station, report="due", tries=tries, detail=detail)
    return msgspec.structs.replace(again, due_at=now + AGAIN_IN)
