"""HTTP in: logs that stations are asked for, and their files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final
from urllib.parse import quote

from chargebus_commanding import KeyReusedError
from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from chargebus_firmware.links.domain.ranges import Bytes, UnsatisfiableError, wanted_bytes
from chargebus_firmware.logs.domain.log import Kind, Log, State, Upload, Wanted
from chargebus_firmware.logs.errors import (
    EmptyIntervalError,
    LogEndedError,
    LogError,
    LookError,
    NoFileError,
    NotOfferedError,
    RangeError,
    UnknownLogError,
)
from chargebus_firmware.logs.operations.looking import Files, name_of, shown_upload
from chargebus_firmware.logs.operations.requests import Logs, Waiting
from chargebus_firmware.logs.resources import (
    LEAST_TEXT,
    MOST_TEXT,
    USUAL_TEXT,
    InsideOut,
    LogDetailOut,
    LogIn,
    LogOut,
    TextOut,
    log_detail_out,
    log_out,
)
from chargebus_firmware.logs.store.logs import Filter

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))
LOGS: Final = Listing("logs", int)

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownLogError: (404, "no such log"),
    NoFileError: (404, "no file"),
    LogEndedError: (409, "the log has ended"),
    EmptyIntervalError: (422, "no entry can be wanted"),
    NotOfferedError: (422, "not offered"),
    LookError: (409, "it cannot be looked into"),
    KeyReusedError: (422, "the idempotency key was used before"),
}
_MOST: Final = 2**63 - 1
_BYTES: Final[dict[str, Any]] = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}
_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file", **_BYTES},
    206: {"description": "The part of it that was asked for", **_BYTES},
}

LogId = Annotated[int, Path(ge=1, le=_MOST)]
UploadNumber = Annotated[
    int | None, Query(ge=1, le=_MOST, description="which upload's file or piece; absent: the log's own")
]


def router(logs: Logs, files: Files) -> APIRouter:
    """Return the routes of logs."""
    routes = APIRouter(tags=["logs"])

    @routes.post(
        "/stations/{station_id}/logs",
        summary="Ask a station for a log",
        status_code=202,
        dependencies=[OPERATOR],
        tags=["stations"],
    )
    async def ask(station_id: str, wanted: LogIn, response: Response, idempotency_key: IdempotencyKey = None) -> LogOut:
        """What becomes of it is at `Location`; a station that there is not is told there: `not_reached`."""
        what = Wanted(wanted.kind, wanted.oldest, wanted.latest, wanted.retries, wanted.retry_interval_s)
        waiting = Waiting(wanted.timeout_s, wanted.ttl_s, idempotency_key)
        with _told():
            log = await logs.ask(station_id, what, waiting, wanted.over)
        response.headers["Location"] = f"/v1/logs/{log.log_id}"
        return _out(log)

    @routes.get("/logs", summary="List logs, the newest first", dependencies=[VIEWER])
    async def list_logs(
        paging: Annotated[PageQuery, Depends()],
        station_id: Annotated[str | None, Query(description="of this station")] = None,
        kind: Annotated[Kind | None, Query(description="of this kind")] = None,
        state: Annotated[State | None, Query(description="in this state")] = None,
    ) -> Page[LogOut]:
        before = LOGS.after(paging)
        wanted = Filter(station_id, kind, state)
        found = await logs.page(wanted, _MOST if before is None else before, paging.limit + 1)
        return LOGS.page([_out(each) for each in found], paging.limit, lambda each: each.log_id)

    @routes.get("/logs/{log_id}", summary="Show a log", dependencies=[VIEWER], responses=raises(404))
    async def show(log_id: LogId) -> LogDetailOut:
        with _told():
            return _detail(await logs.find(log_id))

    @routes.post("/logs/{log_id}/cancel", summary="Give a log up", dependencies=[OPERATOR], responses=raises(404, 409))
    async def cancel(log_id: LogId) -> LogDetailOut:
        """No file of it is taken any more. Its station is not told: OCPP has no words for it."""
        with _told():
            return _detail(await logs.cancel(log_id))

    @routes.get(
        "/logs/{log_id}/content",
        summary="Download the file of a log",
        dependencies=[VIEWER],
        response_class=StreamingResponse,
        responses=_CONTENT | raises(404, 416),
    )
    async def content(
        log_id: LogId,
        upload: UploadNumber = None,
        range_: Annotated[str | None, Header(alias="Range", description="one range of bytes")] = None,
        if_range: Annotated[str | None, Header(description="the ETag of what is there: else all of it comes")] = None,
    ) -> StreamingResponse:
        """Of one that stopped half-way the largest piece; another's with `upload`."""
        with _told():
            log = await logs.find(log_id)
            shown = shown_upload(log, upload)
            headers = _headers(log, shown)
            asked = _asked(range_, shown.size) if if_range in (None, headers["ETag"]) else None
            part = asked or Bytes(0, shown.size)
            chunks = await files.content(log, shown, part.start, part.end)
        headers["Content-Length"] = str(part.end - part.start)
        if asked is None:
            return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{shown.size}"
        return StreamingResponse(chunks, 206, headers, media_type="application/octet-stream")

    @routes.get(
        "/logs/{log_id}/entries",
        summary="List what is inside of the file of a log",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def entries(log_id: LogId, upload: UploadNumber = None) -> InsideOut:
        """Of .zip, .tar, .tar.gz and .gz; any other file is its own one entry. Nothing is unpacked to a disk."""
        with _told():
            log = await logs.find(log_id)
            return InsideOut.model_validate(await files.inside(log, shown_upload(log, upload)))

    @routes.get(
        "/logs/{log_id}/text",
        summary="Show text of a log without a download",
        dependencies=[VIEWER],
        responses=raises(404, 409),
    )
    async def text(
        log_id: LogId,
        upload: UploadNumber = None,
        entry: Annotated[int, Query(ge=0, le=_MOST, description="the number of an entry, as /entries has it")] = 0,
        start: Annotated[int, Query(ge=0, le=2**31, description="the byte at which the page begins")] = 0,
        limit: Annotated[int, Query(ge=LEAST_TEXT, le=MOST_TEXT, description="how many bytes at most")] = USUAL_TEXT,
    ) -> TextOut:
        with _told():
            log = await logs.find(log_id)
            found = await files.text(log, shown_upload(log, upload), entry, start, limit)
            return TextOut.model_validate(found)

    return routes


@contextmanager
def _told() -> Iterator[None]:
    """Tell as a problem why something cannot be."""
    try:
        yield
    except RangeError as error:
        headers = {"Content-Range": f"bytes */{error.size}"}
        raise Problem(416, "no such range", str(error), headers) from error
    except (LogError, KeyReusedError) as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error


def _asked(header: str | None, size: int) -> Bytes | None:
    try:
        return wanted_bytes(header, size)
    except UnsatisfiableError as error:
        raise RangeError(size) from error


def _headers(log: Log, upload: Upload) -> dict[str, str]:
    """Return the headers of a file: it is saved, and never shown as what it says it is."""
    name = name_of(log, upload)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "log"
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox",
        "ETag": f'"{upload.sha256 or f"{log.log_id}-{upload.number}-{upload.size}"}"',
        "X-Content-Type-Options": "nosniff",
    }


def _out(log: Log) -> LogOut:
    return log_out(log, _name(log))


def _detail(log: Log) -> LogDetailOut:
    return log_detail_out(log, _name(log))


def _name(log: Log) -> str:
    return "" if log.shown is None else name_of(log, log.shown)
