"""What lies around the app: measuring, HEAD, and how large a body may be."""

import contextlib
import re
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException
from opentelemetry import trace as otel_trace
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chargebus_runtime.telemetry import Tracing, metrics

MAX_BODY_BYTES: Final = 4 * 1024 * 1024


class Measured:
    """Measures how long each call took, and traces some."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)  # what an exception becomes further out

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with _span(self._tracing, scope):
                await self._app(scope, receive, noted)
        finally:
            attributes = {"route": getattr(scope.get("route"), "path", ""), "method": scope["method"], "status": status}
            metrics().http_duration.record(time.monotonic() - started, attributes)


@contextlib.contextmanager
def _span(tracing: Tracing, scope: Scope) -> Iterator[None]:
    if not tracing.enabled:
        yield
        return
    span = tracing.start(f"{scope['method']} {scope['path']}", **{"http.request.method": scope["method"]})
    with otel_trace.use_span(span, end_on_exit=True):
        yield


class HeadAsGet:
    """Answers HEAD as GET would, without the body.

    Spec: RFC 9110 9.3.2
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


_SLASH_INSIDE: Final = "\ufdd0"  # no character: nobody's name has it
_ENCODED_SLASH: Final = re.compile(rb"%2[Ff]")


class SlashesInside:
    """Keeps an encoded slash (%2F) within its part of the path, where ASGI's decoded path would part it there.

    Spec: RFC 3986 2.2 (a reserved character and its encoded form differ)
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and _ENCODED_SLASH.search(raw):
            path = unquote_to_bytes(_ENCODED_SLASH.sub(_SLASH_INSIDE.encode(), raw.partition(b"?")[0]))
            scope = {**scope, "path": path.decode("utf-8", "replace")}
        await self._app(scope, receive, send)


def has_slash_inside(path: str) -> bool:
    """Tell whether `SlashesInside` kept a slash in a path."""
    return _SLASH_INSIDE in path


def restore_slashes(scope: Scope) -> None:
    """Give the parameters of a path the slashes that `SlashesInside` kept in them."""
    parameters: dict[str, object] = scope["path_params"]
    for name, value in parameters.items():
        if isinstance(value, str) and _SLASH_INSIDE in value:
            parameters[name] = value.replace(_SLASH_INSIDE, "/")


UNBOUNDED: Final = "chargebus.unbounded_body"
"""Set in the scope by a route that takes its body in a stream."""


class BoundedBody:
    """Refuses a body of more than `MAX_BODY_BYTES` before it is read, where a route reads it as a whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        read = int(announced) if announced.isdecimal() else 0  # as large as announced, or as what came of it

        async def bounded() -> Message:
            nonlocal read, announced
            if scope.get(UNBOUNDED):
                return await receive()
            if read > MAX_BODY_BYTES:
                raise _too_large()
            message = await receive()
            if not announced and message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > MAX_BODY_BYTES:
                    raise _too_large()
            return message

        await self._app(scope, bounded, send)


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body may have {MAX_BODY_BYTES} bytes at most; send it in several calls.")
