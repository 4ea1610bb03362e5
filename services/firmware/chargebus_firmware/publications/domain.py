"""One publication of firmware by a local controller: what it is known to have done so far, and what came of it. Pure.

What the controller says moves it forwards only: statuses are skipped, repeated, late.

Spec: OCPP 2.0.1 L03 (publish), L04 (unpublish)
"""

from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from chargebus_firmware.links.domain.link import Transport

State: TypeAlias = Literal[
    "requested",
    "accepted",
    "download_scheduled",
    "downloading",
    "downloaded",
    "checksum_verified",
    "published",
    "unpublishing",
    "unpublished",
    "failed",
]
Reason: TypeAlias = Literal[
    "",
    "not_reached",
    "not_supported",
    "refused",
    "rejected",
    "no_answer",
    "download_failed",
    "invalid_checksum",
    "publish_failed",
    "silent",
]

PUBLICATION: Final = "publication"
"""The purpose of links by which local controllers fetch images."""

STATES: Final[tuple[State, ...]] = State.__args__  # type: ignore[attr-defined]
STEPS_KEPT: Final = 50
_RANK: Final = {state: rank for rank, state in enumerate(STATES)}
_PROGRESS: Final[dict[str, State]] = {
    "DownloadScheduled": "download_scheduled",
    "Downloading": "downloading",
    "DownloadPaused": "downloading",
    "Downloaded": "downloaded",
    "ChecksumVerified": "checksum_verified",
    "Published": "published",
}
_FAILURES: Final[dict[str, Reason]] = {
    "DownloadFailed": "download_failed",
    "InvalidChecksum": "invalid_checksum",
    "PublishFailed": "publish_failed",
}
_UNSUPPORTED: Final = frozenset({"NotSupported", "NotImplemented"})


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was told or done, and the state after it."""

    at: datetime
    what: str
    state: str
    detail: str = ""


class PublicationWanted(msgspec.Struct, frozen=True):
    """A file that a local controller is to publish, with its MD5: an image of ours, or where it lies elsewhere.

    `over`: how an image that is kept here is fetched.
    """

    station_id: str
    url: str = ""
    checksum: str = ""
    image_id: str = ""
    over: Transport = "http"
    version: str = ""
    retries: int | None = None
    retry_interval_s: int | None = None


class Publication(msgspec.Struct, frozen=True, omit_defaults=True):
    """A publication as it is known.

    Attributes:
        station_id: the local controller.
        request_id: by which it tells of it; later ones are larger.
        url, checksum: where it fetches the file, and the MD5 of that, in hexadecimal digits; an empty URL is a link.
        locations: where the stations behind it find the file, once it is published.
        heard_at: when anything was heard of it last.
        asked_again_at: when it was asked how it is.
    """

    publication_id: UUID
    station_id: str
    request_id: int
    url: str
    checksum: str
    created_at: datetime
    version: str = ""
    image_id: str = ""
    retries: int | None = None
    retry_interval_s: int | None = None
    state: State = "requested"
    reason: Reason = ""
    detail: str = ""
    locations: tuple[str, ...] = ()
    heard_at: datetime | None = None
    asked_again_at: datetime | None = None
    history: tuple[Step, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether it is not known yet whether it will be published."""
        return _RANK[self.state] < _RANK["published"]

    @property
    def may_be_fetched(self) -> bool:
        """Whether the controller may still fetch the file: also after a failure from which it may go on by itself."""
        return self.is_under_way or self.reason in ("download_failed", "silent")

    @property
    def is_there(self) -> bool:
        """Whether the controller may have the file, or is about to: then it is not asked for the same again."""
        return self.state not in ("unpublished", "failed")


def answered(publication: Publication, status: str, at: datetime, detail: str) -> Publication:
    """Return it after the controller's answer to PublishFirmware."""
    said = f"answered {status}".strip()
    if publication.state != "requested":
        return _noted(publication, at, said, detail)
    if status.lower() == "rejected":
        return _noted(_failed(publication, "rejected", detail), at, said, detail)
    return _noted(_heard(msgspec.structs.replace(publication, state="accepted"), at), at, said, detail)


def not_answered(publication: Publication, outcome: str, code: str, at: datetime, detail: str) -> Publication:
    """Return it after there was no answer: `refused`, `undeliverable`, `expired`; one that timed out may be at work."""
    if publication.state != "requested" or outcome == "timed_out":
        return _noted(publication, at, outcome, detail)
    reason: Reason = "not_reached"
    if outcome == "refused":
        reason = "not_supported" if code in _UNSUPPORTED else "refused"
    return _noted(_failed(publication, reason, detail), at, outcome, detail)


def told(publication: Publication, status: str, locations: tuple[str, ...], at: datetime) -> Publication:
    """Return it after a status that is of it. One that had failed goes on where the controller says Published."""
    heard = _heard(publication, at)
    if status in _FAILURES and publication.is_under_way:
        return _noted(_failed(heard, _FAILURES[status], ""), at, status)
    state = _PROGRESS.get(status)
    is_late = state is None or not (
        publication.is_under_way or (publication.state == "failed" and status == "Published")
    )
    if state is None or is_late or (publication.is_under_way and _RANK[state] <= _RANK[publication.state]):
        return _noted(heard, at, status)
    moved = msgspec.structs.replace(heard, state=state, reason="", detail="", locations=locations or heard.locations)
    return _noted(moved, at, status)


def to_unpublish(publication: Publication, at: datetime) -> Publication:
    """Return it after the controller was asked to take the file away."""
    return _noted(msgspec.structs.replace(publication, state="unpublishing"), at, "asked to unpublish")


def unpublish_answered(publication: Publication, status: str, at: datetime, detail: str) -> Publication:
    """Return it after the answer to UnpublishFirmware; an empty status is none: the file may still be there.

    Spec: UnpublishFirmwareStatusEnumType: DownloadOngoing, NoFirmware, Unpublished
    """
    if publication.state != "unpublishing":
        return publication
    state: State = "unpublished" if status.lower() in ("unpublished", "nofirmware") else "published"
    return _noted(msgspec.structs.replace(publication, state=state), at, f"answered {status or 'nothing'}", detail)


def probed(publication: Publication, at: datetime) -> Publication:
    """Return it after the controller was asked how it is."""
    return _noted(msgspec.structs.replace(publication, asked_again_at=at), at, "asked for its status")


def look_at(publication: Publication, silent_s: float) -> datetime | None:
    """Return when something is to be done about it next; None: never."""
    if not publication.is_under_way:
        return None
    return _since(publication) + timedelta(seconds=silent_s / (1 if publication.asked_again_at else 2))


def is_to_ask(publication: Publication, now: datetime, silent_s: float) -> bool:
    """Tell whether the controller is to be asked how it is."""
    due = look_at(publication, silent_s)
    return publication.asked_again_at is None and due is not None and now >= due


def after(publication: Publication, now: datetime, silent_s: float) -> Publication:
    """Return it after time has passed."""
    if not publication.is_under_way or now < _since(publication) + timedelta(seconds=silent_s):
        return publication
    detail = f"Nothing was heard of it after {publication.state}."
    return _noted(_failed(publication, "silent", detail), now, "given up", detail)


def asked(publication: Publication, at: datetime) -> Publication:
    """Return it after the controller was asked to publish."""
    return _noted(publication, at, "asked")


def _failed(publication: Publication, reason: Reason, detail: str) -> Publication:
    return msgspec.structs.replace(publication, state="failed", reason=reason, detail=detail)


def _heard(publication: Publication, at: datetime) -> Publication:
    known = publication.heard_at
    return msgspec.structs.replace(publication, heard_at=at if known is None else max(known, at))


def _since(publication: Publication) -> datetime:
    return publication.heard_at or publication.created_at


def _noted(publication: Publication, at: datetime, what: str, detail: str = "") -> Publication:
    steps = (*publication.history, Step(at, what, publication.state, detail))[-STEPS_KEPT:]
    return msgspec.structs.replace(publication, history=steps)
