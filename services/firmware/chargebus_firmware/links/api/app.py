"""HTTP for stations: what their links give and take, without any other key than the link.

Spec: RFC 9110 (GET and HEAD with ranges, PUT, POST), RFC 7578 (multipart/form-data)
"""

import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from chargebus_objects import NoRoomError, NoSuchObjectError, TooLargeError
from chargebus_runtime.away import MAYBE_AWAY, is_away
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from chargebus_firmware.links.api.multipart import boundary_of, first_file
from chargebus_firmware.links.domain.link import Link, plain_name, token_of
from chargebus_firmware.links.domain.ranges import Bytes, UnsatisfiableError, wanted_bytes
from chargebus_firmware.links.errors import (
    BrokenOffError,
    EndedLinkError,
    LinkError,
    RefusedTransferError,
    TooManyTransfersError,
    UnknownLinkError,
)
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.links.operations.purposes import Content, Incoming, Purposes
from chargebus_firmware.links.operations.transfers import Transfer, Transfers
from chargebus_firmware.metrics import Metrics

log = logging.getLogger(__name__)

_ALLOWED: Final = {"Allow": "GET, HEAD, OPTIONS, POST, PUT"}
_LATER: Final = {"Retry-After": "30"}
_STATUSES: Final[dict[type[Exception], HTTPStatus]] = {
    UnknownLinkError: HTTPStatus.NOT_FOUND,
    EndedLinkError: HTTPStatus.GONE,
    RefusedTransferError: HTTPStatus.CONFLICT,
    BrokenOffError: HTTPStatus.BAD_REQUEST,
    TooManyTransfersError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NoRoomError: HTTPStatus.INSUFFICIENT_STORAGE,
    NoSuchObjectError: HTTPStatus.GONE,
}


class FilesApp:
    """The ASGI app of links: `/files/{token}/{name}`, whatever the name."""

    def __init__(self, links: Links, purposes: Purposes, transfers: Transfers, metrics: Metrics) -> None:
        self._links = links
        self._purposes = purposes
        self._transfers = transfers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if request.method == "OPTIONS":
            response: Response = Response(status_code=HTTPStatus.NO_CONTENT, headers=_ALLOWED)
        elif request.method not in ("GET", "HEAD", "PUT", "POST"):
            response = PlainTextResponse("method not allowed\n", HTTPStatus.METHOD_NOT_ALLOWED, _ALLOWED)
        else:
            await self._transfer(request, scope, receive, send)
            return
        await response(scope, receive, send)

    async def _transfer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        link: Link | None = None
        sending = _Sending(send)
        try:
            link = await self._links.find(token_of(request.url.path) or "")
            with self._transfers.one(link) as transfer:
                try:
                    response = await self._answer(request, link, transfer)
                    await response(scope, receive, sending)
                finally:
                    self._metrics.transferred.add(transfer.count, {"purpose": link.purpose})
        except (LinkError, TooLargeError, NoRoomError, NoSuchObjectError) as error:
            refusal = _refusal(error)
        except MAYBE_AWAY as error:
            if not is_away(error):
                raise
            log.warning("a transfer failed, as a server does not answer: %r", error)
            refusal = PlainTextResponse("not available\n", HTTPStatus.SERVICE_UNAVAILABLE, _LATER)
        else:
            return
        if sending.begun:
            raise BrokenOffError("A transfer breaks off: what is sent is all that there was.")  # closes the connection
        purpose = "" if link is None else link.purpose
        self._metrics.refused_transfers.add(1, {"purpose": purpose, "status": refusal.status_code})
        await refusal(scope, receive, send)

    async def _answer(self, request: Request, link: Link, transfer: Transfer) -> Response:
        purpose = self._purposes[link.purpose]
        if request.method in ("GET", "HEAD"):
            return await _given(request, link, await purpose.content(link), transfer)
        incoming = await _incoming(request, transfer)
        await purpose.receive(link, incoming)
        return PlainTextResponse("kept\n", HTTPStatus.CREATED)


class _Sending:
    """Knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        """Send."""
        self.begun = True
        await self._send(message)


async def _given(request: Request, link: Link, content: Content, transfer: Transfer) -> Response:
    etag = f'"{content.etag}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Disposition": f'attachment; filename="{link.name.encode("ascii", "replace").decode()}"',
        "ETag": etag,
    }
    if request.headers.get("if-none-match") in (etag, "*"):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    same = request.headers.get("if-range", etag) == etag
    try:
        asked = wanted_bytes(request.headers.get("range"), content.size) if same else None
    except UnsatisfiableError:
        unsatisfiable = {**headers, "Content-Range": f"bytes */{content.size}"}
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfiable)
    part = asked or Bytes(0, content.size)
    headers["Content-Length"] = str(part.end - part.start)
    status = HTTPStatus.OK
    if asked is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{content.size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=content.media_type)
    # The first bytes before the status: where there are none, it can still be told.
    chunks = await _begun(transfer.paced(content.read(part.start, part.end)))
    return StreamingResponse(chunks, status, headers, content.media_type)


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    first = await anext(chunks, b"")

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_it()


async def _incoming(request: Request, transfer: Transfer) -> Incoming:
    """Return what a request brings: its body, or the first file of a form.

    Raises:
        BrokenOffError: it is a form without any file.
    """
    name = plain_name(request.url.path.rpartition("/")[2])
    media_type = request.headers.get("content-type", "application/octet-stream")
    chunks = transfer.paced(_body(request))
    if (boundary := boundary_of(media_type)) is not None:
        return await first_file(chunks, boundary, name)
    announced = request.headers.get("content-length", "")
    return Incoming(name, media_type, int(announced) if announced.isdecimal() else None, chunks)


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise BrokenOffError("It broke off.") from error


def _refusal(error: Exception) -> Response:
    status = _STATUSES[type(error)]
    headers = _LATER if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    told = f"{error}\n" if isinstance(error, (RefusedTransferError, TooLargeError)) else f"{status.phrase.lower()}\n"
    return PlainTextResponse(told, status, headers)
