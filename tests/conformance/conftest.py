"""One process with all services, and stations over real sockets: virtual ones, and raw ones that say what a test says.

A test plays cases of the Open Charge Alliance's list (`cases.csv`) from the side of the CSMS, and is marked with them:
`docs/conformance.md` is made of the marks.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from chargebus_ocppj.versions import VERSIONS, Version
from chargebus_station.charging import Vehicle
from chargebus_station.clock import ScaledClock
from chargebus_station.config import StationConfig
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.station import Station
from chargebus_station.transaction import IdToken
from chargebus_testkit.api import Api, ApiError, Json
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.contract_pool import ContractPool, contract_pool
from chargebus_testkit.raw.station import RawStation
from chargebus_testkit.running import NOBODY_IS_ASKED, running_system
from chargebus_testkit.system import System, services
from chargebus_testkit.tls_edge import TlsEdge
from chargebus_testkit.waiting import eventually

DRIVER = "ALICE"
VEHICLE = Vehicle(60_000, 11_000, soc=0.2, max_current_a=16)

RESPONDERS = {"SECURITY_STATUS_ALLOWED_NETWORKS": '["127.0.0.0/8"]', "SECURITY_STATUS_WITHIN_S": "60"}
"""Tests have responders of their own, on this machine, which may stand still for a while."""

MakeRaw = Callable[..., AbstractAsyncContextManager[RawStation]]
MakeVirtual = Callable[..., AbstractAsyncContextManager[Station]]
Ask = Callable[..., Awaitable[Json]]
Charge = Callable[..., Awaitable[str]]

Pace = tuple[float, timedelta]
_FAST: Pace = (600.0, timedelta(hours=3))
_SOON: Pace = (60.0, timedelta(minutes=5))


@pytest.fixture(scope="package")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsEdge:
    """Certificates with which the system's edge listens, too."""
    return TlsEdge(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="package")
def pool() -> Iterator[ContractPool]:
    """The pool of contracts that the system asks."""
    with contract_pool() as pool:
        yield pool


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(tls: TlsEdge, pool: ContractPool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    signs = {
        "SECURITY_STATION_AUTHORITY": "built-in",
        "SECURITY_V2G_AUTHORITY": "built-in",
        "SECURITY_CA_FOLDER": str(tls.authority(tmp_path_factory.mktemp("pki") / "ca")),
    }
    contracts = {
        "SECURITY_CONTRACTS_POOL": "http",
        "SECURITY_CONTRACTS_URL": pool.url,
        "SECURITY_CONTRACTS_TOKEN": "a token",
        "SECURITY_CONTRACTS_NETWORKS": '["127.0.0.0/8"]',
        "SECURITY_CONTRACTS_CHECK_WITHIN_S": "30",
    }
    async with (
        running_system(NOBODY_IS_ASKED | RESPONDERS | tls.environment | signs | contracts, services()) as system,
        system.api() as api,
    ):
        await api.add_token(DRIVER)
        yield system


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def api(system: System) -> AsyncIterator[Api]:
    async with system.api() as api:
        yield api


@pytest.fixture(scope="session")
def numbers() -> itertools.count:
    return itertools.count(1)


@pytest.fixture
def virtual_station(make_virtual: MakeVirtual) -> MakeVirtual:
    """Make a virtual station that is registered and accepted: `async with virtual_station("2.0.1") as station: …`.

    It began to live three hours ago, and lives fast. Other arguments are those of its configuration.
    """
    return partial(make_virtual, _FAST)


@pytest.fixture
def live_station(make_virtual: MakeVirtual) -> MakeVirtual:
    """Make a virtual station whose clock is right after some seconds, so that profiles with a date mean something."""
    return partial(make_virtual, _SOON)


@pytest.fixture
def make_virtual(system: System, api: Api, numbers: itertools.count) -> MakeVirtual:
    @asynccontextmanager
    async def make(pace: Pace, version: Version, **more: Any) -> AsyncIterator[Station]:
        station_id = f"VIRTUAL-{next(numbers)}"
        passwords = await api.register([station_id])
        config = StationConfig(station_id, version, system.ocpp_url, passwords[station_id], **more)
        speed, behind = pace
        async with Station(config, ScaledClock(speed, datetime.now(UTC) - behind)) as station:
            await station.until(lambda: station.online)
            yield station

    return make


@pytest.fixture
def raw_station(system: System, api: Api, numbers: itertools.count) -> MakeRaw:
    """Make a raw station that is registered, connected and booted."""

    @asynccontextmanager
    async def make(version: Version, replies: Mapping[str, Json] | None = None) -> AsyncIterator[RawStation]:
        station_id = f"RAW-{next(numbers)}"
        passwords = await api.register([station_id])
        async with RawStation(system.ocpp_url, station_id, passwords[station_id], version) as station:
            station.replies.update(replies or {})
            await station.connect()
            assert (await station.boot())["status"] == "Accepted"
            yield station

    return make


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_stations(system: System) -> AsyncIterator[Mapping[Version, RawStation]]:
    async with system.api() as api, AsyncExitStack() as stack:
        names: dict[Version, str] = {version: f"SHARED-{version}" for version in VERSIONS}
        passwords = await api.register(names.values())
        stations = {}
        for version, name in names.items():
            station = RawStation(system.ocpp_url, name, passwords[name], version)
            stations[version] = await stack.enter_async_context(station)
            await station.connect()
            assert (await station.boot())["status"] == "Accepted"
        yield stations


@pytest.fixture
def shared(shared_stations: Mapping[Version, RawStation]) -> Callable[[Version], RawStation]:
    """Return the raw station of a version that tests share: they leave it connected, and take EVSEs of their own.

    It answers nothing but what a test says it does: `shared("1.6").replies`.
    """

    def take(version: Version) -> RawStation:
        shared_stations[version].replies.clear()
        return shared_stations[version]

    return take


@pytest.fixture
def evse_id(numbers: itertools.count) -> int:
    """Return an EVSE that no other test takes; a connector in OCPP 1.6."""
    return 1000 + next(numbers)


@pytest.fixture
def token(api: Api, numbers: itertools.count) -> Callable[..., Awaitable[str]]:
    """Register a token that no other test takes: `await token(blocked=True)`."""

    async def register(**more: object) -> str:
        id_token = f"TOKEN-{next(numbers)}"
        await api.add_token(id_token, **more)
        return id_token

    return register


@pytest.fixture
def session_of(told: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Json]]:
    """Wait until the one session of a token is in a state, and return it."""

    async def wait(id_token: str, state: str = "ended", **more: object) -> Json:
        def is_there(found: Json) -> bool:
            wanted = {"state": state, **more}
            return bool(found["items"]) and all(found["items"][0][name] == value for name, value in wanted.items())

        found = await told(f"/v1/sessions?id_token={id_token}", is_there, what=f"{id_token}'s session is {state}")
        [session] = found["items"]
        return dict(session)

    return wait


@pytest.fixture
def ask(api: Api) -> Ask:
    """Send a station a command, wait for its outcome, and return the command: `await ask(station, "Reset", {…})`."""

    async def send(station: Station | RawStation, action: str, payload: Json) -> Json:
        station_id = station.config.station_id if isinstance(station, Station) else station.station_id
        answer = await api.command(station_id, action, payload, ttl_s=60)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return send


@pytest.fixture
def passes(ask: Ask) -> Callable[..., Awaitable[None]]:
    """Have an operator ask a raw station for something: it gets it as it was said, and he gets what it answers.

    Services may ask for the same: what they ask is passed over.
    """

    async def check(station: RawStation, action: str, payload: Json, reply: Json) -> None:
        station.replies[action] = reply
        answer = await ask(station, action, payload)
        while await station.asked(action) != payload:
            pass
        assert (answer["outcome"], answer["reply"], answer["reason"]) == ("answered", reply, "")
        assert answer["version"] == station.version

    return check


@pytest.fixture
def charge(api: Api) -> Charge:
    """Let a driver charge at EVSE 1 of a virtual station; return the transaction's id once the CSMS has answered it."""

    async def begin(station: Station, token: str = "") -> str:
        driver = token or f"{station.config.station_id}-D"
        await api.add_token(driver)
        station.visit(DriverVisit(1, VEHICLE, IdToken(driver), stay_s=36_000))
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        await station.until(lambda: station.state.evses[1].charge is not None)
        return station.state.evses[1].transaction.transaction_id or ""

    return begin


@pytest.fixture
def told(api: Api) -> Callable[..., Awaitable[Any]]:
    """Read a path of the HTTP API until it says what is expected; return what it says.

    Where there is nothing yet (404), it has no items.
    """

    async def wait(path: str, expected: Callable[[Any], bool], within_s: float = 180, what: str = "") -> Any:
        async def look() -> Any:
            try:
                return await api.call("GET", path)
            except ApiError as error:
                if error.status != 404:
                    raise
                return {"items": []}

        return await eventually(look, expected, within_s, what=what or f"news at {path}")

    return wait


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def sound(system: System) -> AsyncIterator[None]:
    """See to it that the tests leave nothing parked, unsent or unread."""
    yield
    assert await Checker(system).objections(Expected()) == []
