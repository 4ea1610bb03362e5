"""Something that a station is asked about its variables: in pieces that it takes, to the end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.report import Part, Parts
from chargebus_device.variables.domain.variable import Reported

Kind = Literal["all", "report", "named", "change"]
State = Literal["waiting", "asked", "reporting", "ended"]
Result = Literal["", "complete", "incomplete", "failed"]
Origin = Literal["operator", "boot", "reboot", "configuration"]
Told = Literal["answered", "too_much", "unsupported", "refused", "away", "unknown"]

FULL: Final = "FullInventory"
SUMMARY: Final = "SummaryInventory"
CONFIGURATION: Final = "ConfigurationInventory"
PARTS_WITHIN: Final = timedelta(minutes=2)
"""How long after one part of a report the next is waited for."""

AGAIN_IN: Final = timedelta(seconds=15)
UNKNOWN_LIMIT: Final = 10
"""How many variables are asked for at once of a station that does not say how many it takes."""

_WORDS: Final[Mapping[Told, str]] = {"unsupported": "NotSupported", "unknown": "Unknown"}
TELLING: Final = frozenset({"Accepted", "UnknownVariable", "UnknownComponent"})
"""With any other status an answer says nothing of the value, or of whether there is the variable."""

_TAKEN: Final = frozenset({"Accepted", "RebootRequired"})
_READ_ALL: Final = frozenset({"Accepted", "Rejected", "UnknownVariable", "UnknownComponent"})


class Item(msgspec.Struct, frozen=True):
    """A variable that is read, or set to a value; `status` is the station's own word, or how the asking ended."""

    place: Place
    value: str | None = None
    status: str = ""
    detail: str = ""


class Limits(msgspec.Struct, frozen=True):
    """What one message to a station may hold; None: it does not say."""

    items: int | None = None
    bytes: int | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a station is asked, and how far that is.

    Attributes:
        kind: `all` it has, a `report` on some components, `named` variables, or a `change`.
        base: which inventory `all` is; criteria: of a `report`.
        items: what is read or changed, components for a `report`.
        piece: which items are under way; most: how many at once, if less than the station says.
        report_id: the number under which parts of its report come.
        read: how many variables it told; unread: what could not be read of what it told.
        due_at: when it is looked at next: asked, given up; None: something has to happen first.
    """

    request_id: UUID
    station_id: str
    kind: Kind
    origin: Origin
    base: str = FULL
    criteria: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    piece: tuple[int, ...] = ()
    most: int | None = None
    report_id: int = 0
    parts: Parts = Parts()
    read: int = 0
    unread: int = 0
    state: State = "waiting"
    result: Result = ""
    detail: str = ""
    created_at: datetime
    asked_at: datetime | None = None
    expires_at: datetime
    ended_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def is_reported(self) -> bool:
        """Whether what it reads comes in a report."""
        return self.kind in ("all", "report") and self.report_id > 0

    @property
    def open_items(self) -> list[int]:
        """The numbers of the items that nothing was heard of."""
        return [number for number, item in enumerate(self.items) if not item.status]


def piece_of(request: Request, limits: Limits, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of the items that go into the next message: at least one, as long as there are any.

    `sizes` are the bytes of each item in the message.
    """
    most = min(each for each in (request.most, limits.items or UNKNOWN_LIMIT) if each is not None)
    taken: list[int] = []
    left = limits.bytes
    for number in request.open_items[: max(most, 1)]:
        if taken and left is not None and sizes[number] > left:
            break
        taken.append(number)
        left = None if left is None else left - sizes[number]
    return tuple(taken)


def asked(request: Request, piece: tuple[int, ...], now: datetime) -> Request:
    """Return it while the station is asked for a piece of it."""
    return msgspec.structs.replace(
        request, state="asked", piece=piece, asked_at=request.asked_at or now, due_at=None, detail=""
    )


def reporting(request: Request, now: datetime) -> Request:
    """Return it after the station said that it will report; parts may have come before."""
    if request.state != "asked":
        return request
    return _judged(msgspec.structs.replace(request, state="reporting", due_at=now + PARTS_WITHIN), now)


def with_part(request: Request, part: Part, now: datetime) -> Request:
    """Return it with a part of its report; one that comes again changes nothing."""
    parts = request.parts.having(part)
    if request.state == "ended" or parts == request.parts:
        return request
    read, unread = request.read + len(part.variables), request.unread + part.unread
    due_at = now + PARTS_WITHIN if request.state == "reporting" else request.due_at
    return _judged(msgspec.structs.replace(request, parts=parts, read=read, unread=unread, due_at=due_at), now)


def overdue(request: Request, now: datetime) -> Request:
    """Return it after the next part of its report did not come in time: what came stays."""
    return ended(request, "incomplete" if request.parts.seen else "failed", request.parts.lack, now)


def answered(request: Request, statuses: Mapping[int, tuple[str, str]], now: datetime) -> Request:
    """Return it after a piece was answered; `statuses` of its items, each with words about it."""
    items = list(request.items)
    for number in request.piece:
        status, detail = statuses.get(number, ("NoAnswer", "the station's answer does not name it"))
        items[number] = msgspec.structs.replace(items[number], status=status, detail=detail)
    after = msgspec.structs.replace(request, items=tuple(items), piece=(), state="waiting", due_at=now)
    if after.open_items:
        return after
    done = _READ_ALL if request.kind == "all" else _TAKEN
    return told_all(after, now) if all(item.status in done for item in items) else ended(after, "incomplete", "", now)


def answers(request: Request, said: Iterable[tuple[Reported, str]]) -> list[tuple[Reported, str]]:
    """Return what of an answer was asked for: where variables were named, nothing else."""
    named = {request.items[number].place.key for number in request.piece}
    return [each for each in said if not named or each[0].place.key in named]


def not_answered(request: Request, told: Told, why: str, now: datetime) -> Request:
    """Return it after a piece was not answered: smaller, later, or not at all."""
    if told == "away":
        if now < request.expires_at:
            return msgspec.structs.replace(request, state="waiting", piece=(), due_at=now + AGAIN_IN, detail=why)
        return ended(_left(request, "Unreachable", why), "failed", why or "the station is away", now)
    if told == "too_much" and len(request.piece) > 1:
        half = len(request.piece) // 2
        return msgspec.structs.replace(request, state="waiting", piece=(), most=half, due_at=now, detail=why)
    word = _WORDS.get(told, "Refused")
    if told == "unsupported" or not request.piece:
        return ended(_left(request, word, why), "failed", why, now)
    return answered(request, dict.fromkeys(request.piece, (word, why)), now)


def poorer(request: Request) -> Request | None:
    """Return what is asked for in place of an inventory that a station does not make; None: there is nothing.

    Spec: OCPP 2.0.1 B07.FR.02 (a report base that is not supported), FR.05 (ConfigurationInventory is always)
    """
    return msgspec.structs.replace(request, base=CONFIGURATION) if request.base == FULL else None


def remaining(request: Request, told: Iterable[Place], expected: Iterable[Place], limit: int | None) -> Request | None:
    """Return how to ask for what a station kept back, as it tells only so many keys at once; None: it did not.

    Spec: OCPP 1.6 9.1.7 (GetConfigurationMaxKeys)
    """
    known = {place.key for place in told}
    if limit is None or len(known) < limit:
        return None
    items = tuple(Item(place) for place in expected if place.key not in known)
    return msgspec.structs.replace(request, items=items) if items else None


def told_all(request: Request, now: datetime) -> Request:
    """Return it after the station has told or taken all that was asked: complete, if all of that could be read.

    A station that says that it has nothing at all is not believed: what was known of it stays.
    """
    if request.unread:
        return ended(request, "incomplete", f"{request.unread} of what it told could not be read", now)
    if request.kind == "all" and request.base != SUMMARY and not request.read:
        return ended(request, "incomplete", "the station told nothing", now)
    return ended(request, "complete", "", now)


def ended(request: Request, result: Result, detail: str, now: datetime) -> Request:
    """Return it at its end."""
    return msgspec.structs.replace(
        request, state="ended", result=result, detail=detail, piece=(), ended_at=now, due_at=None
    )


def _judged(request: Request, now: datetime) -> Request:
    if request.state != "reporting" or not request.parts.is_whole:
        return request
    return told_all(request, now)


def _left(request: Request, status: str, why: str) -> Request:
    items = tuple(
        each if each.status else msgspec.structs.replace(each, status=status, detail=why) for each in request.items
    )
    return msgspec.structs.replace(request, items=items)
