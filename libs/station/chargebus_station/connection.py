"""Keeps a station connected: dials, serves the line, backs off, dials again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection

from chargebus_station.clock import happened
from chargebus_station.core import Core
from chargebus_station.device_model import Setting
from chargebus_station.dial import Address, DialError, dial
from chargebus_station.line import Answering, Line
from chargebus_station.rpc import Rpc
from chargebus_station.talker import Talker


@dataclass(frozen=True)
class Parties:
    """Who lives on the line: `connected` is told that there is a new one, and how long there was none (simulated)."""

    talker: Talker
    answering: Answering
    connected: Callable[[float], None]


class Connection:
    """The station's way to the CSMS.

    Attributes:
        line: the open connection, or None.
        abandoned: sockets that the station has turned away from without closing them (half open for the CSMS).
        last_error: why the last dialling failed.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._down_for: set[str] = set()
        self._up = asyncio.Event()
        self._up.set()
        self._hurry = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._lost_at = core.clock.now()
        self.line: Line | None = None
        self.abandoned: list[ClientConnection] = []
        self.last_error: DialError | None = None

    async def stay(self, parties: Parties) -> None:
        """Stay connected for ever."""
        network, rng, failures = self._core.config.network, self._core.rng, 0
        while True:
            await self._up.wait()
            self._hurry.clear()
            asked_s = 0.0
            try:
                socket = await self.dial()
            except DialError as error:
                failures, self.last_error, asked_s = failures + 1, error, error.retry_after_s
            else:
                failures = 0
                if self._up.is_set():
                    await self._serve(socket, parties)
                else:  # the network went while we dialled
                    socket.transport.abort()
            await happened(self._hurry, asyncio.sleep(network.backoff.wait_s(failures, rng, asked_s)))

    async def dial(self) -> ClientConnection:
        """Return one more open socket of this station.

        Raises:
            DialError: there is no way to the CSMS now.
        """
        config = self._core.config
        password = self._core.settings.text(Setting.PASSWORD)
        return await dial(
            Address(config.address, config.station_id, password, self._core.dialect.subprotocol), config.network
        )

    async def _serve(self, socket: ClientConnection, parties: Parties) -> None:
        core = self._core
        line = Line(socket, Rpc(core.config.version), core.faults, parties.answering)
        self.line, core.connected = line, True
        core.books.connections += 1
        parties.connected((core.clock.now() - self._lost_at).total_seconds())
        core.changed()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._reading = tasks.create_task(self._read(line))
                tasks.create_task(parties.talker.talk(line))
        finally:
            core.outbox.flush()
            if socket not in self.abandoned:
                await line.close()

    async def _read(self, line: Line) -> None:
        try:
            await line.read()
        finally:
            self.line, self._core.connected = None, False
            self._lost_at = self._core.clock.now()
            self._core.changed()

    def cut(self, reason: str) -> None:
        """Lose the network, until `mend` is called for the same reason."""
        self._hold(reason)
        self.drop()

    async def leave(self, reason: str) -> None:
        """Close the connection in good order, and stay away until `mend` is called for the same reason."""
        self._hold(reason)
        if self.line is not None:
            await self.line.close()

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
        """Tear the connection down; the station dials again after its back-off."""
        if self.line is not None:
            self.line.drop()

    async def redial(self) -> None:
        """Close the connection in good order and dial again at once."""
        self._hurry.set()
        if self.line is not None:
            await self.line.close()

    def switch(self) -> None:
        """Turn away from the socket without closing it, and dial a new one at once."""
        if self.line is not None and self._reading is not None:
            self.abandoned.append(self.line.socket)
            self._hurry.set()
            self._reading.cancel()

    def abort(self) -> None:
        """Leave no socket behind."""
        for socket in self.abandoned:
            socket.transport.abort()
