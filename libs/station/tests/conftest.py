"""A CSMS of a hundred lines on a loopback socket, and stations that live fast."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from chargebus_ocppj.actions import lookup
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.frames import Call, CallError, CallResult, CallResultError, FrameError, encode, parse
from chargebus_ocppj.schemas import decode, encode_call, encode_result, validate_call, validate_result
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import SUBPROTOCOLS, Version
from chargebus_station.backoff import Backoff
from chargebus_station.clock import Changes, ScaledClock
from chargebus_station.config import Network, StationConfig
from chargebus_station.station import Station
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SPEED = 8000.0


class RefusedError(Exception):
    """A CALLERROR, to raise from a scripted answer or as the outcome of a call."""


class SilentError(Exception):
    """Raised from a scripted answer: say nothing."""


@dataclass(frozen=True)
class Seen:
    """A CALL that came, and the socket that it came on."""

    message_id: str
    action: str
    payload: dict[str, Any]
    socket: ServerConnection


@dataclass
class CsmsDouble:
    """Answers like a CSMS, by script where a test gives one; every frame that comes is checked against its schema."""

    refused: ClassVar = RefusedError
    silent: ClassVar = SilentError
    scripts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    calls: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    raw: dict[str, bytes] = field(default_factory=dict)
    """Answers that no schema looks at."""
    result_errors: list[str] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    server: Server | None = None
    _waiting: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = field(default_factory=dict)
    _transactions: dict[tuple[object, ...], int] = field(default_factory=dict)
    _sent: int = 0

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/ocpp"

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.sockets.append(socket)
        self.credentials.append(socket.request.headers.get("Authorization"))
        self.changes.notify()
        try:
            async for text in socket:
                reply = self._receive(socket, text)
                if reply is not None:
                    await socket.send(reply)
                self.changes.notify()
        except ConnectionClosed:
            pass

    def _receive(self, socket: ServerConnection, text: str | bytes) -> str | None:
        version = SUBPROTOCOLS[str(socket.subprotocol)]
        try:
            frame = parse(text, version)
        except FrameError as error:
            self.faults.append(f"{error.code}: {error.description}")
            return None if error.answer is None else encode(error.answer)
        match frame:
            case Call():
                return self._answer(socket, version, frame)
            case CallResult(message_id) | CallError(message_id) if message_id not in self._waiting:
                self.strays.append(message_id)
            case CallResult(message_id, payload):
                action, waiter = self._waiting.pop(message_id)
                try:
                    validate_result(version, action, payload)
                except OcppError as error:
                    waiter.set_exception(error)
                    return encode(CallResultError(message_id, error.code, error.description))
                waiter.set_result(decode(payload))
            case CallError(message_id, code):
                self._waiting.pop(message_id)[1].set_exception(RefusedError(code))
            case CallResultError(_, code):
                self.result_errors.append(code)
        return None

    def _answer(self, socket: ServerConnection, version: Version, call: Call) -> str | None:
        try:
            validate_call(version, call.action, call.payload)
        except OcppError as error:
            self.faults.append(str(error))
            return encode(CallError(call.message_id, error.code, error.description))
        payload = decode(call.payload)
        if call.action in self.raw:
            return encode(CallResult(call.message_id, self.raw[call.action]))
        self.calls.append(Seen(call.message_id, call.action, payload, socket))
        try:
            answer = self.scripts.get(call.action, lambda told: self.usual(call.action, told))(payload)
        except SilentError:
            return None
        except RefusedError as refusal:
            return encode(CallError(call.message_id, str(refusal), "scripted"))
        return encode(CallResult(call.message_id, encode_result(version, call.action, answer)))

    def usual(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        now = format_timestamp(datetime.now(UTC))
        accepted = {"status": "Accepted"}
        if action == "StartTransaction":
            key = (payload["connectorId"], payload["timestamp"], payload["meterStart"])
            transaction_id = self._transactions.setdefault(key, len(self._transactions) + 1)
            return {"idTagInfo": accepted, "transactionId": transaction_id}
        return {
            "BootNotification": {"status": "Accepted", "currentTime": now, "interval": 3600},
            "Heartbeat": {"currentTime": now},
            "Authorize": {"idTagInfo": accepted} if "idTag" in payload else {"idTokenInfo": accepted},
            "DataTransfer": accepted,
        }.get(action, {})

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Call the station on its newest socket; the answer is checked against its schema."""
        socket = self.sockets[-1]
        version = SUBPROTOCOLS[str(socket.subprotocol)]
        assert lookup(version, action, "csms") is not None
        self._sent += 1
        message_id = f"csms-{self._sent}"
        waiter: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = (action, waiter)
        body = encode_call(version, action, payload)
        validate_call(version, action, body)
        await socket.send(encode(Call(message_id, action, body)))
        return await waiter

    def seen(self, action: str) -> list[dict[str, Any]]:
        return [call.payload for call in self.calls if call.action == action]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.changes.until(condition)


Start = Callable[..., AbstractAsyncContextManager[Station]]


@pytest.fixture
async def csms() -> AsyncIterator[CsmsDouble]:
    double = CsmsDouble()
    subprotocols = [Subprotocol(name) for name in SUBPROTOCOLS]
    async with serve(double.serve, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        double.server = server
        yield double
    assert double.faults in ([], ["expected"]), "the station sent what no station should send"


@pytest.fixture
def start(csms: CsmsDouble) -> Start:
    """Switch a station on that lives eight thousand times as fast as we do, and wait until it is accepted."""

    @asynccontextmanager
    async def switch_on(version: Version, *, accepted: bool = True, **more: Any) -> AsyncIterator[Station]:
        backoff = Backoff(minimum_s=0.01, jitter_s=0.01, doublings=2)
        network = {name: more.pop(name) for name in ("answer_timeout_s", "resend") if name in more}
        config = StationConfig(f"CS {version}", version, csms.url, network=Network(backoff=backoff, **network), **more)
        async with Station(config, ScaledClock(SPEED)) as station:
            if accepted:
                await station.until(lambda: station.online)
            yield station

    return switch_on
