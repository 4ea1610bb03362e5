"""The bare HTTP client of the command scenarios."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from chargebus_bench.http import HttpConnection, HttpError


class Server:
    """Answers each POST with the next of its answers, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self.connections = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for answer in self.answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(answer)
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    answering = Server()
    async with await asyncio.start_server(answering.handle, "127.0.0.1", 0) as listening:
        yield answering, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nserver: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_requests_share_a_connection_and_present_the_key(server) -> None:
    answering, url = server
    answering.answers = [answer("200 OK", b'{"a":1}'), answer("202 Accepted", b"{}")]
    async with HttpConnection(url, "the-key") as connection:
        bodies = [await connection.post("/v1/x", b'{"q":1}'), await connection.post("/v1/y", b"{}")]
    assert bodies == [b'{"a":1}', b"{}"]
    assert answering.connections == 1
    assert answering.requests[0].startswith(b"POST /v1/x HTTP/1.1\r\n")
    assert b"X-API-Key: the-key\r\n" in answering.requests[0]
    assert answering.requests[0].endswith(b'\r\n\r\n{"q":1}')


async def test_an_error_is_raised_with_what_the_server_said(server) -> None:
    answering, url = server
    answering.answers = [answer("422 Unprocessable", b'{"title":"no"}')]
    async with HttpConnection(url, "k") as connection:
        with pytest.raises(HttpError, match=r'422 Unprocessable: \{"title":"no"\}'):
            await connection.post("/v1/x", b"{}")


async def test_a_connection_must_be_open() -> None:
    with pytest.raises(HttpError, match="not connected"):
        await HttpConnection("http://127.0.0.1:1", "k").post("/", b"")
