"""One request over a real socket: what comes back, and in which words nothing does."""

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from chargebus_outbound.client import Client, OutboundError
from chargebus_outbound.network import CheckedNetwork, system_resolver

LOOPBACK = (ip_network("127.0.0.1/32"),)


def client(allowed=LOOPBACK, **options):
    network = CheckedNetwork(system_resolver(1), allowed, "SOME_NETWORKS")
    usual = {"within_s": 60.0, "most_bytes": 100}
    return Client(network, ssl.create_default_context(), **(usual | options))


@asynccontextmanager
async def served(reply):
    """Serve bytes at any path; yield the URL, and what was asked."""
    asked = []

    done = []

    async def serve(reader, writer):
        ended = asyncio.Event()
        done.append(ended)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-L")), 0)
        asked.append((head, await reader.readexactly(length)))
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocsp", asked
        for each in done:
            await each.wait()


def http(body, status="200 OK", *more):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_what_is_posted_arrives_and_the_answer_comes_back_whole():
    async with served(http(b"\x01\x02", "200 OK", "Content-Type: application/ocsp-response")) as (url, asked):
        reply = await client().post(url, {"Content-Type": "application/ocsp-request"}, b"asked")

    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"\x01\x02", "application/ocsp-response")
    head, body = asked[0]
    assert head.startswith(b"POST /ocsp HTTP/1.1\r\n")
    assert b"application/ocsp-request" in head
    assert body == b"asked"


async def test_an_answer_that_is_too_long_is_given_up():
    async with served(http(b"x" * 101)) as (url, _):
        with pytest.raises(OutboundError, match="longer than 100 bytes"):
            await client().get(url, {})
    async with served(http(b"x" * 51)) as (url, _):
        with pytest.raises(OutboundError, match="longer than 50 bytes"):
            await client().post(url, {}, b"asked", 50)


async def test_who_does_not_answer_is_given_up_in_time():
    async with served(None) as (url, _):
        with pytest.raises(OutboundError, match=r"no answer within 0\.2 s"):
            await client(within_s=0.2).get(url, {})


async def test_what_is_not_public_is_not_asked_unless_it_is_allowed():
    async with served(http(b"secret")) as (url, asked):
        with pytest.raises(OutboundError, match=r"this machine.*SOME_NETWORKS"):
            await client(allowed=()).get(url, {})
    assert asked == []


async def test_a_redirect_is_an_answer_and_is_not_followed():
    async with served(http(b"", "302 Found", "Location: http://169.254.169.254/")) as (url, asked):
        assert (await client().get(url, {})).status == 302
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["ftp://example.com/crl", "http://user@example.com/", "nonsense", "http://0x7f.1/"])
async def test_a_url_that_is_none_is_refused_in_words(url):
    with pytest.raises(OutboundError, match="the URL is not one that is asked"):
        await client().get(url, {})
