"""A raw station: an identity, a password and, one after the other or several at once, its sockets."""

import asyncio
import base64
import itertools
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from chargebus_ocppj.versions import SUBPROTOCOLS, Version
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.socket import Frame, Json, RawSocket, RefusedError, SocketClosedError

_SUBPROTOCOL: Final = {version: name for name, version in SUBPROTOCOLS.items()}
_BOOTS: Final[Mapping[Version, Any]] = {"1.6": v16.boot, "2.0.1": v201.boot, "2.1": v201.boot}


class RawStation:
    """A station whose every word is a test's.

    What it says goes over its newest socket; older ones stay open until the CSMS closes them. `replies` are the
    payloads with which it answers calls of the CSMS, by action, or errors; a test may change them at any time.

    Args:
        ocpp_url: where the edge is, without the identity.
        station_id: must be registered; it may hold anything that an identity may.
        password: for Basic authentication.
        version: which subprotocol it offers.
    """

    def __init__(self, ocpp_url: str, station_id: str, password: str, version: Version) -> None:
        self.station_id = station_id
        self.password = password
        self.version = version
        self.replies: dict[str, Json | RefusedError] = {}
        self._ocpp_url = ocpp_url
        self._sockets: list[RawSocket] = []
        self._ids = itertools.count(1)

    @property
    def socket(self) -> RawSocket:
        """The newest socket."""
        return self._sockets[-1]

    async def connect(self, subprotocols: tuple[str, ...] | None = None, **headers: str) -> RawSocket:
        """Open a socket beside those that are open.

        Args:
            subprotocols: to offer, by default that of the version; empty for none.
            headers: of the handshake beside or instead of Authorization, with `_` for `-`.

        Raises:
            InvalidStatus: the edge refused.
        """
        offered = (_SUBPROTOCOL[self.version],) if subprotocols is None else subprotocols
        sent = {"Authorization": self.authorization, **{name.replace("_", "-"): text for name, text in headers.items()}}
        connection = await connect(
            f"{self._ocpp_url}/{quote(self.station_id, safe='')}",
            subprotocols=[Subprotocol(name) for name in offered] or None,
            additional_headers=sent,
            compression=None,
            max_size=None,
            ping_interval=None,
        )
        self._sockets.append(RawSocket(connection, self.replies))
        return self.socket

    async def boot(self, **more: object) -> Json:
        """Send a BootNotification; `more` are members of it."""
        return await self.call("BootNotification", _BOOTS[self.version](**more))

    async def call(self, action: str, payload: object, message_id: str | None = None) -> Json:
        """Send a CALL, by default with an id of its own, and return the payload of its answer.

        Raises:
            RefusedError: it was answered with a CALLERROR.
            SocketClosedError: the socket was closed instead.
        """
        return await self.socket.call(message_id or f"m{next(self._ids)}", action, payload)

    async def send(self, text: str | bytes) -> None:
        """Send a text frame as it stands."""
        await self.socket.send(text)

    async def receive(self) -> Frame:
        """Return the next frame that does not answer `call`."""
        return await self.socket.receive()

    async def asked(self, action: str) -> Json:
        """Return the payload of the next call of the CSMS with that action."""
        return await self.socket.asked(action)

    async def closed(self) -> SocketClosedError:
        """Wait until the CSMS has closed the newest socket, and tell how."""
        return await self.socket.closed()

    async def disconnect(self) -> None:
        """Close the newest socket."""
        await self.socket.close()

    async def cut(self) -> None:
        """Break the newest socket without a word."""
        await self.socket.cut()

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.station_id}:{self.password}".encode()).decode()

    async def __aenter__(self) -> Self:
        """Return the station; it is not connected yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all its sockets."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))
