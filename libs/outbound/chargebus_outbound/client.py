"""One request to an address that somebody named: bounded in time and size, no redirects, nothing kept open."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping

import httpcore
import msgspec

from chargebus_outbound.network import CheckedNetwork
from chargebus_outbound.targets import Target, UnfitUrlError, target


class OutboundError(Exception):
    """No answer came of a request; the message says why, in words for an operator."""


class Reply(msgspec.Struct, frozen=True):
    """What was answered; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Asks by HTTP; a connection of its own for each request.

    Args:
        network: where connections may go.
        tls: what https is spoken with.
        within_s: how long a request may take in all.
        most_bytes: how long an answer may be.
    """

    def __init__(self, network: CheckedNetwork, tls: ssl.SSLContext, *, within_s: float, most_bytes: int) -> None:
        self._network = network
        self._tls = tls
        self._within_s = within_s
        self._most_bytes = most_bytes

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return what a URL answers to GET; http is allowed.

        Raises:
            OutboundError: nothing came of it.
        """
        return await self._ask("GET", url, headers, b"", self._most_bytes)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, most_bytes: int | None = None) -> Reply:
        """Return what a URL answers to a POST of `body`; http is allowed, and an answer of `most_bytes`, if given.

        Raises:
            OutboundError: nothing came of it.
        """
        return await self._ask(
            "POST", url, {**headers, "Content-Length": str(len(body))}, body, most_bytes or self._most_bytes
        )

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes, most: int) -> Reply:
        try:
            where = target(url, plain=True)
            async with asyncio.timeout(self._within_s):
                return await self._exchange(method, where, headers, body, most)
        except UnfitUrlError as error:
            raise OutboundError(f"the URL is not one that is asked: {error}") from error
        except TimeoutError as error:
            raise OutboundError(f"no answer within {self._within_s:.3g} s") from error
        except httpcore.TimeoutException as error:
            raise OutboundError("no connection within 5 s") from error
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OutboundError(_printable(str(error) or type(error).__name__)) from error

    async def _exchange(self, method: str, where: Target, headers: Mapping[str, str], body: bytes, most: int) -> Reply:
        sent = {"Host": where.authority, "User-Agent": "chargebus", **headers}
        url = httpcore.URL(
            scheme=where.scheme.encode(), host=where.host.encode(), port=where.port, target=where.path.encode()
        )
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._network) as pool,
            pool.stream(method, url, headers=list(sent.items()), content=body) as response,
        ):
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Reply(response.status, told, await _whole(response.aiter_stream(), most))


async def _whole(stream: AsyncIterator[bytes], most: int) -> bytes:
    read = bytearray()
    async with contextlib.aclosing(stream) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            read += chunk
            if len(read) > most:
                raise OutboundError(f"the answer is longer than {most} bytes")
    return bytes(read)


def _printable(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:500]
