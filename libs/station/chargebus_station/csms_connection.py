"""Keeps a station connected: connects, serves the socket, backs off, connects again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection

from chargebus_station.clock import happened
from chargebus_station.core import Core
from chargebus_station.csms_socket import Answering, CsmsSocket
from chargebus_station.device_model import Setting
from chargebus_station.handshake import ConnectError, ConnectTarget, open_websocket
from chargebus_station.networks import BY_CERTIFICATE, tls_of
from chargebus_station.rpc import Rpc
from chargebus_station.sender import Sender


@dataclass(frozen=True)
class ConnectionUsers:
    """Who uses the socket.

    `connected` is told that there is a new one, and how long there was none (simulated); `lost` that it is gone.
    """

    sender: Sender
    answering: Answering
    connected: Callable[[float], None]
    lost: Callable[[], None]


class CsmsConnection:
    """The station's way to the CSMS.

    Attributes:
        csms_socket: the open socket, or None.
        abandoned: sockets that the station has turned away from without closing them (half open for the CSMS).
        last_error: why the last attempt failed.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._down_for: set[str] = set()
        self._up = asyncio.Event()
        self._up.set()
        self._hurry = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._lost_at = core.clock.now()
        self.csms_socket: CsmsSocket | None = None
        self.abandoned: list[ClientConnection] = []
        self.last_error: ConnectError | None = None

    async def stay(self, users: ConnectionUsers) -> None:
        """Stay connected for ever."""
        network, rng, failures = self._core.config.network, self._core.rng, 0
        while True:
            await self._up.wait()
            self._hurry.clear()
            asked_s = 0.0
            try:
                socket = await self.open_websocket()
            except ConnectError as error:
                failures, self.last_error, asked_s = failures + 1, error, error.retry_after_s
                self._core.state.networks.failed()
            else:
                failures = 0
                self._note_network()
                if self._up.is_set():
                    await self._serve(socket, users)
                else:  # the network went while we connected
                    socket.transport.abort()
            await happened(self._hurry, asyncio.sleep(network.backoff.wait_s(failures, rng, asked_s)))

    async def open_websocket(self) -> ClientConnection:
        """Return one more open socket of this station.

        Raises:
            ConnectError: there is no way to the CSMS now.
        """
        config, network = self._core.config, self._core.state.networks.used
        password = "" if network.security_profile == BY_CERTIFICATE else self._core.settings.text(Setting.PASSWORD)
        tls = tls_of(config, network, self._core.state.own_certificates)
        address = network.address(config.station_id)
        return await open_websocket(
            ConnectTarget(address, config.station_id, password, self._core.dialect.subprotocol, tls), config.network
        )

    def _note_network(self) -> None:
        """Show by which security profile the station is connected."""
        networks = self._core.state.networks
        networks.connected()
        self._core.settings.put(Setting.SECURITY_PROFILE, str(networks.used.security_profile))

    async def _serve(self, socket: ClientConnection, users: ConnectionUsers) -> None:
        core = self._core
        csms_socket = CsmsSocket(socket, Rpc(core.config.version), core.faults, users.answering)
        self.csms_socket, core.connected = csms_socket, True
        core.history.connections += 1
        users.connected((core.clock.now() - self._lost_at).total_seconds())
        core.changed()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._reading = tasks.create_task(self._read(csms_socket, users.lost))
                tasks.create_task(users.sender.send_all(csms_socket))
        finally:
            core.messages.flush()
            if socket not in self.abandoned:
                await csms_socket.close()

    async def _read(self, csms_socket: CsmsSocket, lost: Callable[[], None]) -> None:
        try:
            await csms_socket.read()
        finally:
            self.csms_socket, self._core.connected = None, False
            self._lost_at = self._core.clock.now()
            lost()
            self._core.changed()

    def cut(self, reason: str) -> None:
        """Lose the network, until `mend` is called for the same reason."""
        self._hold(reason)
        self.drop()

    async def leave(self, reason: str) -> None:
        """Close the connection in good order, and stay away until `mend` is called for the same reason."""
        self._hold(reason)
        if self.csms_socket is not None:
            await self.csms_socket.close()

    def _hold(self, reason: str) -> None:
        self._down_for.add(reason)
        self._up.clear()

    def mend(self, reason: str) -> None:
        """Have the network back, unless it is lost for another reason, too."""
        self._down_for.discard(reason)
        if not self._down_for:
            self._up.set()
            self._hurry.set()

    def drop(self) -> None:
        """Tear the connection down; the station connects again after its back-off."""
        if self.csms_socket is not None:
            self.csms_socket.drop()

    async def reconnect(self) -> None:
        """Close the connection in good order and connect again at once."""
        self._hurry.set()
        if self.csms_socket is not None:
            await self.csms_socket.close()

    def switch(self) -> None:
        """Turn away from the socket without closing it, and open a new one at once."""
        if self.csms_socket is not None and self._reading is not None:
            self.abandoned.append(self.csms_socket.websocket)
            self._hurry.set()
            self._reading.cancel()

    def abort(self) -> None:
        """Leave no socket behind."""
        for socket in self.abandoned:
            socket.transport.abort()
