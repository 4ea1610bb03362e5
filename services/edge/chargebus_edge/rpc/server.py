"""The WebSockets that stations connect to, and the handshake that makes a connection of one."""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from chargebus_runtime.process import PortTakenError
from chargebus_runtime.secrets import fingerprint
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from chargebus_edge.counts import Counts
from chargebus_edge.door import handshake
from chargebus_edge.door.admission import Admission, Admitted, OpeningRequest
from chargebus_edge.door.handshake import Speech
from chargebus_edge.door.registry import Terms
from chargebus_edge.log.stations import Station
from chargebus_edge.rpc.connection import OcppConnection
from chargebus_edge.rpc.sockets import Socket
from chargebus_edge.rpc.websocket import CLOSE_TIMEOUT_S, StationSocket

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S: Final = 15.0
BACKLOG: Final = 4096  # a fleet that comes back at once queues here, as far as the system lets it
UNREACHABLE_AFTER_MS: Final = 45_000  # a ping that no TCP acknowledged: the station is gone, pongs or not
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)

Connect = Callable[[Station, Terms, Socket], OcppConnection]


@dataclass(frozen=True)
class ServerParts:
    """What a server needs; `connect` makes the connection of a station and its socket, `opened` begins it."""

    host: str
    port: int
    max_frame_bytes: int
    admission: Admission
    connect: Connect
    opened: Callable[[OcppConnection], None]
    counts: Counts


class StationServer:
    """Accepts stations over plain WebSockets (security profile 1)."""

    def __init__(self, parts: ServerParts) -> None:
        self._parts = parts
        self._admitted: dict[ServerConnection, Admitted] = {}
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return cast(int, self._server.sockets[0].getsockname()[1]) if self._server is not None else self._parts.port

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTakenError: the port is in use.
        """
        parts = self._parts
        _allow_many_sockets()
        try:
            self._server = await serve(
                self._handle,
                sock=_bind(parts.host, parts.port),
                backlog=BACKLOG,
                create_connection=StationSocket,
                process_request=self._process_request,
                process_response=self._process_response,
                compression=None,  # frames are small, and its memory would be most of a connection's
                server_header=None,
                open_timeout=HANDSHAKE_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=None,  # the timer pings
                max_size=parts.max_frame_bytes,
                logger=_quiet_logger(),
            )
        except OSError as error:
            raise PortTakenError(
                f"OCPP port {parts.port} on {parts.host} cannot be used ({error.strerror}); set EDGE_PORT"
            ) from error
        log.info("listening for stations on ws://%s:%d/%s/", parts.host, self.port, handshake.PREFIX)

    async def stop(self) -> None:
        """Stop listening and wait until the sockets are closed."""
        if self._server is None:
            return
        self._server.close()
        try:
            await asyncio.wait_for(self._server.wait_closed(), CLOSE_TIMEOUT_S + 1)
        except TimeoutError:
            log.warning("some sockets did not close in time")

    async def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        if handshake.wants_websocket(headers.get_all("Upgrade"), headers.get_all("Connection")):
            headers["Connection"] = "Upgrade"
        protocols = headers.get_all("Sec-WebSocket-Protocol")
        if protocols:  # read here, and leniently: an empty one is none
            del headers["Sec-WebSocket-Protocol"]
        admitted = await self._parts.admission.admit(
            OpeningRequest(request.path, headers.get_all("Authorization"), protocols)
        )
        if isinstance(admitted, Admitted):
            self._admitted[socket] = admitted
            return None
        self._parts.counts.refuse_handshake(admitted.reason, f"{request.path} from {_address(socket)}")
        response = socket.respond(admitted.status, f"{admitted.status.phrase}\n")
        for name, value in admitted.headers:
            response.headers[name] = value
        return response

    def _process_response(self, socket: ServerConnection, request: Request, response: Response) -> None:
        admitted = self._admitted.pop(socket, None)
        if admitted is None or not isinstance(socket, StationSocket):
            return
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._parts.counts.refuse_handshake("not a WebSocket", f"{request.path} from {_address(socket)}")
        elif admitted.speech is None:
            self._parts.counts.refuse_handshake("no subprotocol", f"{request.path} from {_address(socket)}")
        else:
            self._begin(socket, admitted, admitted.speech, response)

    def _begin(self, socket: StationSocket, admitted: Admitted, speech: Speech, response: Response) -> None:
        if speech.subprotocol:
            response.headers["Sec-WebSocket-Protocol"] = speech.subprotocol
            socket.speak(speech.subprotocol)
        for deviation in admitted.deviations:
            self._parts.counts.note("near_miss", admitted.station_id, deviation)
        station = Station(
            admitted.station_id,
            speech.version,
            admitted.terms.security_profile,
            _address(socket),
            fingerprint(admitted.stored),
            admitted.deviations,
        )
        socket.owner = self._parts.connect(station, admitted.terms, socket)

    async def _handle(self, socket: ServerConnection) -> None:
        """Serve one socket until it is gone.

        Spec: OCPP-J 1.6 3.2; OCPP 2.0.1 Part 4, 3.1.2 (no subprotocol in common: complete the handshake, then close)
        """
        connection = socket.owner if isinstance(socket, StationSocket) else None
        if not isinstance(socket, StationSocket) or not isinstance(connection, OcppConnection):
            await socket.close(CloseCode.PROTOCOL_ERROR, "no OCPP subprotocol in common")
            return
        socket.forget_handshake()
        if not connection.ended:
            self._parts.opened(connection)
            await socket.wait_closed()


def _address(socket: ServerConnection) -> str:
    address = socket.remote_address
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else ""


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    if _USER_TIMEOUT is not None:  # accepted sockets inherit it
        listening.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNREACHABLE_AFTER_MS)
    return listening


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("chargebus_edge.sockets")
    logger.setLevel(logging.WARNING)  # two lines for each connection would be most of the log
    return logger


def _allow_many_sockets() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
