"""A fleet of virtual stations of all versions under load: drivers come and go, operators send commands."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from chargebus_ocppj.versions import VERSIONS, Version
from chargebus_station.backoff import Backoff
from chargebus_station.charging import Vehicle
from chargebus_station.clock import ScaledClock
from chargebus_station.config import AC_22, EnergyUnit, Network, Resend, StationConfig
from chargebus_station.driver_visit import Departure, DriverVisit, Order
from chargebus_station.history import Fate
from chargebus_station.station import Station
from chargebus_station.transaction import IdToken

from chargebus_testkit import operators
from chargebus_testkit.api import Api
from chargebus_testkit.checker import Expected
from chargebus_testkit.operators import Operators
from chargebus_testkit.system import System
from chargebus_testkit.waiting import NeverError, until

DRIVERS_EVSE: Final = 1

_NEVER_GIVE_UP: Final = "10000"
_V16: Final = {"TransactionMessageAttempts": _NEVER_GIVE_UP, "TransactionMessageRetryInterval": "5"}
_V2: Final = {
    "OCPPCommCtrlr.MessageAttempts.TransactionEvent": _NEVER_GIVE_UP,
    "OCPPCommCtrlr.MessageAttemptInterval.TransactionEvent": "5",
}
_SETTINGS: Final[Mapping[Version, Mapping[str, str]]] = {"1.6": _V16, "2.0.1": _V2, "2.1": _V2}

_PLUG_IS_START: Final = {"TxCtrlr.TxStartPoint": "EVConnected", "TxCtrlr.TxStopPoint": "EVConnected"}
_ODD_SETTINGS: Final[Mapping[Version, Mapping[str, str]]] = {"1.6": {}, "2.0.1": _PLUG_IS_START, "2.1": _PLUG_IS_START}
"""What every second station of a version does differently."""

_VEHICLE: Final = Vehicle(capacity_wh=60_000, max_power_w=22_000, soc=0.2)
_SETTLED_WITHIN_S: Final = 90.0


@dataclass(frozen=True)
class Plan:
    """A fleet to be.

    Attributes:
        name: begins the identities of its stations; no other fleet of the system has it.
        size: how many stations, a third of each version.
        speed: simulated seconds in a real one.
        answer_timeout_s: how long a station waits for an answer, in real seconds.
        urls: where stations connect, dealt out in turn; by default the system's first edge.
    """

    name: str
    size: int = 18
    speed: float = 120.0
    answer_timeout_s: float = 4.0
    urls: Sequence[str] = ()


class Fleet:
    """Stations that are registered and switched on as it is entered, and off as it is left."""

    def __init__(self, system: System, plan: Plan) -> None:
        self._system = system
        self._plan = plan
        self._rng = random.Random(plan.name)  # noqa: S311 - a test's dice
        self._switched_on = AsyncExitStack()
        self._operators = Operators(plan.name)
        self.stations: list[Station] = []

    @property
    def expected(self) -> Expected:
        """What the system should know by now."""
        return Expected([station.history for station in self.stations], list(self._operators.command_ids))

    @property
    def ended(self) -> int:
        """How many transactions were ended, by the stations' histories."""
        return sum(station.history.transactions_ended for station in self.stations)

    @property
    def delivered(self) -> int:
        """How many transactions were ended and the system has answered their end."""
        return sum(map(_delivered, self.stations))

    @property
    def connections(self) -> int:
        """How often the stations have connected so far."""
        return sum(station.history.connections for station in self.stations)

    @property
    def answered_commands(self) -> int:
        """How many commands the stations answered so far."""
        return sum(entry.answered is not None for station in self.stations for entry in station.history.commands)

    def of(self, version: Version) -> list[Station]:
        """Return the stations of one version."""
        return [station for station in self.stations if station.config.version == version]

    async def online(self) -> None:
        """Wait until all stations are connected and accepted."""
        await until(lambda: all(station.online for station in self.stations), what="all stations online")

    async def offline(self) -> None:
        """Wait until no station is connected."""
        await until(lambda: not any(station.connected for station in self.stations), what="all stations offline")

    async def commands(self, count: int) -> None:
        """Wait until the stations have answered so many more commands."""
        goal = self.answered_commands + count
        await until(lambda: self.answered_commands >= goal, what=f"{count} more commands")

    async def progress(self, transactions: int) -> None:
        """Wait until the system has answered the end of so many more transactions."""
        goal = self.delivered + transactions
        await until(lambda: self.delivered >= goal, what=f"{transactions} more transactions delivered")

    async def progress_everywhere(self) -> None:
        """Wait until the system has answered the end of one more transaction of each station."""
        before = {id(station): _delivered(station) for station in self.stations}

        def everywhere() -> bool:
            return all(_delivered(station) > before[id(station)] for station in self.stations)

        await until(everywhere, what="a transaction of each station delivered")

    async def live_on(self, transactions: int) -> None:
        """Wait until so many more transactions were ended, whether anybody has answered or not."""
        goal = self.ended + transactions
        await until(lambda: self.ended >= goal, what=f"{transactions} more transactions ended")

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Let drivers come and operators command as long as the context lasts; then wait until all is over."""
        open_for_business = asyncio.Event()
        open_for_business.set()
        async with asyncio.TaskGroup() as tasks, self._system.api() as api:
            drivers = [tasks.create_task(self._drive(station, open_for_business)) for station in self.stations]
            operating = tasks.create_task(self._operators.work(api, self.stations))
            try:
                yield
            except BaseException:
                operating.cancel()
                for driver in drivers:
                    driver.cancel()
                raise
            open_for_business.clear()
            self._operators.finish()
            await operating
        await self.settle()

    async def rest(self) -> None:
        """Take all stations off the network: not even heartbeats come any more."""
        for station in self.stations:
            station.cut()
        await self.offline()

    async def settle(self) -> None:
        """Let everybody go home and wait until every message of every station is answered.

        Raises:
            NeverError: some were not in time; the message says which stations wait for what.
        """
        try:
            await until(self._everybody_left, _SETTLED_WITHIN_S, what="all is answered")
        except NeverError as error:
            waiting = "\n".join(_plight(station) for station in self.stations if not _settled(station))
            raise NeverError(f"{error}\n{waiting}") from None

    def _everybody_left(self) -> bool:
        """Unplug what operators started, and tell whether all is over: a start of theirs may come seconds later."""
        for station in self.stations:
            station.unplug(operators.EVSE)
        return all(map(_settled, self.stations))

    async def __aenter__(self) -> Self:
        """Register the stations and their tokens, switch them on, wait until they are online."""
        async with self._system.api() as api:
            await self._register(api)
        for station in self.stations:
            await self._switched_on.enter_async_context(station)
        await self.online()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch the stations off."""
        await self._switched_on.aclose()

    async def _register(self, api: Api) -> None:
        ids = [f"{self._plan.name}-{number:02}" for number in range(self._plan.size)]
        passwords = await api.register(ids)
        await api.call("POST", "/v1/tokens/bulk", {"tokens": [{"id_token": _token(one)} for one in ids]})
        clock = ScaledClock(self._plan.speed)
        urls = self._plan.urls or [self._system.ocpp_url]
        for number, station_id in enumerate(ids):
            url = urls[number % len(urls)]
            self.stations.append(Station(self._config(number, station_id, url, passwords[station_id]), clock))

    def _config(self, number: int, station_id: str, url: str, password: str) -> StationConfig:
        version = VERSIONS[number % len(VERSIONS)]
        odd = number // len(VERSIONS) % 2 == 1
        return StationConfig(
            station_id=station_id,
            version=version,
            url=url,
            password=password,
            outlets=(AC_22, AC_22),
            network=Network(
                answer_timeout_s=self._plan.answer_timeout_s,
                resend=Resend.SAME_ID if odd else Resend.NEW_ID,
                backoff=Backoff(minimum_s=0.3, jitter_s=0.5, doublings=2),
            ),
            settings={**_SETTINGS[version], **(_ODD_SETTINGS[version] if odd else {})},
            local_tokens=(_token(station_id),),
            seed=self._plan.name,
            register_wh=1000 * number,
            energy_unit=EnergyUnit.KWH if odd else EnergyUnit.WH,
        )

    async def _drive(self, station: Station, open_for_business: asyncio.Event) -> None:
        """Let one driver after the other charge at a station."""
        while open_for_business.is_set():
            await station.clock.sleep(self._rng.uniform(10, 120))
            await station.visit(self._visit(station))

    def _visit(self, station: Station) -> DriverVisit:
        return DriverVisit(
            DRIVERS_EVSE,
            _VEHICLE,
            IdToken(_token(station.config.station_id)),
            stay_s=self._rng.uniform(120, 360),
            order=self._rng.choice(list(Order)),
            departure=self._rng.choice(list(Departure)),
        )


def _token(station_id: str) -> str:
    """Return the token of a station's regulars. Spec: OCPP 1.6 idTag, at most 20 characters."""
    return f"T-{station_id}"[:20]


def _delivered(station: Station) -> int:
    return sum(entry.stop_answered for entry in station.history.transactions)


def _settled(station: Station) -> bool:
    return station.settled and all(entry.settled for entry in station.history.transactions)


def _plight(station: Station) -> str:
    """Say where a station is and which messages it waits with."""
    where = "online" if station.online else "connected" if station.connected else "offline"
    waits = [
        f"{message.kind} of {entry.transaction_id} (sent {len(message.message_ids)} times, {message.refusals[-1:]})"
        for entry in station.history.transactions
        for message in entry.messages
        if message.fate is Fate.QUEUED
    ]
    what = "; ".join(waits[:3]) or "somebody is there"
    return f"{station.config.station_id} ({station.config.version}) is {where}: {what}"
