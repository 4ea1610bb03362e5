"""The load client against a small server: what it sends, what it counts, what it does when things go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from time import perf_counter

import pytest
from chargebus_bench.frames import basic_authorization
from chargebus_bench.load import Shape, drive
from chargebus_bench.scripts import ENERGY_WH, ID_TAGS, Scripts
from chargebus_bench.station import ConnectionLostError, Station
from chargebus_ocppj.schemas import validate_call
from chargebus_testkit.waiting import eventually
from picows import WSError
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

ACTIONS = {
    *("BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "Authorize"),
    *("StartTransaction", "StopTransaction"),
}


class Csms:
    """Answers calls as a CSMS would, and remembers them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict]] = []
        self.called_at: list[float] = []
        self.requests: list[Request] = []
        self.open: dict[str, ServerConnection] = {}
        self.refuse = ""
        self.drop_after = -1
        self.transactions = 0
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        station_id = connection.request.path.rpartition("/")[2]
        self.open[station_id] = connection
        async for text in connection:
            kind, message_id, *rest = json.loads(text)
            if kind == 3:
                self.calls.append((station_id, "answer", rest[0]))
                continue
            action, payload = rest
            self.calls.append((station_id, action, payload))
            self.called_at.append(perf_counter())
            if len(self.calls) == self.drop_after:
                await connection.close()
                return
            await connection.send(json.dumps(self._answer(message_id, action)))

    def _answer(self, message_id: str, action: str) -> list[object]:
        if action == self.refuse:
            return [4, message_id, "InternalError", "not today", {}]
        if action == "StartTransaction":
            self.transactions += 1
            return [3, message_id, {"idTagInfo": {"status": "Accepted"}, "transactionId": self.transactions}]
        return [3, message_id, {}]

    def look(self, _connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        known = request.headers.get("Authorization", "").startswith("Basic ")
        return None if known else Response(401, "Unauthorized", Headers())

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Csms"]:
        async with serve(
            self.handle, "127.0.0.1", 0, subprotocols=["ocpp1.6"], process_request=self.look, compression=None
        ) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
            yield self


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with Csms().running() as csms:
        yield csms


@asynccontextmanager
async def connected(csms: Csms, count: int) -> AsyncIterator[list[Station]]:
    stations = [Station(f"cs-{number}", "secret") for number in range(count)]
    await asyncio.gather(*(station.connect(csms.url) for station in stations))
    try:
        yield stations
    finally:
        await asyncio.gather(*(station.close() for station in stations))


@pytest.fixture
def scripts() -> Scripts:
    return Scripts(date(2024, 5, 1))


async def test_a_station_presents_its_credentials_and_speaks_ocpp_1_6(csms: Csms) -> None:
    async with connected(csms, 1):
        [request] = csms.requests
        assert request.path == "/ocpp/cs-0"
        assert request.headers["Authorization"] == basic_authorization("cs-0", "secret")
        assert csms.open["cs-0"].subprotocol == "ocpp1.6"


async def test_every_frame_of_every_script_is_valid(csms: Csms, scripts: Scripts) -> None:
    async with connected(csms, 3) as stations:
        await drive(Shape(scripts.boot, 3, 0.1, 0), stations)

        async def acted() -> set[str]:
            await drive(Shape(scripts.mix, 3, 0.1, 0), stations)
            return {action for _, action, _ in csms.calls}

        await eventually(acted, lambda actions: actions >= ACTIONS)
    assert {action for _, action, _ in csms.calls} == ACTIONS
    for _, action, payload in csms.calls:
        validate_call("1.6", action, json.dumps(payload).encode())


async def test_a_transaction_is_a_start_a_reading_and_a_stop_of_its_own(csms: Csms, scripts: Scripts) -> None:
    async with connected(csms, 2) as stations:
        await drive(Shape(scripts.transaction, 2, 0.5, 0), stations)
    starts = [payload for _, action, payload in csms.calls if action == "StartTransaction"]
    assert len({(start["timestamp"], start["meterStart"]) for start in starts}) == len(starts) > 1
    assert {start["idTag"] for start in starts} <= set(ID_TAGS)
    by_station = [payload for station_id, _, payload in csms.calls if station_id == "cs-0"]
    start, reading, stop = by_station[:3]
    assert reading["transactionId"] == stop["transactionId"] > 0
    assert stop["meterStop"] - start["meterStart"] == ENERGY_WH


async def test_the_mix_has_the_shares_that_it_says(csms: Csms, scripts: Scripts) -> None:
    async with connected(csms, 1) as [station]:
        rounds = [next(scripts.mix(station)).split(b'"')[3].decode() for _ in range(1000)]
    shares = {action: rounds.count(action) / 1000 for action in set(rounds)}
    assert shares == pytest.approx(
        {"Heartbeat": 0.2, "StatusNotification": 0.1, "MeterValues": 0.4, "Authorize": 0.1, "StartTransaction": 0.2},
        abs=0.02,
    )


async def test_as_many_calls_as_asked_are_in_flight_on_all_stations(csms: Csms, scripts: Scripts) -> None:
    async with connected(csms, 6) as stations:
        measured = await drive(Shape(scripts.heartbeat, 2, 0.6, 0), stations)
    assert measured.failures == 0
    assert {station_id for station_id, _, _ in csms.calls} == {f"cs-{number}" for number in range(6)}
    assert 0 < len(measured.latencies) <= len(csms.calls)
    assert all(0 < latency < 0.6 for latency in measured.latencies)


async def test_what_the_warm_up_does_is_not_counted(csms: Csms, scripts: Scripts) -> None:
    async with connected(csms, 1) as stations:
        opens_at = perf_counter() + 0.5
        measured = await drive(Shape(scripts.heartbeat, 1, 0.5, 0.5), stations)
    counted, warm_up = len(measured.latencies), [at for at in csms.called_at if at < opens_at]
    assert len(warm_up) > 1
    assert 0 < counted <= len(csms.calls) - len(warm_up) + 1  # the last one of the warm-up is answered after it


async def test_an_error_is_counted_and_shown_and_the_load_goes_on(csms: Csms, scripts: Scripts) -> None:
    csms.refuse = "StopTransaction"
    async with connected(csms, 2) as stations:
        measured = await drive(Shape(scripts.transaction, 2, 0.6, 0), stations)
    assert measured.failures > 5
    assert len(measured.errors) == 5
    assert "not today" in measured.errors[0]


async def test_a_lost_connection_is_counted_and_the_other_stations_go_on(csms: Csms, scripts: Scripts) -> None:
    csms.drop_after = 10
    async with connected(csms, 4) as stations:
        measured = await drive(Shape(scripts.heartbeat, 1, 0.6, 0), stations)
    assert measured.failures >= 1
    assert "lost its connection" in measured.errors[0]
    assert len(csms.calls) > 20


async def test_a_station_accepts_the_calls_of_the_system(csms: Csms) -> None:
    async with connected(csms, 1) as [station]:
        await csms.open["cs-0"].send('[2, "c1", "ClearCache", {}]')
        async with asyncio.timeout(180):
            while not csms.calls:
                await asyncio.sleep(0.01)
        assert station.calls_accepted == 1
    assert csms.calls == [("cs-0", "answer", {"status": "Accepted"})]


async def test_a_refused_station_says_so(csms: Csms) -> None:
    station = Station("cs-0", "secret")
    station._authorization = ""
    with pytest.raises(WSError):
        await station.connect(csms.url)
    with pytest.raises(ConnectionLostError):
        await station.call(b"")
