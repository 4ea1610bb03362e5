"""A form that a station sends: its first file, in a stream.

Spec: RFC 7578
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from chargebus_firmware.links.domain.link import plain_name
from chargebus_firmware.links.errors import BrokenOffError
from chargebus_firmware.links.operations.purposes import Incoming

_OCTETS: Final = "application/octet-stream"
_MOST_HEADER_BYTES: Final = 16 * 1024
_MOST_BYTES_BEFORE: Final = 1024 * 1024
_BEGINS_WITHIN_S: Final = 60.0


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a form; None: it is none."""
    kind, options = parse_options_header(content_type)
    return options.get(b"boundary") if kind == b"multipart/form-data" else None


async def first_file(chunks: AsyncIterator[bytes], boundary: bytes, name: str) -> Incoming:
    """Return the first file of a form; `name` is its name if the form gives none.

    Raises:
        BrokenOffError: there is none, or none for so long.
    """
    form = _Form(chunks, boundary)
    try:
        async with asyncio.timeout(_BEGINS_WITHIN_S):
            await form.read_headers()
    except TimeoutError as error:
        raise BrokenOffError(f"No file of the form has begun within {_BEGINS_WITHIN_S:g} s.") from error
    return Incoming(plain_name(form.file_name or name), form.media_type, None, form.content())


class _Form:
    """Reads a form up to the end of its first file."""

    def __init__(self, chunks: AsyncIterator[bytes], boundary: bytes) -> None:
        self._chunks = chunks
        self._data: deque[bytes] = deque()
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._in_file = self._file_ended = False
        self._fed = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
            },
        )
        self.file_name = ""
        self.media_type = _OCTETS

    async def read_headers(self) -> None:
        """Read until the first file begins."""
        while not self._in_file and not self._file_ended:
            if self._fed > _MOST_BYTES_BEFORE:
                raise BrokenOffError("The form has too much before its file.")
            await self._feed()

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the first file, and read what comes after it."""
        while True:
            while self._data:
                yield self._data.popleft()
            if self._file_ended:
                break
            await self._feed()
        async for _ in self._chunks:
            pass

    async def _feed(self) -> None:
        chunk = await anext(self._chunks, None)
        if chunk is None:
            raise BrokenOffError("The form has no whole file.")
        self._fed += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BrokenOffError("The form cannot be read.") from error

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]
        self._bound()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bound()

    def _bound(self) -> None:
        if len(self._field) + len(self._value) > _MOST_HEADER_BYTES:
            raise BrokenOffError("The form cannot be read.")

    def _on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in options and not self._file_ended:
            self._in_file = True
            self.file_name = options[b"filename"].decode("utf-8", "replace")
            self.media_type = self._headers.get(b"content-type", b"").decode("latin-1") or _OCTETS

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._data.append(bytes(data[start:end]))

    def _on_part_end(self) -> None:
        if self._in_file:
            self._in_file, self._file_ended = False, True
