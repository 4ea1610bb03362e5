"""The command line of the benchmark: `chargebus bench`."""

import argparse
import gc
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop
from chargebus_embedded.jars import KAFKA_VERSION

from chargebus_bench.bed import Bed
from chargebus_bench.machine import this_machine
from chargebus_bench.report import costs, heaviest, memory_line, save, table
from chargebus_bench.results import Memory, Report, Result, compared
from chargebus_bench.scenarios import SCENARIOS, STATION_SCENARIOS, Scenario, measure, measure_boots
from chargebus_bench.spine.bed import running_spine
from chargebus_bench.system_bed import SystemBed, running_system

DEFAULT_FOLDER = Path("docs/benchmarks")

AnyBed = TypeVar("AnyBed", bound=Bed)

_DESCRIPTION = """\
Measure a whole system on this machine: Kafka, PostgreSQL, each service as a process, the load.

Before it, a bare spine of the same architecture is measured with the same load: what a frame needs to be safe and
answered, and nothing else. "of spine" is the system's calls/s over those of this spine, here and now; "of reference"
is over those of a spine that was once measured on a quiet machine.
"""


@dataclass(frozen=True)
class Wanted:
    """What to measure, on the whole system and on the spine if it is wanted, and where to save it."""

    scenarios: tuple[Scenario[SystemBed], ...]
    seconds: float
    stations: int
    spine: bool
    out: Path

    @property
    def spine_scenarios(self) -> tuple[Scenario[Bed], ...]:
        """Those of the scenarios that a spine can do."""
        return tuple(each for each in STATION_SCENARIOS if each in self.scenarios)


@dataclass(frozen=True)
class Measurements:
    """What was measured on one bed; nothing on one that was skipped."""

    results: list[Result] = field(default_factory=list)
    memory: Memory | None = None


def main(arguments: Sequence[str] = ()) -> int:
    """Run the benchmark; returns 1 if any call failed."""
    wanted = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="cbb-") as folder:
        report = uvloop.run(_run(wanted, Path(folder)))
    save(report, wanted.out)
    _say(f"saved {wanted.out}")
    return int(any(result.failures for result in (*report.results, *report.spine)))


def parse(arguments: Sequence[str]) -> Wanted:
    """Return what the arguments ask for; those that ask for nothing possible end the program with a word why."""
    parser = argparse.ArgumentParser(
        prog="chargebus bench",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Scenarios: " + ", ".join(scenario.title for scenario in SCENARIOS),
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each scenario is measured (6)")
    parser.add_argument("--stations", type=int, default=2000, help="how many stations are connected (2000)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="scenarios, such as heartbeat or mix/20")
    parser.add_argument("--no-spine", dest="spine", action="store_false", help='skip the spine; "of spine" stays empty')
    parser.add_argument("--out", type=Path, help=f"the JSON file (in {DEFAULT_FOLDER}, named after the time)")
    chosen = parser.parse_args(arguments)
    scenarios = tuple(each for each in SCENARIOS if not chosen.only or {each.name, each.title} & set(chosen.only))
    if not scenarios:
        parser.error(f"no scenario is called {' or '.join(chosen.only)}")
    if chosen.stations < max(each.in_flight for each in scenarios):
        parser.error("there must be a station for each call in flight")
    out = chosen.out or DEFAULT_FOLDER / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    return Wanted(scenarios, chosen.seconds, chosen.stations, chosen.spine, out)


async def _run(wanted: Wanted, folder: Path) -> Report:
    measured_at = datetime.now(UTC)
    spine = await measure_spine(wanted, folder / "spine")
    _say(f"starting Kafka, PostgreSQL and the services, registering {wanted.stations} stations ...")
    async with running_system(folder / "system", wanted.stations) as bed:
        results, memory = await _measure_all(bed, wanted.scenarios, wanted.seconds, spine)
        postgresql = await _postgresql(bed)
    if spine.memory is not None:
        _tell("The spine", spine.results, spine.memory)
    _tell("The whole system", results, memory)
    return Report(
        measured_at=measured_at.isoformat(timespec="seconds"),
        commit=_commit(),
        machine=this_machine(),
        kafka=KAFKA_VERSION,
        postgresql=postgresql,
        stations=wanted.stations,
        memory=memory,
        results=results,
        spine=spine.results,
    )


async def measure_spine(wanted: Wanted, folder: Path) -> Measurements:
    """Measure the spine in the scenarios that it can do, if it is wanted."""
    if not wanted.spine:
        return Measurements()
    _say("starting Kafka, PostgreSQL and the bare spine ...")
    async with running_spine(folder, wanted.stations) as bed:
        return Measurements(*await _measure_all(bed, wanted.spine_scenarios, wanted.seconds, Measurements()))


async def _measure_all(
    bed: AnyBed, scenarios: Sequence[Scenario[AnyBed]], seconds: float, spine: Measurements
) -> tuple[list[Result], Memory]:
    gc.collect()
    gc.freeze()
    booted, memory = await measure_boots(bed)
    results = [compared(booted, spine.results)]
    _say(table(results).splitlines()[1])
    for scenario in scenarios:
        results.append(compared(await measure(bed, scenario, seconds), spine.results))
        _say(table(results).splitlines()[-1])
    beside = None if spine.memory is None else spine.memory.kib_per_connection
    return results, msgspec.structs.replace(memory, spine_kib_per_connection=beside)


def _tell(what: str, results: Sequence[Result], memory: Memory) -> None:
    _say(f"\n{what}\n\n{table(results)}\n\n{costs(results)}\n\n{memory_line(memory)}")
    _say(f"the load client used up to {heaviest(results):.2f} of a core")
    for result in results:
        for error in result.errors:
            _say(f"{result.title}: {error}")


async def _postgresql(bed: SystemBed) -> str:
    connection = await bed.system.connect("session")
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run((git, "describe", "--always", "--dirty"), capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
