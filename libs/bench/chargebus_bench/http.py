"""A bare HTTP/1.1 client on one kept connection: a full one would cost more than the call that it measures."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LENGTH = b"content-length:"


class HttpError(Exception):
    """The answer was an error, or no HTTP; the message shows it."""


class HttpConnection:
    """Posts JSON over one connection, one request after the other."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._headers = f"Host: {parts.netloc}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()

    async def post(self, path: str, body: bytes) -> bytes:
        """Post JSON and return the answer's body.

        Raises:
            HttpError: the answer is no success.
            OSError, asyncio.IncompleteReadError: the connection broke.
        """
        if self._writer is None:
            raise HttpError("not connected")
        self._writer.write(
            f"POST {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        length = next((int(line[len(_LENGTH) :]) for line in headers if line.lower().startswith(_LENGTH)), 0)
        answer = await self._reader.readexactly(length)
        if b" 20" not in status[:12]:
            raise HttpError(f"{status.decode(errors='replace')}: {answer.decode(errors='replace')[:500]}")
        return answer
