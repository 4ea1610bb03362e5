"""The JSON of logs over HTTP."""

from datetime import datetime
from typing import Annotated, Final

from chargebus_runtime.http import WHOLE, Input, UtcDatetime
from pydantic import BaseModel, ConfigDict, Field

from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.logs.domain.archives import Cut, Form
from chargebus_firmware.logs.domain.log import Kind, Log, Reason, State, Upload, UploadState

MOST_RETRIES: Final = 100
LONGEST_S: Final = 86400
MOST_TEXT: Final = 256 * 1024
USUAL_TEXT: Final = 64 * 1024
LEAST_TEXT: Final = 1024


class LogIn(Input):
    """A log that is wanted of a station."""

    kind: Kind = Field(
        default="diagnostics",
        description="Which log: OCPP 1.6 has security logs with its security extension, and none of data collectors; "
        "these are OCPP 2.1's",
    )
    oldest: UtcDatetime | None = Field(
        default=None, description="The oldest entry that is wanted; absent: from the first"
    )
    latest: UtcDatetime | None = Field(default=None, description="The latest entry that is wanted; absent: to the last")
    retries: Annotated[int, Field(ge=0, le=MOST_RETRIES), WHOLE] | None = Field(
        default=None, description="How often it tries again where the upload fails; absent: as it likes"
    )
    retry_interval_s: Annotated[int, Field(ge=1, le=LONGEST_S), WHOLE] | None = Field(
        default=None, description="Seconds between its tries"
    )
    over: Transport | None = Field(
        default=None,
        description="Over what the station is told to send the file: `http` (HTTPS, where links are), "
        "`https`, `ftp` or `sftp`, where these are served; absent: over what it says that it knows",
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Seconds that it may take to answer")
    ttl_s: float = Field(
        default=0.0, ge=0, le=LONGEST_S, description="Seconds that it is waited for, if it is away; 0: it fails at once"
    )


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UploadOut(_Out):
    """One try of the station to send the file."""

    number: int
    transport: Transport = Field(description="How it came")
    name: str = Field(description="The name that the station gave the file")
    state: UploadState = Field(
        description="receiving; complete; partial: it stopped half-way, and the piece is kept; repeated: the file was "
        "here already, the first stays; refused"
    )
    reason: str = Field(description="Why it is not complete")
    size: int = Field(description="Bytes that are kept")
    sha256: str
    late: bool = Field(description="Whether it came after the log had ended")
    began_at: datetime
    heard_at: datetime = Field(description="When bytes came last, as is noted every few seconds")
    ended_at: datetime | None


class StepOut(_Out):
    """Something that happened, and the state after it."""

    at: datetime
    what: str
    state: State
    detail: str


class FileOut(BaseModel):
    """The file of a log, or the piece of it that is here."""

    name: str
    size: int
    sha256: str = Field(description="Empty for a piece")
    upload: int = Field(description="The upload that brought it")
    whole: bool


class LogOut(BaseModel):
    """A log that a station was asked for."""

    log_id: int = Field(description="Its number, by which its station tells of it as well (requestId)")
    station_id: str
    kind: Kind
    state: State = Field(
        description="requested; accepted; uploading; partial: a piece is here; received; no_log: the station has none; "
        "failed: see reason; cancelled: by an operator; superseded: the station gave it up for a later one; expired: "
        "the file is kept no longer"
    )
    reason: Reason
    detail: str = Field(description="What the station said to that, or what went wrong, in words")
    oldest: datetime | None
    latest: datetime | None
    retries: int | None
    retry_interval_s: int | None
    over: Transport
    asked_at: datetime
    give_up_at: datetime = Field(description="When it is given up, if no file has come")
    ended_at: datetime | None = Field(description="When it ended; a file that comes later is still taken")
    status: str = Field(description="What the station said last of it, in its own words")
    status_at: datetime | None
    file: FileOut | None
    expires_at: datetime | None = Field(description="When its file is deleted")


class LogDetailOut(LogOut):
    """A log with its path."""

    uploads: list[UploadOut]
    history: list[StepOut]


class EntryOut(_Out):
    """Something inside of a file."""

    number: int = Field(description="By which its text is asked for")
    name: str = Field(description="As the archive says it: it may hold anything")
    size: int | None
    why_not: str = Field(description="Why its text cannot be shown; empty: it can")


class InsideOut(_Out):
    """What is inside of a file."""

    form: Form
    entries: list[EntryOut]
    cut: Cut = Field(
        description="Why there may be more: as many `entries` or `bytes` as are looked at, it took too long "
        "(`time`), or the file is `broken` there"
    )


class TextOut(_Out):
    """A page of the text of an entry; what is no UTF-8 is shown as U+FFFD."""

    text: str
    start: int = Field(description="The byte at which the page begins")
    next_start: int | None = Field(description="Where the next page begins; null: this is the last")
    cut: Cut = Field(description="Why the text ends before the entry does, if so")


def log_out(log: Log, name: str) -> LogOut:
    """Return a log as callers see it; `name` is what its file is called."""
    return LogOut.model_validate(_members(log, name))


def log_detail_out(log: Log, name: str) -> LogDetailOut:
    """Return a log with its path."""
    path = {
        "uploads": [UploadOut.model_validate(each) for each in log.uploads],
        "history": [StepOut.model_validate(each) for each in log.steps],
    }
    return LogDetailOut.model_validate(_members(log, name) | path)


def _members(log: Log, name: str) -> dict[str, object]:
    shown = log.shown
    wanted = log.wanted
    return {
        "log_id": log.log_id,
        "station_id": log.station_id,
        "kind": wanted.kind,
        "state": log.state,
        "reason": log.reason,
        "detail": log.detail,
        "oldest": wanted.oldest,
        "latest": wanted.latest,
        "retries": wanted.retries,
        "retry_interval_s": wanted.retry_interval_s,
        "over": wanted.over,
        "asked_at": log.asked_at,
        "give_up_at": log.give_up_at,
        "ended_at": log.ended_at,
        "status": log.status,
        "status_at": log.status_at,
        "file": None if shown is None else _file(shown, name),
        "expires_at": log.expires_at,
    }


def _file(upload: Upload, name: str) -> FileOut:
    return FileOut(
        name=name,
        size=upload.size,
        sha256=upload.sha256,
        upload=upload.number,
        whole=upload.state == "complete",
    )
