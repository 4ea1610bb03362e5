"""The test bed: stations, what they do, where they connect, and meters on every process of what is measured."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

from picows import WSError

from chargebus_bench import frames
from chargebus_bench.load import Measured
from chargebus_bench.scripts import Scripts
from chargebus_bench.station import ConnectionLostError, Station
from chargebus_bench.usage import Meter

EDGE = "edge"
BOOTS_AT_ONCE = 100
WARM_UP_STATIONS = 100


@dataclass(frozen=True)
class Bed:
    """What scenarios work with; `stations` may connect to `ocpp_url`, and are connected once they were booted."""

    ocpp_url: str
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

    async def leave(self) -> None:
        """Take all stations off, and wait until that is worked off."""
        await _close(self.stations)
        await self.meter.quiet()

    async def _boot_next(self, waiting: Iterator[Station], measured: Measured) -> None:
        for station in waiting:
            started = perf_counter()
            try:
                await station.connect(self.ocpp_url)
                answer = await station.call(frames.boot_notification(station.next_number()))
            except (OSError, WSError, ConnectionLostError) as error:
                measured.fail(f"{station.station_id}: {error!r}")
                continue
            measured.count(perf_counter() - started)
            if b"Accepted" not in answer:
                measured.fail(answer.decode(errors="replace"))


@asynccontextmanager
async def warmed(bed: Bed, stations: Sequence[Station]) -> AsyncIterator[None]:
    """Let every process do once what it will be measured at, and rest; close the bed's stations at the end.

    Args:
        bed: what will be measured.
        stations: such as are not the bed's own; they come and go.

    Raises:
        ConnectionLostError: they could not be booted.
    """
    booted = await bed.boot(stations)
    if booted.failures:
        raise ConnectionLostError(booted.errors[0])
    for station in stations:
        await station.call(frames.heartbeat(station.next_number()))
    await _close(stations)
    await bed.meter.quiet()
    try:
        yield
    finally:
        await _close(bed.stations)


def names(prefix: str, count: int) -> list[str]:
    """Return so many identities for stations."""
    return [f"{prefix}-{number:06d}" for number in range(count)]


async def _close(stations: Sequence[Station]) -> None:
    await asyncio.gather(*(station.close() for station in stations))
