"""The WebSockets that stations connect to, and the handshake that makes a connection of one."""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

from chargebus_runtime.process import PortTakenError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from chargebus_edge.counts import Counts
from chargebus_edge.door import certificates, forwarded, handshake
from chargebus_edge.door.admission import Admission, Admitted, OpeningRequest
from chargebus_edge.door.certificates import ClientCertificate
from chargebus_edge.door.forwarded import Forwarding
from chargebus_edge.door.handshake import Speech, Unspoken
from chargebus_edge.door.registry import Terms
from chargebus_edge.log.stations import Station
from chargebus_edge.rpc.compression import is_offer
from chargebus_edge.rpc.connection import OcppConnection
from chargebus_edge.rpc.sockets import Socket
from chargebus_edge.rpc.websocket import CLOSE_TIMEOUT_S, StationSocket, listen_by
from chargebus_edge.tls import peers
from chargebus_edge.tls.acceptor import Acceptor, AcceptorParts, Make
from chargebus_edge.tls.arrival import Arrival

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S: Final = 15.0
BACKLOG: Final = 4096  # a fleet that comes back at once queues here, as far as the system lets it
UNREACHABLE_AFTER_MS: Final = 45_000  # a ping that no TCP acknowledged: the station is gone, pongs or not
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)

Connect = Callable[[Station, Terms, Socket], OcppConnection]
Refused = Callable[[str, str, str], None]
"""Takes why an opening request was refused, its target, and whose it is."""
Speechless = Callable[[str, Unspoken], None]
"""Takes the station with which nothing is spoken, and why."""


@dataclass(frozen=True)
class Listen:
    """Where stations connect, and how: plainly, or as an acceptor of ours has it; `setting` names the port's."""

    host: str
    port: int
    setting: str = "EDGE_PORT"
    accepted: AcceptorParts | None = None

    @property
    def scheme(self) -> str:
        """What stands before an address of this listener."""
        return "wss" if self.accepted is not None and self.accepted.context is not None else "ws"


@dataclass(frozen=True)
class ServerParts:
    """What a server needs; `connect` makes the connection of a station and its socket, `opened` begins it.

    `compress`: messages are compressed with stations that offer it.
    """

    listen: Sequence[Listen]
    max_frame_bytes: int
    admission: Admission
    connect: Connect
    opened: Callable[[OcppConnection], None]
    counts: Counts
    refused: Refused
    speechless: Speechless
    forwarding: Forwarding = field(default_factory=Forwarding)
    compress: bool = False


class StationServer:
    """Accepts stations over WebSockets: plain ones, such with TLS, or both."""

    def __init__(self, parts: ServerParts) -> None:
        self._parts = parts
        self._admitted: dict[ServerConnection, Admitted] = {}
        self._servers: dict[Listen, Server] = {}

    @property
    def port(self) -> int:
        """The first port that is listened on."""
        return self.port_of(self._parts.listen[0].scheme)

    def port_of(self, scheme: str) -> int:
        """Return the port that is listened on for `ws` or `wss`."""
        listen = next(listen for listen in self._parts.listen if listen.scheme == scheme)
        server = self._servers.get(listen)
        return cast(int, server.sockets[0].getsockname()[1]) if server is not None else listen.port

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTakenError: a port is in use.
        """
        _allow_many_sockets()
        for listen in self._parts.listen:
            try:
                self._servers[listen] = await self._serve(listen)
            except OSError as error:
                raise PortTakenError(
                    f"OCPP port {listen.port} on {listen.host} cannot be used ({error.strerror}); set {listen.setting}"
                ) from error
            log.info(
                "listening for stations on %s://%s:%d/%s/",
                listen.scheme,
                listen.host,
                self.port_of(listen.scheme),
                handshake.PREFIX,
            )

    async def stop(self) -> None:
        """Stop listening and wait until the sockets are closed."""
        for server in self._servers.values():
            server.close()
        closing = [server.wait_closed() for server in self._servers.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*closing), CLOSE_TIMEOUT_S + 1)
        except TimeoutError:
            log.warning("some sockets did not close in time")

    async def _serve(self, listen: Listen) -> Server:
        listening, accepted, most = _bind(listen.host, listen.port), listen.accepted, self._parts.max_frame_bytes
        compressed = self._parts.counts.compressed if self._parts.compress else None
        if accepted is None:
            make_socket = cast(type[ServerConnection], partial(StationSocket, compressed=compressed))
            return await self._server(sock=listening, backlog=BACKLOG, create_connection=make_socket)

        def open_listener(make: Make) -> Acceptor:
            return Acceptor(listening, BACKLOG, accepted, make)

        return await listen_by(self._server(), open_listener, most, compressed)

    def _server(self, **options: Any) -> Server:  # noqa: ANN401 - those of websockets
        return serve(
            self._handle,
            process_request=self._process_request,
            process_response=self._process_response,
            compression=None,  # the sockets' own has no context takeover, whose memory would be most of a connection's
            server_header=None,
            open_timeout=HANDSHAKE_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,  # the timer pings
            max_size=self._parts.max_frame_bytes,
            logger=_quiet_logger(),
            **options,
        )

    async def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        if handshake.wants_websocket(headers.get_all("Upgrade"), headers.get_all("Connection")):
            headers["Connection"] = "Upgrade"
        protocols = headers.get_all("Sec-WebSocket-Protocol")
        if protocols:  # read here, and leniently: an empty one is none
            del headers["Sec-WebSocket-Protocol"]
        if not all(map(is_offer, headers.get_all("Sec-WebSocket-Extensions"))):
            del headers["Sec-WebSocket-Extensions"]
        certificate = self._certificate(socket, headers)
        admitted = await self._parts.admission.admit(
            OpeningRequest(request.path, headers.get_all("Authorization"), protocols, _encrypted(socket), certificate)
        )
        if isinstance(admitted, Admitted):
            self._admitted[socket] = admitted
            return None
        self._parts.refused(admitted.reason, request.path, _address(socket))
        response = socket.respond(admitted.status, f"{admitted.status.phrase}\n")
        for name, value in admitted.headers:
            response.headers[name] = value
        return response

    def _certificate(self, socket: ServerConnection, headers: Headers) -> ClientCertificate | None:
        """Return what the client showed, here or to a proxy that is believed; then that proxy's words are noted, too.

        One that passes TCP on (PROXY protocol) does not read headers: those are the client's own.
        """
        forwarding, arrival = self._parts.forwarding, socket.arrival if isinstance(socket, StationSocket) else None
        host = _address(socket).rpartition(":")[0]
        if not isinstance(socket, StationSocket) or (arrival and arrival.proxy) or not forwarding.believes(host):
            return shown(socket.transport)
        encrypted = forwarded.is_encrypted(headers.get_all("X-Forwarded-Proto"))
        socket.arrival = Arrival(forwarded.client(headers.get_all("X-Forwarded-For")) or host, 0, encrypted, proxy=host)
        if not encrypted or not forwarding.certificate_header:
            return None
        return forwarding.certificate(headers.get_all(forwarding.certificate_header))

    def _process_response(self, socket: ServerConnection, request: Request, response: Response) -> None:
        admitted = self._admitted.pop(socket, None)
        if admitted is None or not isinstance(socket, StationSocket):
            return
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._parts.refused("not a WebSocket", request.path, _address(socket))
        elif admitted.speech is None:
            self._part_from(socket, request, admitted)
        else:
            self._begin(socket, admitted, admitted.speech, response)

    def _part_from(self, socket: StationSocket, request: Request, admitted: Admitted) -> None:
        """Count a station with which no version is spoken, and tell of it, if it is registered.

        Who knows the onboarding password can make up others without end: of them, nothing is kept.
        """
        if admitted.terms.onboarding:
            self._parts.refused("no subprotocol, not registered", request.path, _address(socket))
            return
        self._parts.refused("no subprotocol", request.path, _address(socket))
        if admitted.unspoken is not None:
            self._parts.speechless(admitted.station_id, admitted.unspoken)

    def _begin(self, socket: StationSocket, admitted: Admitted, speech: Speech, response: Response) -> None:
        if speech.subprotocol:
            response.headers["Sec-WebSocket-Protocol"] = speech.subprotocol
            socket.speak(speech.subprotocol)
        for deviation in admitted.deviations:
            self._parts.counts.note("near_miss", admitted.station_id, deviation)
        station = Station(
            admitted.station_id,
            speech.version,
            admitted.proof.security_profile,
            _address(socket),
            admitted.proof.credential,
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


def shown(transport: asyncio.BaseTransport) -> ClientCertificate | None:
    """Return the client certificate of a TLS connection, if there is one that can be understood."""
    found = peers.shown(transport)
    return None if found is None else certificates.read(found.leaf, found.chain, resumed=found.resumed)


def _encrypted(socket: ServerConnection) -> bool:
    arrival = socket.arrival if isinstance(socket, StationSocket) else None
    return arrival is not None and arrival.encrypted


def _address(socket: ServerConnection) -> str:
    if isinstance(socket, StationSocket) and socket.arrival is not None:
        return socket.arrival.address
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
