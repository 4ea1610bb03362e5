"""The test bed: a system in processes, registered stations, tokens, and meters on every process."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from chargebus_testkit.system import System
from picows import WSError

from chargebus_bench import frames
from chargebus_bench.load import Measured
from chargebus_bench.scripts import ID_TAGS, Scripts
from chargebus_bench.station import ConnectionLostError, Station
from chargebus_bench.usage import Meter

EDGE = "edge"
COMMAND = "command"
BOOTS_AT_ONCE = 100

_WARM_UP = 100
_REGISTERED_AT_ONCE = 1000


@dataclass(frozen=True)
class Bed:
    """What scenarios work with; `stations` are registered, and connected once they were booted."""

    system: System
    stations: Sequence[Station]
    scripts: Scripts
    meter: Meter

    @property
    def station_ids(self) -> list[str]:
        """The identities of all stations."""
        return [station.station_id for station in self.stations]

    async def boot(self, stations: Sequence[Station], in_flight: int = BOOTS_AT_ONCE) -> Measured:
        """Connect and boot stations, so many at a time; a call is what it takes one to be connected and accepted."""
        started = perf_counter()
        measured = Measured(0)
        waiting = iter(stations)
        await asyncio.gather(*(self._boot_next(waiting, measured) for _ in range(in_flight)))
        measured.seconds = perf_counter() - started
        return measured

    async def _boot_next(self, waiting: Iterator[Station], measured: Measured) -> None:
        for station in waiting:
            started = perf_counter()
            try:
                await station.connect(self.system.ocpp_url)
                answer = await station.call(frames.boot_notification(station.next_number()))
            except (OSError, WSError, ConnectionLostError) as error:
                measured.fail(f"{station.station_id}: {error!r}")
                continue
            measured.count(perf_counter() - started)
            if b"Accepted" not in answer:
                measured.fail(answer.decode(errors="replace"))


@asynccontextmanager
async def running_bed(folder: Path, station_count: int) -> AsyncIterator[Bed]:
    """Start a system with registered stations and tokens, its processes warm and at rest; stop it at the end."""
    async with System(folder) as system:
        await system.start()
        warm_up, stations = await _register(system, _WARM_UP), await _register(system, station_count, "cs")
        await _add_tokens(system)
        meter = Meter(
            {
                **{process.name: process.pid for process in system.processes},
                "kafka": system.kafka.pid,
                "postgresql": system.postgres.pid,
            }
        )
        bed = Bed(system, stations, Scripts(datetime.now(UTC).date()), meter)
        await _warm(bed, warm_up)
        try:
            yield bed
        finally:
            await _close(stations)


async def _register(system: System, count: int, prefix: str = "warm") -> list[Station]:
    names = [f"{prefix}-{number:06d}" for number in range(count)]
    stations: list[Station] = []
    async with system.api() as api:
        for start in range(0, count, _REGISTERED_AT_ONCE):
            passwords = await api.register(names[start : start + _REGISTERED_AT_ONCE])
            stations += [Station(name, password) for name, password in passwords.items()]
    return stations


async def _add_tokens(system: System) -> None:
    async with system.api() as api:
        for tag in ID_TAGS:
            await api.add_token(tag)


async def _warm(bed: Bed, stations: Sequence[Station]) -> None:
    """Let every process do once what it will be measured at."""
    booted = await bed.boot(stations)
    if booted.failures:
        raise ConnectionLostError(booted.errors[0])
    for station in stations:
        await station.call(frames.heartbeat(station.next_number()))
    await _close(stations)
    await bed.meter.quiet()


async def _close(stations: Sequence[Station]) -> None:
    await asyncio.gather(*(station.close() for station in stations))
