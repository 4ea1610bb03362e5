"""The JSON of display messages over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from chargebus_runtime.http import Input, UtcDatetime
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chargebus_notification.displays.domain.message import Face, Format, Message, Priority, State, Target, Text
from chargebus_notification.displays.domain.reports import DisplayStation
from chargebus_notification.displays.domain.shown import Shown
from chargebus_notification.displays.domain.view import Entry

_StationId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
_Label = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]


class TextIn(Input):
    """What a driver reads, in one language."""

    content: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]
    format: Format = Field(default="UTF8", description="QRCODE, and more than 512 characters, need OCPP 2.1")
    language: str | None = Field(
        default=None, min_length=1, max_length=8, pattern=r"^[A-Za-z0-9-]+$", description="RFC 5646: en, de-CH"
    )

    def text(self) -> Text:
        """Return it as the domain knows it."""
        return Text(self.format, self.content, self.language or "")


class MessageIn(TextIn):
    """A message, and for whom it is: `station_ids`, or all stations with these `labels`."""

    station_ids: Annotated[list[_StationId], Field(default_factory=list, max_length=10_000)]
    labels: Annotated[dict[_Label, _Label], Field(default_factory=dict, max_length=20)]
    priority: Priority = "NormalCycle"
    state: State | None = Field(
        default=None, description="Show it only then; Suspended and Discharging need OCPP 2.1. Null: always"
    )
    starts_at: UtcDatetime | None = None
    ends_at: UtcDatetime | None = Field(default=None, description="The station drops it then by itself")
    transaction_id: Annotated[str, Field(min_length=1, max_length=36, pattern=r"^[^\x00]+$")] | None = Field(
        default=None, description="Show it during this transaction of the one station"
    )
    extra: Annotated[list[TextIn], Field(max_length=4)] = Field(
        default=[], description="The same in other languages; needs OCPP 2.1, others are told the first text only"
    )

    def face(self) -> Face:
        """Return what stations are to show."""
        return Face(
            self.priority,
            (self.text(), *(each.text() for each in self.extra)),
            self.state or "",
            self.starts_at,
            self.ends_at,
            self.transaction_id or "",
        )

    def target(self) -> Target:
        """Return for whom it is."""
        return Target(tuple(dict.fromkeys(self.station_ids)), self.labels)


def _fits(wanted: MessageIn) -> MessageIn:
    if bool(wanted.station_ids) == bool(wanted.labels):
        raise ValueError("say either station_ids or labels")
    if wanted.transaction_id is not None and len(set(wanted.station_ids)) != 1:
        raise ValueError("a message for a transaction is for the one station that has it")
    if wanted.starts_at is not None and wanted.ends_at is not None and wanted.ends_at <= wanted.starts_at:
        raise ValueError("it ends before it starts")
    return wanted


FittingMessage = Annotated[MessageIn, AfterValidator(_fits)]


class TextOut(BaseModel):
    """What a driver reads, in one language."""

    model_config = ConfigDict(from_attributes=True)

    format: str
    content: str
    language: str


class FaceOut(BaseModel):
    """What is shown, and when."""

    model_config = ConfigDict(from_attributes=True)

    priority: str
    texts: list[TextOut] = Field(description="The message, then the same in other languages")
    state: str = Field(description="Shown only then; empty: always")
    starts_at: datetime | None
    ends_at: datetime | None
    transaction_id: str


class MessageOut(BaseModel):
    """A message that is wanted, and on how many stations it is in each status."""

    message_id: str
    station_ids: list[str]
    labels: dict[str, str]
    face: FaceOut
    created_at: datetime
    changed_at: datetime
    removed_at: datetime | None = Field(description="It is wanted no more, and cleared from its stations")
    stations: dict[str, int] = Field(
        description="By status: waiting, telling, shown, refused, unsupported, clearing, gone, over"
    )

    @classmethod
    def of(cls, message: Message, stations: dict[str, int]) -> "MessageOut":
        """Return a message as callers see it."""
        said: dict[str, Any] = msgspec.structs.asdict(message)
        target, face = said.pop("target"), said.pop("face")
        return cls(
            station_ids=list(target.station_ids),
            labels=dict(target.labels),
            face=FaceOut.model_validate(face),
            stations=stations,
            **said,
        )


class ShownOut(BaseModel):
    """A message on a station."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    message_id: str
    number: int = Field(description="Its id on the station, which is ours")
    status: Literal["waiting", "telling", "shown", "refused", "unsupported", "clearing", "gone", "over"]
    is_wanted: bool
    reason: str = Field(description="The station's word where it refused, such as NotSupportedPriority")
    detail: str = Field(description="What was said besides")
    tries: int = Field(description="How often in a row it could not be told")
    repaired: int = Field(description="How often it was told anew, as the station reported something else")
    changed_at: datetime

    @classmethod
    def of(cls, shown: Shown) -> "ShownOut":
        """Return it as callers see it."""
        return cls.model_validate(shown)


class EntryOut(BaseModel):
    """A number on a station: what is wanted under it, what was reported, and how they agree."""

    number: int
    verdict: Literal["as wanted", "differs", "missing", "not wanted", "of others", "not shown"]
    difference: list[str] = Field(description="In what they differ")
    wanted: FaceOut | None
    reported: FaceOut | None
    on_station: ShownOut | None = Field(description="What became of it; null where it is not ours")


class StationDisplayOut(BaseModel):
    """What is wanted on a station beside what it reported."""

    station_id: str
    version: str = Field(description="Of OCPP; empty while unknown. Stations of 1.6 have no display messages")
    report: Literal["none", "due", "asked", "complete", "incomplete", "unsupported", "unreachable"]
    report_detail: str
    asked_at: datetime | None
    reported_at: datetime | None = Field(description="When it last reported all of its messages")
    messages: list[EntryOut] = Field(description="A page of them, in the order of their numbers")
    next: str | None = Field(description="The cursor of the following page; null on the last")

    @classmethod
    def of(cls, station: DisplayStation, entries: list[Entry], following: str | None) -> "StationDisplayOut":
        """Return a station as callers see it."""
        return cls(
            station_id=station.station_id,
            version=station.version,
            report=station.report,
            report_detail=station.detail,
            asked_at=station.asked_at,
            reported_at=station.reported_at,
            messages=[_entry(each) for each in entries],
            next=following,
        )


def _entry(each: Entry) -> EntryOut:
    return EntryOut(
        number=each.number,
        verdict=each.verdict,
        difference=list(each.difference),
        wanted=None if each.wanted is None else FaceOut.model_validate(each.wanted),
        reported=None if each.reported is None else FaceOut.model_validate(each.reported),
        on_station=None if each.shown is None else ShownOut.of(each.shown),
    )
