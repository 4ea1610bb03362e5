"""One log that a station was asked for: what it says of it, what was received, and what came of it. Pure.

What the station says is a hint: statuses are missing, repeated, out of order, from before the request, and have no
request id in OCPP 1.6. The truth is the file that was received: with it the log is here, whatever was said before and
is said after.

| state | what |
|---|---|
| requested | asked for; the station has not answered, or nobody knows what |
| accepted | the station will send it |
| uploading | the station says so, or the file is being received |
| partial | a piece of the file was received; once it has ended, no more will come |
| received | the whole file is here |
| no_log | the station has none |
| failed | none comes: `reason` says why |
| cancelled | given up by an operator |
| superseded | the station gave it up for a later one |
| expired | the file was received, and is kept no longer |

Spec: OCPP 1.6 4.4, 5.7; OCPP 2.0.1 N01 (UploadLogStatusEnumType, LogStatusEnumType)
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from chargebus_firmware.links.domain.link import Transport

Kind: TypeAlias = Literal["diagnostics", "security", "data_collector"]
State: TypeAlias = Literal[
    "requested",
    "accepted",
    "uploading",
    "partial",
    "received",
    "no_log",
    "failed",
    "cancelled",
    "superseded",
    "expired",
]
Reason: TypeAlias = Literal[
    "",
    "not_reached",
    "not_supported",
    "rejected",
    "bad_message",
    "permission_denied",
    "upload_failed",
    "not_received",
    "silent",
]
"""Why no file came, or only a piece: `not_received`: the station says that it sent it; `silent`: it says nothing."""
UploadState: TypeAlias = Literal["receiving", "complete", "partial", "repeated", "refused"]

MOST_UPLOADS: Final = 10
MOST_STEPS: Final = 60
_KEPT_FIRST: Final = 10
_CLOCKS_AGREE: Final = timedelta(seconds=2)

_FAILURES: Final[dict[str, Reason]] = {
    "UploadFailure": "upload_failed",
    "UploadFailed": "upload_failed",
    "BadMessage": "bad_message",
    "NotSupportedOperation": "not_supported",
    "PermissionDenied": "permission_denied",
}
_NOT_ANSWERED: Final[dict[str, Reason]] = {
    "refused": "not_supported",
    "undeliverable": "not_reached",
    "expired": "not_reached",
}


class Patience(msgspec.Struct, frozen=True):
    """How long what is waited for, in seconds.

    Attributes:
        file_s: for the file, from the request on; then the log is given up.
        late_s: how much longer a file is still taken.
        said_s: for the file after the station says that it is uploaded.
        stalled_s: for the next piece of a file, before who received it is taken to be dead.
        keep_s: how long files are kept.
        forget_s: how long requests are shown after their end.
    """

    file_s: float
    late_s: float
    said_s: float
    stalled_s: float
    keep_s: float
    forget_s: float


class Wanted(msgspec.Struct, frozen=True):
    """What is wanted of a station: entries from `oldest` to `latest`, None: all of them.

    It sends them `over` a transport, and tries `retries` times more, every `retry_interval_s`; None: as it likes.
    """

    kind: Kind
    oldest: datetime | None = None
    latest: datetime | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    over: Transport = "http"

    @property
    def can_have_entries(self) -> bool:
        """Whether there can be entries from its oldest to its latest."""
        return self.oldest is None or self.latest is None or self.oldest < self.latest


class Arrival(msgspec.Struct, frozen=True):
    """A file that begins to arrive: how, and the name that the station gives it."""

    transport: Transport
    name: str = ""


class Upload(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of the station to send the file; `reason` says why it is not complete."""

    number: int
    transport: Transport
    name: str
    began_at: datetime
    heard_at: datetime
    state: UploadState = "receiving"
    size: int = 0
    sha256: str = ""
    reason: str = ""
    ended_at: datetime | None = None
    late: bool = False

    @property
    def has_file(self) -> bool:
        """Whether something of it is kept."""
        return self.state == "complete" or (self.state == "partial" and self.size > 0)


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened: `what` it was, and the state of the log after it."""

    at: datetime
    what: str
    state: State
    detail: str = ""


class Log(msgspec.Struct, frozen=True, omit_defaults=True):
    """A log as it is known.

    Attributes:
        log_id: its number, and the request id by which the station tells of it.
        key: where its files lie in the store.
        asked_at: when the station was asked; what it says of times before that is of something else.
        give_up_at: when it is given up.
        answered_name: the name of the file as the station answered it.
        status, status_at: what the station said last, in its own words.
        said_at: since when it says that it has uploaded the file.
        ended_at: when it ended; a file that comes later is still taken, and ends it anew.
        counts: the number of the upload whose file is the log's.
        expires_at: when its files are deleted.
    """

    log_id: int
    station_id: str
    key: str
    wanted: Wanted
    asked_at: datetime
    give_up_at: datetime
    state: State = "requested"
    reason: Reason = ""
    detail: str = ""
    answered_name: str = ""
    status: str = ""
    status_at: datetime | None = None
    said_at: datetime | None = None
    ended_at: datetime | None = None
    counts: int | None = None
    expires_at: datetime | None = None
    uploads: tuple[Upload, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet what comes of it."""
        return self.ended_at is None

    @property
    def is_here(self) -> bool:
        """Whether the file was received."""
        return self.state in ("received", "expired")

    @property
    def shown(self) -> Upload | None:
        """The upload whose file is shown: the complete one, else the largest piece; None: there is no file."""
        if self.state == "expired":
            return None
        if self.counts is not None:
            return self.upload(self.counts)
        pieces = [each for each in self.uploads if each.has_file]
        return max(pieces, key=lambda each: (each.size, each.number)) if pieces else None

    def upload(self, number: int) -> Upload | None:
        """Return an upload by its number."""
        return next((each for each in self.uploads if each.number == number), None)


class Reply(msgspec.Struct, frozen=True):
    """What the station answered: whether it will, and the name of the file.

    `answer` is `accepted`, `rejected`, `no_log`, or `replaces`: it will, and gives up what it was sending.
    """

    answer: Literal["accepted", "rejected", "no_log", "replaces"]
    name: str = ""
    detail: str = ""


def asked(log: Log) -> Log:
    """Return a log that is asked for now."""
    return _step(log, log.asked_at, "asked")


def answered(log: Log, reply: Reply, at: datetime) -> Log:
    """Return it after the station's answer; one that comes behind what shows that it sends changes nothing."""
    named = msgspec.structs.replace(log, answered_name=reply.name or log.answered_name)
    what = f"answered: {reply.answer}"
    if log.state != "requested":
        return _step(named, at, what, reply.detail)
    if reply.answer == "rejected":
        return _end(named, at, what, _End("failed", "rejected", reply.detail))
    if reply.answer == "no_log":
        return _end(named, at, what, _End("no_log", "", reply.detail))
    return _step(msgspec.structs.replace(named, state="accepted"), at, what, reply.detail)


def not_answered(log: Log, outcome: str, at: datetime, detail: str) -> Log:
    """Return it after there was no answer: `refused` by a CALLERROR, `undeliverable`, `expired`, or `timed_out`.

    A request that timed out may have reached the station: the file is waited for as if it had said yes.
    """
    reason = _NOT_ANSWERED.get(outcome)
    if reason is None or log.state != "requested":
        return _step(log, at, f"not answered: {outcome}", detail)
    return _end(log, at, f"not answered: {outcome}", _End("failed", reason, detail))


def told(log: Log, status: str, at: datetime, detail: str = "") -> Log:
    """Return it after a status notification that is of it.

    A failure ends it, and may be taken back: the station tries again by itself. Nothing that is said changes what was
    received.
    """
    heard = msgspec.structs.replace(log, status=status, status_at=at)
    if status == log.status:
        return heard
    what = f"status: {status}"
    if log.is_here or log.state in ("cancelled", "no_log") or status == "Idle":
        return _step(heard, at, what, detail)
    if status == "AcceptedCanceled":
        return _end(heard, at, what, _End("superseded", "", detail))
    if status in _FAILURES and log.state != "superseded":
        return _fail(heard, at, what, _End("failed", _FAILURES[status], detail))
    return _step(_going_on(heard, status, at), at, what, detail)


def is_of(log: Log, at: datetime) -> bool:
    """Tell whether a status without a request id can be of it: it is not older, as far as clocks of servers agree."""
    return at >= log.asked_at - _CLOCKS_AGREE


def superseded(log: Log, at: datetime) -> Log:
    """Return it after the station gave it up for a later one; what was received stays."""
    if not log.is_open:
        return log
    return _end(log, at, "given up by the station", _End("superseded"))


def cancelled(log: Log, at: datetime) -> Log:
    """Return it after an operator gave it up: no file is taken any more."""
    return _end(log, at, "given up by an operator", _End("cancelled")) if log.is_open else log


def refusal(log: Log) -> Literal["", "cancelled", "taken_already", "too_many"]:
    """Return why no upload is taken, or nothing."""
    if log.state == "cancelled":
        return "cancelled"
    if log.counts is not None:
        return "taken_already"
    return "too_many" if len(log.uploads) >= MOST_UPLOADS else ""


def began(log: Log, arrival: Arrival, at: datetime, patience: Patience) -> Log:
    """Return it when an upload begins, which is the last of its `uploads`; one that is not taken is noted as such.

    The last of those that are not taken stands for all.
    """
    why = refusal(log)
    number = max((each.number for each in log.uploads), default=0) + 1
    upload = Upload(number, arrival.transport, arrival.name, at, at, late=not log.is_open)
    if why:
        state: UploadState = "repeated" if why == "taken_already" else "refused"
        refused = msgspec.structs.replace(upload, state=state, reason=why, ended_at=at)
        kept = tuple(each for each in log.uploads if each.reason != why)
        noted = msgspec.structs.replace(log, uploads=(*kept, refused))
        return _step(noted, at, f"upload {number} refused", why)
    expires_at = at + timedelta(seconds=patience.keep_s)
    going = msgspec.structs.replace(log, uploads=(*log.uploads, upload), expires_at=expires_at)
    if log.is_open:
        going = msgspec.structs.replace(going, state="uploading")
    return _step(going, at, f"upload {number} began", arrival.name)


def went_on(log: Log, number: int, size: int, at: datetime) -> Log:
    """Return it after so many bytes of an upload are kept."""
    return _with_upload(log, number, lambda each: msgspec.structs.replace(each, size=size, heard_at=at))


def completed(log: Log, number: int, size: int, sha256: str, at: datetime) -> Log:
    """Return it after all of a file was received: it is the log's, unless another came before it."""
    if log.state == "cancelled":
        return _end_upload(log, number, at, _UploadEnd("refused", "cancelled"))
    if log.counts is not None:
        return _end_upload(log, number, at, _UploadEnd("repeated", "taken_already"))
    done = _with_upload(
        log,
        number,
        lambda each: msgspec.structs.replace(
            each, state="complete", size=size, sha256=sha256, reason="", heard_at=at, ended_at=at
        ),
    )
    return _end(msgspec.structs.replace(done, counts=number), at, f"upload {number} complete", _End("received"))


def broke_off(log: Log, number: int, reason: str, at: datetime) -> Log:
    """Return it after an upload stopped half-way: what is kept of it is a piece."""
    ended = _end_upload(log, number, at, _UploadEnd("partial", reason))
    if log.is_here or log.state in ("cancelled", "superseded"):
        return ended
    upload = ended.upload(number)
    if upload is None or not upload.size:
        return _fallen_back(ended)
    return msgspec.structs.replace(ended, state="partial")


def refused(log: Log, number: int, reason: str, detail: str, at: datetime) -> Log:
    """Return it after an upload had to be refused on the way: nothing of it is kept, and it may be tried again."""
    ended = _end_upload(log, number, at, _UploadEnd("refused", reason, detail))
    return ended if log.is_here else _fallen_back(msgspec.structs.replace(ended, detail=detail))


def after(log: Log, now: datetime, patience: Patience) -> Log:
    """Return it after time has passed: uploads of which nothing is heard are pieces, and what never comes is given up.

    While a file is being received it is not given up.
    """
    for each in log.uploads:
        if each.state == "receiving" and now >= each.heard_at + timedelta(seconds=patience.stalled_s):
            log = broke_off(log, each.number, "stalled", now)
    if not log.is_open or _receiving(log) or now < _given_up_at(log, patience):
        return log
    if log.said_at is not None:
        return _fail(log, now, "given up", _End("failed", "not_received", "It says that it is uploaded; no file came."))
    return _fail(log, now, "given up", _End("failed", "silent", f"No file came in {patience.file_s:g} s."))


def expired(log: Log, now: datetime) -> Log:
    """Return it after its files were deleted: one that had been received is expired, of others no piece is left."""
    gone = msgspec.structs.replace(log, expires_at=None)
    if log.state == "received":
        return _step(msgspec.structs.replace(gone, state="expired"), now, "file deleted")
    pieces = tuple(msgspec.structs.replace(each, size=0) if each.has_file else each for each in log.uploads)
    return _step(msgspec.structs.replace(gone, uploads=pieces), now, "file deleted") if log.shown else gone


def due_at(log: Log, patience: Patience) -> datetime:
    """Return when `after` is to be asked next; of one that has ended: when it is to be forgotten."""
    stalled = [each.heard_at + timedelta(seconds=patience.stalled_s) for each in log.uploads if _is_receiving(each)]
    if stalled:
        return min(stalled)
    if log.ended_at is None:
        return _given_up_at(log, patience)
    return max(log.ended_at, log.expires_at or log.ended_at) + timedelta(seconds=patience.forget_s)


def is_forgotten(log: Log, now: datetime, patience: Patience) -> bool:
    """Tell whether a log is not shown any more: its file is gone, and it ended long ago."""
    return not log.is_open and log.expires_at is None and not _receiving(log) and now >= due_at(log, patience)


def link_ends_at(log: Log, patience: Patience) -> datetime:
    """Return until when a file is taken."""
    return log.give_up_at + timedelta(seconds=patience.late_s)


def _given_up_at(log: Log, patience: Patience) -> datetime:
    if log.said_at is None:
        return log.give_up_at
    return min(log.give_up_at, log.said_at + timedelta(seconds=patience.said_s))


def _is_receiving(upload: Upload) -> bool:
    return upload.state == "receiving"


def _receiving(log: Log) -> bool:
    return any(map(_is_receiving, log.uploads))


class _End(NamedTuple):
    """How a log ends."""

    state: State
    reason: Reason = ""
    detail: str = ""


class _UploadEnd(NamedTuple):
    """How an upload ends that is not complete."""

    state: UploadState
    reason: str
    detail: str = ""


def _going_on(log: Log, status: str, at: datetime) -> Log:
    """Return it after the station says that it sends the file, or has sent it; once it has, it does not any more."""
    if status not in ("Uploading", "Uploaded") or log.said_at is not None:
        return log
    going = _reopened(log)
    if status == "Uploaded":
        return msgspec.structs.replace(going, said_at=at)
    state: State = "partial" if going.state == "partial" else "uploading"
    return msgspec.structs.replace(going, state=state)


def _fail(log: Log, at: datetime, what: str, end: _End) -> Log:
    """Return it as ended without the whole file: partial, where a piece is kept."""
    return _end(log, at, what, end if log.shown is None else end._replace(state="partial"))


def _end(log: Log, at: datetime, what: str, end: _End) -> Log:
    ended = msgspec.structs.replace(log, state=end.state, reason=end.reason, detail=end.detail, ended_at=at)
    return _step(ended, at, what, end.detail)


def _reopened(log: Log) -> Log:
    """Return it as going on; one that had been given up gets no more time by it."""
    if log.is_open:
        return log
    state: State = "partial" if log.shown is not None else "accepted"
    return msgspec.structs.replace(log, state=state, reason="", detail="", ended_at=None)


def _fallen_back(log: Log) -> Log:
    """Return an open one in the state that it has without what was being received."""
    if not log.is_open or _receiving(log):
        return log
    return msgspec.structs.replace(log, state="partial" if log.shown is not None else "accepted")


def _with_upload(log: Log, number: int, change: Callable[[Upload], Upload]) -> Log:
    uploads = tuple(change(each) if each.number == number else each for each in log.uploads)
    return msgspec.structs.replace(log, uploads=uploads)


def _end_upload(log: Log, number: int, at: datetime, end: _UploadEnd) -> Log:
    """Return it after an upload ended; of one that is no piece nothing is kept."""

    def ended(upload: Upload) -> Upload:
        size = upload.size if end.state == "partial" else 0
        return msgspec.structs.replace(upload, state=end.state, reason=end.reason, ended_at=at, size=size)

    return _step(_with_upload(log, number, ended), at, f"upload {number} {end.state}", end.detail or end.reason)


def _step(log: Log, at: datetime, what: str, detail: str = "") -> Log:
    steps = (*log.steps, Step(at, what, log.state, detail))
    if len(steps) > MOST_STEPS:
        steps = (*steps[:_KEPT_FIRST], *steps[len(steps) - MOST_STEPS + _KEPT_FIRST :])
    return msgspec.structs.replace(log, steps=steps)
