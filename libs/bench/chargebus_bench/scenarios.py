"""The scenarios, each bounded in time, and how one is measured."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from chargebus_bench.bed import BOOTS_AT_ONCE, EDGE, Bed
from chargebus_bench.commands import CommandLoad, over_http
from chargebus_bench.load import Measured, Script, Shape, drive
from chargebus_bench.reference import reference
from chargebus_bench.results import Cost, Memory, Round
from chargebus_bench.scripts import Scripts
from chargebus_bench.station import Station
from chargebus_bench.system_bed import COMMAND, SystemBed
from chargebus_bench.usage import since

AnyBed_contra = TypeVar("AnyBed_contra", bound=Bed, contravariant=True)

_KIB = 1024
_MIB = 1024 * _KIB


@dataclass(frozen=True)
class Scenario(Generic[AnyBed_contra]):
    """A load with a name: `run` takes the bed, how many calls are in flight, and for how many seconds."""

    name: str
    in_flight: int
    about: str
    run: Callable[[AnyBed_contra, int, float], Awaitable[Measured]]

    @property
    def title(self) -> str:
        """The name by which it is chosen and compared."""
        return f"{self.name}/{self.in_flight}"


def _stations_call(script: Callable[[Scripts, Station], Script]) -> Callable[[Bed, int, float], Awaitable[Measured]]:
    async def run(bed: Bed, in_flight: int, seconds: float) -> Measured:
        return await drive(Shape(lambda station: script(bed.scripts, station), in_flight, seconds), bed.stations)

    return run


async def _commands_over_http(bed: SystemBed, in_flight: int, seconds: float) -> Measured:
    address = (bed.system[COMMAND].place.http_url, bed.system.admin_key)
    return await over_http(address, bed.station_ids, in_flight, seconds)


async def _commands(bed: SystemBed, in_flight: int, seconds: float) -> Measured:
    return await CommandLoad(bed.system.kafka.bootstrap_servers, bed.station_ids).run(in_flight, seconds)


async def _boots(bed: Bed, in_flight: int, _seconds: float) -> Measured:
    return await bed.boot(bed.stations, in_flight)


BOOTS = Scenario("boots", BOOTS_AT_ONCE, "connect, boot, be accepted", _boots)

_HEARTBEAT = "Heartbeat, answered by the edge"
_AUTHORIZE = "Authorize, decided by session"
_TRANSACTION = "start, reading, stop: calls of whole transactions"
_MIX = "20 % Heartbeat, 10 % StatusNotification, 40 % MeterValues, 10 % Authorize, 20 % transactions"
_HTTP = "commands by HTTP until their outcome"
_KAFKA = "commands on Kafka until their outcome"

STATION_SCENARIOS: tuple[Scenario[Bed], ...] = (
    Scenario("heartbeat", 1, _HEARTBEAT, _stations_call(Scripts.heartbeat)),
    Scenario("heartbeat", 50, _HEARTBEAT, _stations_call(Scripts.heartbeat)),
    Scenario("heartbeat", 400, _HEARTBEAT, _stations_call(Scripts.heartbeat)),
    Scenario("authorize", 1, _AUTHORIZE, _stations_call(Scripts.authorize)),
    Scenario("authorize", 200, _AUTHORIZE, _stations_call(Scripts.authorize)),
    Scenario("transaction", 20, _TRANSACTION, _stations_call(Scripts.transaction)),
    Scenario("transaction", 200, _TRANSACTION, _stations_call(Scripts.transaction)),
    Scenario("mix", 20, _MIX, _stations_call(Scripts.mix)),
)
"""What needs stations only: the spine can do it, too."""

COMMAND_SCENARIOS: tuple[Scenario[SystemBed], ...] = (
    Scenario("command_http", 1, _HTTP, _commands_over_http),
    Scenario("command_http", 20, _HTTP, _commands_over_http),
    Scenario("command", 1, _KAFKA, _commands),
    Scenario("command", 20, _KAFKA, _commands),
    Scenario("command", 200, _KAFKA, _commands),
)

SCENARIOS: tuple[Scenario[SystemBed], ...] = (*STATION_SCENARIOS, *COMMAND_SCENARIOS)


async def measure(bed: AnyBed_contra, scenario: Scenario[AnyBed_contra], seconds: float) -> Round:
    """Run a scenario and account for it until all its consequences are worked off.

    Raises:
        TimeoutError: calls were left without an answer.
    """
    before, started = bed.meter.cpu_s(), perf_counter()
    measured = await scenario.run(bed, scenario.in_flight, seconds)
    loaded, elapsed = since(before, bed.meter.cpu_s()), perf_counter() - started
    catch_up_s = await bed.meter.quiet()
    cost = Cost(
        cores={process: used / elapsed for process, used in loaded.items()},
        cpu_s=since(before, bed.meter.cpu_s()),
        catch_up_s=catch_up_s,
    )
    return Round(measured, cost)


async def measure_boots(bed: Bed) -> tuple[Round, Memory]:
    """Connect and boot all stations, whether they were connected before or not; then see what an idle one weighs."""
    await bed.leave()
    without = bed.meter.rss_bytes(EDGE)
    booted = await measure(bed, BOOTS, 0)
    with_stations = bed.meter.rss_bytes(EDGE)
    memory = Memory(
        connections=len(bed.stations),
        edge_mib_without=round(without / _MIB, 1),
        edge_mib_with=round(with_stations / _MIB, 1),
        kib_per_connection=round((with_stations - without) / len(bed.stations) / _KIB, 1),
        spine_kib_per_connection=None,
        reference_kib_per_connection=reference().memory_kib_per_connection,
    )
    return booted, memory
