"""Connections that go where they may: a name is looked up once, and the address that was checked is connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

import httpcore

from chargebus_outbound.targets import Address, Network, refusal, refused

Resolve = Callable[[str, int], Awaitable[Collection[str]]]
"""Returns the addresses of a name; raises `UnresolvedError`."""

_CONNECT_WITHIN_S: Final = 5.0
_LOOK_UP_WITHIN_S: Final = 5.0
_MOST_ADDRESSES: Final = 3
_NOWHERE: Final = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class UnresolvedError(OSError):
    """A name has no address; `nowhere`: it does not exist, and no other try will tell anything else soon."""

    def __init__(self, host: str, *, nowhere: bool) -> None:
        told = "nobody knows that name" if nowhere else "it cannot be looked up at the moment"
        super().__init__(f"{host} has no address: {told}")
        self.nowhere = nowhere


class RefusedAddressError(OSError):
    """A name leads to where nothing may be sent."""

    def __init__(self, host: str, why: str, allowed_by: str) -> None:
        super().__init__(f"{host} leads where nothing is sent: {refused(why, allowed_by)}")


def system_resolver(threads: int = 8) -> Resolve:
    """Return what asks the system; in threads of its own, for a name server that is away holds them for long."""
    executor = ThreadPoolExecutor(threads, thread_name_prefix="looking up names")

    async def resolve(host: str, port: int) -> Collection[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOOK_UP_WITHIN_S):
                found = await loop.run_in_executor(executor, _look_up, host, port)
        except TimeoutError as error:
            raise UnresolvedError(host, nowhere=False) from error
        except socket.gaierror as error:
            raise UnresolvedError(host, nowhere=error.errno in _NOWHERE) from error
        except UnicodeError as error:  # the name is none that may be asked for
            raise UnresolvedError(host, nowhere=True) from error
        return list(dict.fromkeys(found))

    return resolve


def _look_up(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of a name after each was checked; what TLS and `Host` say is still the name.

    Args:
        resolve: looks names up, once for each connection: what it would answer another time is never asked.
        allowed: networks that are allowed though they are not public.
        allowed_by: the setting that names these, for who is refused.
    """

    def __init__(self, resolve: Resolve, allowed: Iterable[Network], allowed_by: str) -> None:
        self._resolve = resolve
        self._allowed = tuple(allowed)
        self._allowed_by = allowed_by
        self._inner = httpcore.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name, all of them allowed.

        Raises:
            UnresolvedError: it has none.
            RefusedAddressError: one of them is not.
        """
        try:
            literal = ip_address(host)
        except ValueError:
            found = [ip_address(each) for each in await self._resolve(host, port)]
        else:
            found = [literal]
        if not found:
            raise UnresolvedError(host, nowhere=True)
        for address in found:
            if why := refusal(address, self._allowed):
                raise RefusedAddressError(host, why, self._allowed_by)
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of its addresses that answers."""
        within_s = min(timeout or _CONNECT_WITHIN_S, _CONNECT_WITHIN_S)
        *others, last = (await self.addresses(host, port))[:_MOST_ADDRESSES]
        for address in others:
            try:
                return await self._inner.connect_tcp(str(address), port, within_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(last), port, within_s, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
