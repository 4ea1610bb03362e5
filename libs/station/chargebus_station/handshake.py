"""Opening the station's WebSocket: identity in the URL, Basic credentials, one subprotocol."""

import base64
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from chargebus_station.config import Network, Tls


class ConnectError(Exception):
    """The CSMS could not be reached, or did not want this station.

    Attributes:
        status: of the HTTP answer, if there was one.
        retry_after_s: how long the CSMS asked to be left alone.
    """

    def __init__(self, reason: str, status: int | None = None, retry_after_s: float = 0.0) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(reason)


@dataclass(frozen=True)
class ConnectTarget:
    """Where to connect, as whom."""

    address: str
    station_id: str
    password: str
    subprotocol: str
    tls: Tls | None = None


async def open_websocket(to: ConnectTarget, network: Network) -> ClientConnection:
    """Return an open socket that speaks the subprotocol.

    Raises:
        ConnectError: and nothing else.

    Spec: OCPP-J 1.6 3.1, security white paper 3.4 to 3.6; OCPP 2.0.1 Part 4, 3.1, A00.FR.203 to FR.205, FR.401
    """
    try:
        socket = await connect(
            to.address,
            subprotocols=[Subprotocol(to.subprotocol)],
            additional_headers=_credentials(to),
            compression=None,
            proxy=None,
            open_timeout=network.open_timeout_s,
            ping_interval=network.ping_interval_s,
            close_timeout=1.0,
            **_tls(to),
        )
    except InvalidStatus as error:
        response = error.response
        raise ConnectError(str(error), response.status_code, _seconds(response.headers.get("Retry-After"))) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise ConnectError(f"{type(error).__name__}: {error}") from error
    if socket.subprotocol != to.subprotocol:
        await socket.close()
        message = f"the CSMS does not speak {to.subprotocol}"
        raise ConnectError(message)
    return socket


def _tls(to: ConnectTarget) -> dict[str, Any]:
    return {} if to.tls is None else {"ssl": to.tls.context()}


def _credentials(to: ConnectTarget) -> dict[str, str]:
    if not to.password:
        return {}
    pair = f"{to.station_id}:{to.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0.0
