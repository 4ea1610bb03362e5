"""The test bed of a whole system: Kafka, PostgreSQL, every service as a process, registered stations, tokens."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chargebus_embedded.child import Spawned
from chargebus_testkit.system import System
from chargebus_testkit.tls_edge import TlsEdge

from chargebus_bench.bed import WARM_UP_STATIONS, Bed, names, warmed
from chargebus_bench.scripts import ID_TAGS, Scripts
from chargebus_bench.station import Station
from chargebus_bench.usage import Meter

COMMAND = "command"

_REGISTERED_AT_ONCE = 1000
_NOT_MEASURED = {"DEVICE_VARIABLES_IN_FLIGHT": "0"}
"""No station is read whole after its first boot: that comes once in its life."""


@dataclass(frozen=True)
class SystemBed(Bed):
    """What the scenarios of a whole system work with: those that send commands speak to its services, too."""

    system: System
    tls: TlsEdge


@asynccontextmanager
async def running_system(folder: Path, station_count: int) -> AsyncIterator[SystemBed]:
    """Start a system with registered stations and tokens, its processes warm and at rest; stop it at the end."""
    tls = TlsEdge(folder)
    async with System(folder, tls.environment | _NOT_MEASURED, start=Spawned) as system:
        await system.start()
        warm_up = await _register(system, names("warm", WARM_UP_STATIONS))
        stations = await _register(system, names("cs", station_count))
        await _add_tokens(system)
        bed = SystemBed(system.ocpp_url, stations, Scripts(datetime.now(UTC).date()), meter_of(system), system, tls)
        async with warmed(bed, warm_up):
            yield bed


def meter_of(system: System) -> Meter:
    """Return what reads the cost of the processes that run now."""
    servers = {"kafka": system.kafka.pid, "postgresql": system.postgres.pid}
    return Meter({process.name: process.pid for process in system.processes} | servers)


async def _register(system: System, station_ids: Sequence[str]) -> list[Station]:
    stations: list[Station] = []
    async with system.api() as api:
        for start in range(0, len(station_ids), _REGISTERED_AT_ONCE):
            passwords = await api.register(station_ids[start : start + _REGISTERED_AT_ONCE])
            stations += [Station(name, password) for name, password in passwords.items()]
    return stations


async def _add_tokens(system: System) -> None:
    async with system.api() as api:
        for tag in ID_TAGS:
            await api.add_token(tag)
