"""A fleet of virtual stations that lives a believable day at speed.

The command line calls it so:

    ids = fleet.station_ids(12)                    # register these, with a password each
    plan = fleet.Plan(
        url="ws://127.0.0.1:9310/ocpp",            # without a station
        passwords={"SIM-01": "…", …},              # one station for each
        drivers=Drivers(good=["DEMO0001", …], doubtful=["DEMOBLOCKED", "DEMOEXPIRED"]),
        meters=Path("data/demo-meters.json"),      # so that the meters go on where they stopped; may be left out
    )
    await fleet.run(plan, say=print)               # until cancelled; says a line now and then

`run` ends what is under way when it is cancelled, and gives its stations a few real seconds to tell it: cancel it while
the system still answers. For more than running: `Fleet(plan)` has the stations with their histories, and
`status_line()`.

A station's version, outlets and habits follow from its place in the plan, so a fleet is the same after a restart; what
its drivers do follows from `seed`, which is new for each run unless it is given. Simulated time starts a week ago, at
seven in the morning, and goes on at normal speed when it has caught up with the wall clock.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from chargebus_ocppj.versions import Version

from chargebus_station import arrivals, incidents
from chargebus_station.arrivals import Drivers
from chargebus_station.charging import Outlet
from chargebus_station.charging_habits import ChargingHabits
from chargebus_station.clock import HEAD_START, ScaledClock
from chargebus_station.config import AC_7, AC_11, AC_22, DC_150, EnergyUnit, Model, StationConfig, Tls
from chargebus_station.device_model import Setting
from chargebus_station.driver_visit import Departure, DriverVisit, Order
from chargebus_station.faults import Fault
from chargebus_station.habits import Habit
from chargebus_station.rpc import Answer
from chargebus_station.state import Evse
from chargebus_station.station import Station
from chargebus_station.transaction import IdToken

SAY_EVERY_S: Final = 15.0
CLOSING_S: Final = 5.0
"""Real seconds that the stations get to tell the end of what was under way."""

_LOOK_EVERY_S: Final = 300.0
_ALWAYS: Final = 1_000_000
_FIRST_HOUR: Final = 7
_BY_CONTRACT: Final = 0.7
"""How many of those who come where a vehicle charges by contract are that vehicle."""

_CONTRACT_AGAIN_S: Final = 3600.0
_EVSE_START: Final = {"TxCtrlr.TxStartPoint": "EVConnected", "TxCtrlr.TxStopPoint": "EVConnected"}


@dataclass(frozen=True)
class Kind:
    """One kind of station in a fleet."""

    version: Version
    model: str
    outlets: tuple[Outlet, ...]
    settings: Mapping[str, str]
    energy_unit: EnergyUnit = EnergyUnit.WH
    charging_habits: ChargingHabits = frozenset()


TOWN: Final = (
    Kind("1.6", "Duo 22", (AC_22, AC_22), {}),
    Kind("2.0.1", "Fast 150", (DC_150,), {}),
    Kind("1.6", "Wall 11", (AC_11,), {"StopTxnSampledData": "Energy.Active.Import.Register"}),
    Kind("2.1", "Duo 22", (AC_22, AC_22), {}),
    Kind("2.0.1", "Wall 11", (AC_11,), _EVSE_START),
    Kind("1.6", "Wall 7", (AC_7,), {}, EnergyUnit.KWH),
)


@dataclass(frozen=True)
class Life:
    """How a fleet lives.

    Attributes:
        speed: simulated seconds in a real one, until simulated time has caught up with the wall clock.
        begin: when simulated time begins; None is a week ago, in the morning, unless it runs at normal speed.
        at_once: the share of EVSEs whose first driver comes within `first_within_s`.
        mishaps: whether networks, connectors and power fail now and then.
    """

    speed: float = 60.0
    begin: datetime | None = None
    at_once: float = 0.35
    first_within_s: float = 600.0
    mishaps: bool = True


@dataclass(frozen=True)
class SecureConnection:
    """How a station connects over TLS: with the certificate that `tls` has, else with its password."""

    url: str
    tls: Tls


@dataclass(frozen=True)
class ContractVehicle:
    """A vehicle that charges by contract, once a pool has given it that: `pcid` is how it asks for it."""

    pcid: str
    token: IdToken


@dataclass(frozen=True)
class Plan:
    """A fleet to be; see the module for what the fields mean. `say_every_s` is real seconds.

    `habits` are those of stations, by their identities, and `faults` what they do wrong each time that an action gives
    the occasion; `kinds` are what they are, one after the other. `secure` are those that connect over TLS.
    `vehicles` charge by contract at stations of 2.0.1 and 2.1, by whose identities they are listed.
    `keep_passwords` is told what stations show, by their identities, where they were told another password.
    """

    url: str
    passwords: Mapping[str, str]
    drivers: Drivers
    life: Life = field(default_factory=Life)
    kinds: Sequence[Kind] = TOWN
    seed: int | None = None
    meters: Path | None = None
    say_every_s: float = SAY_EVERY_S
    habits: Mapping[str, frozenset[Habit]] = field(default_factory=dict)
    faults: Mapping[str, Sequence[tuple[Fault, str]]] = field(default_factory=dict)
    secure: Mapping[str, SecureConnection] = field(default_factory=dict)
    vehicles: Mapping[str, ContractVehicle] = field(default_factory=dict)
    keep_passwords: Callable[[Mapping[str, str]], None] | None = None


def station_ids(size: int) -> list[str]:
    """Return the identities of a fleet of so many stations."""
    return [f"SIM-{number:02}" for number in range(1, size + 1)]


async def run(plan: Plan, say: Callable[[str], None]) -> None:
    """Let a fleet live until cancelled; say how it does now and then."""
    await Fleet(plan).live(say)


class Fleet:
    """The stations of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seed = random.SystemRandom().getrandbits(64) if plan.seed is None else plan.seed
        life = plan.life
        morning = _morning(datetime.now(UTC)) if life.speed > 1 else None
        self.clock = ScaledClock(life.speed, life.begin or morning)
        self._kept = dict(plan.passwords)
        self._with_contract: set[str] = set()
        meters = _read_meters(plan.meters)
        self.stations = [
            Station(self._config(number, station_id, meters.get(station_id, 0)), self.clock)
            for number, station_id in enumerate(plan.passwords)
        ]
        for station in self.stations:
            for fault, action in plan.faults.get(station.config.station_id, ()):
                station.faults.arm(fault, action, _ALWAYS)

    def _config(self, number: int, station_id: str, register_wh: int) -> StationConfig:
        kind = self._plan.kinds[number % len(self._plan.kinds)]
        secure = self._plan.secure.get(station_id)
        by_certificate = secure is not None and secure.tls.certificate is not None
        return StationConfig(
            station_id=station_id,
            version=kind.version,
            url=self._plan.url if secure is None else secure.url,
            password=None if by_certificate else self._plan.passwords[station_id],
            outlets=kind.outlets,
            model=Model(model=kind.model),
            settings=dict(kind.settings),
            energy_unit=kind.energy_unit,
            local_tokens=tuple(self._plan.drivers.good[:2]),
            seed=self._seed,
            register_wh=register_wh,
            history_keep=20,
            habits=self._plan.habits.get(station_id, frozenset()),
            charging_habits=kind.charging_habits,
            tls=None if secure is None else secure.tls,
        )

    async def live(self, say: Callable[[str], None]) -> None:
        """Live until cancelled; then end in good order what is under way."""
        async with asyncio.TaskGroup() as stations:
            running = [stations.create_task(station.run()) for station in self.stations]
            try:
                await self._open(say)
            finally:
                await self._close()
                for station in running:
                    station.cancel()

    async def _open(self, say: Callable[[str], None]) -> None:
        """Let drivers come and incidents happen, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for station in self.stations:
                rng = random.Random(f"{self._seed}/{station.config.station_id}")  # noqa: S311
                if self._plan.life.mishaps:
                    tasks.create_task(incidents.live(station, rng))
                for evse in station.state.evses.values():
                    tasks.create_task(self._serve(station, evse))
                if station.config.station_id in self._plan.vehicles:
                    tasks.create_task(self._fetch_contract(station))
            tasks.create_task(self._tell(say))

    async def _serve(self, station: Station, evse: Evse) -> None:
        """Let driver after driver come to one EVSE."""
        rng = random.Random(f"{self._seed}/{station.config.station_id}/{evse.id}")  # noqa: S311
        await self.clock.sleep(rng.uniform(30, self._plan.life.first_within_s))
        coming = station.config.station_id in self._plan.vehicles or rng.random() < self._plan.life.at_once
        while True:
            if coming and evse.free:
                driver = station.visit(self._any_visit(station, evse, rng))
                await asyncio.shield(driver)  # who is here stays to the end, even when no more drivers come
            await self.clock.sleep(_LOOK_EVERY_S)
            expected = arrivals.arrivals_per_hour(evse.outlet, self.clock.now().hour) * _LOOK_EVERY_S / 3600
            coming = rng.random() < expected

    def _any_visit(self, station: Station, evse: Evse, rng: random.Random) -> DriverVisit:
        station_id, charging = station.config.station_id, self._charging()
        if station_id in self._with_contract and rng.random() < _BY_CONTRACT:
            token = self._plan.vehicles[station_id].token
            if token.text not in charging:
                visit = arrivals.any_visit(rng, evse.id, evse.outlet, token)
                return replace(visit, order=Order.PLUG_FIRST, departure=Departure.UNPLUGS)
        return arrivals.any_visit(rng, evse.id, evse.outlet, self._plan.drivers.pick(rng, charging))

    async def _fetch_contract(self, station: Station) -> None:
        """Have a vehicle ask for its contract through a station, until it gets it."""
        station_id = station.config.station_id
        while station_id not in self._with_contract:
            outcome = await station.fetch_contract(self._plan.vehicles[station_id].pcid)
            if isinstance(outcome, Answer) and outcome.payload.get("status") == "Accepted":
                self._with_contract.add(station_id)
            else:
                await self.clock.sleep(_CONTRACT_AGAIN_S)

    def _charging(self) -> set[str]:
        return {
            evse.transaction.token.text
            for station in self.stations
            for evse in station.state.evses.values()
            if evse.transaction is not None and evse.transaction.token is not None
        }

    async def _tell(self, say: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(self._plan.say_every_s)
            say(self.status_line())
            self._keep()

    async def _close(self) -> None:
        """Let everybody drive home, and the stations tell it while the system listens."""
        for station in self.stations:
            station.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                for station in self.stations:
                    await station.until(partial(_told, station))
        self._keep()

    def _keep(self) -> None:
        """Keep what stations know for the next time that they live."""
        self._keep_meters()
        if self._plan.keep_passwords is not None:
            shown = {
                station.config.station_id: station.state.settings.text(Setting.PASSWORD)
                for station in self.stations
                if station.config.password is not None
            }
            changed = {name: password for name, password in shown.items() if password != self._kept[name]}
            if changed:
                self._plan.keep_passwords(changed)
                self._kept |= changed

    def _keep_meters(self) -> None:
        if self._plan.meters is not None:
            registers = {
                station.config.station_id: max(int(evse.register_wh) for evse in station.state.evses.values())
                for station in self.stations
            }
            new = self._plan.meters.with_suffix(".new")
            new.write_text(json.dumps(registers), encoding="utf-8")
            new.replace(self._plan.meters)

    def status_line(self) -> str:
        """Return in plain words what the fleet does."""
        histories = [station.history for station in self.stations]
        evses = [evse for station in self.stations for evse in station.state.evses.values()]
        charging = [evse for evse in evses if evse.charge is not None]
        power_kw = sum(station.power_w for station in self.stations) / 1000
        ended = sum(history.transactions_ended for history in histories)
        energy_kwh = sum(history.energy_wh for history in histories) / 1000
        online = sum(station.online for station in self.stations)
        parts = [
            f"{online} of {len(self.stations)} stations online",
            f"{_count(len(charging), 'vehicle')} charging at {power_kw:.0f} kW",
            f"{_count(ended, 'charge')} done, {energy_kwh:.0f} kWh",
            *self._troubles(),
        ]
        return f"{self.clock.now():%a %H:%M} (x{self._plan.life.speed:g}): {'; '.join(parts)}"

    def _troubles(self) -> list[str]:
        refused = sum(station.history.drivers_refused for station in self.stations)
        offline = [station for station in self.stations if not station.online]
        away = [f"{one.config.station_id} is offline, {_count(one.queued, 'message')} waiting" for one in offline[:2]]
        if len(offline) > len(away):
            away = [
                f"{len(offline)} stations are offline, {_count(sum(one.queued for one in offline), 'message')} waiting"
            ]
        broken = [
            f"{station.config.station_id} has a broken connector"
            for station in self.stations
            if any(evse.faulted for evse in station.state.evses.values())
        ]
        return [*([f"{_count(refused, 'driver')} refused"] if refused else []), *away, *broken[:2]]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _told(station: Station) -> bool:
    under_way = any(evse.transaction is not None for evse in station.state.evses.values())
    return not station.online or (station.queued == 0 and not under_way)


def _morning(now: datetime) -> datetime:
    return (now - HEAD_START).replace(hour=_FIRST_HOUR, minute=0, second=0, microsecond=0)


def _read_meters(path: Path | None) -> dict[str, int]:
    if path is None or not path.exists():
        return {}
    registers: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return registers
