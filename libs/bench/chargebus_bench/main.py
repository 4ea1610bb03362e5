"""The command line of the benchmark: `chargebus bench`."""

import argparse
import gc
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from chargebus_embedded.jars import KAFKA_VERSION

from chargebus_bench.bed import Bed
from chargebus_bench.machine import this_machine
from chargebus_bench.planning import planning_figures, planning_line
from chargebus_bench.report import commands_line, costs, heaviest, memory_line, save, table
from chargebus_bench.results import Memory, Report, Result, Round, command_figures, compared, result
from chargebus_bench.scenarios import BOOTS, SCENARIOS, STATION_SCENARIOS, Scenario, measure, measure_boots
from chargebus_bench.spine.bed import running_spine
from chargebus_bench.system_bed import COMMAND, SystemBed, running_system
from chargebus_bench.tls import tls_figures, tls_line

TLS = "tls"
DEFAULT_FOLDER = Path("docs/benchmarks")

_DESCRIPTION = """\
Measure a whole system on this machine: Kafka, PostgreSQL, each service as a process, the load.

Beside it runs a bare spine of the same architecture: what a frame needs to be safe and answered, and nothing else. Each
scenario is measured on the spine and on the system in turn, round by round, as machines that others share change their
pace from minute to minute. "of spine" is the system's calls/s over the spine's, here and now; "of reference" is over
those of a spine that was once measured on a quiet machine.

KAFKA_PARTITIONS (3) is how many partitions the topics of both have at most: one copy of each service needs but one.
"""


@dataclass(frozen=True)
class Wanted:
    """What to measure, on the whole system and on the spine if it is wanted, and where to save it."""

    scenarios: tuple[Scenario[SystemBed], ...]
    seconds: float
    rounds: int
    stations: int
    spine: bool
    planning: bool
    tls: bool
    out: Path

    @property
    def spine_scenarios(self) -> tuple[Scenario[Bed], ...]:
        """Those of the scenarios that a spine can do."""
        return tuple(each for each in STATION_SCENARIOS if each in self.scenarios)


@dataclass
class Measurements:
    """What was measured; `spine` stays empty if it is not wanted."""

    memory: Memory
    results: list[Result] = field(default_factory=list)
    spine: list[Result] = field(default_factory=list)

    def add(self, scenario: Scenario[Any], ours: Sequence[Round], spines: Sequence[Round]) -> None:
        """Add the rounds of a scenario on the system, and on the spine if it can do it, and show what they come to."""
        if spines:
            self.spine.append(result(scenario.name, scenario.in_flight, spines))
        self.results.append(compared(result(scenario.name, scenario.in_flight, ours), self.spine))
        _say(table(self.results).splitlines()[-1])


def main(arguments: Sequence[str] = ()) -> int:
    """Run the benchmark; returns 1 if any call failed."""
    wanted = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="cbb-") as folder:
        report = uvloop.run(_run(wanted, Path(folder)))
    save(report, wanted.out)
    _say(f"saved {wanted.out}")
    return int(any(each.failures for each in (*report.results, *report.spine)))


def parse(arguments: Sequence[str]) -> Wanted:
    """Return what the arguments ask for; those that ask for nothing possible end the program with a word why."""
    parser = argparse.ArgumentParser(
        prog="chargebus bench",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Scenarios: " + ", ".join(scenario.title for scenario in SCENARIOS),
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each round of a scenario is measured (3)")
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds each scenario has (3)")
    parser.add_argument("--stations", type=int, default=2000, help="how many stations are connected (2000)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="scenarios, such as heartbeat or mix/20; tls"
    )
    parser.add_argument("--no-spine", dest="spine", action="store_false", help='skip the spine; "of spine" stays empty')
    parser.add_argument("--out", type=Path, help=f"the JSON file (in {DEFAULT_FOLDER}, named after the time)")
    chosen = parser.parse_args(arguments)
    scenarios = tuple(each for each in SCENARIOS if not chosen.only or {each.name, each.title} & set(chosen.only))
    tls = not chosen.only or TLS in chosen.only
    if not scenarios and not tls:
        parser.error(f"no scenario is called {' or '.join(chosen.only)}")
    if chosen.stations < max((each.in_flight for each in scenarios), default=1):
        parser.error("there must be a station for each call in flight")
    if chosen.rounds < 1:
        parser.error("there must be a round")
    out = chosen.out or DEFAULT_FOLDER / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    return Wanted(
        scenarios,
        chosen.seconds,
        chosen.rounds,
        chosen.stations,
        chosen.spine,
        planning=not chosen.only,
        tls=tls,
        out=out,
    )


async def _run(wanted: Wanted, folder: Path) -> Report:
    measured_at = datetime.now(UTC)
    async with spine_bed(wanted, folder / "spine") as spine:
        _say(f"starting Kafka, PostgreSQL and the services, registering {wanted.stations} stations ...")
        async with running_system(folder / "system", wanted.stations) as bed:
            measured = await _measure(wanted, bed, spine)
            tls = await tls_figures(bed) if wanted.tls else None
            postgresql = await _postgresql(bed)
    planning = planning_figures() if wanted.planning else None
    if measured.spine:
        _tell("The spine", measured.spine)
    _tell("The whole system", measured.results)
    _say(memory_line(measured.memory))
    if tls is not None:
        _say(tls_line(tls))
    commands = command_figures(measured.results, COMMAND)
    if commands is not None:
        _say(commands_line(commands))
    if planning is not None:
        _say(planning_line(planning))
    return Report(
        measured_at=measured_at.isoformat(timespec="seconds"),
        commit=_commit(),
        machine=this_machine(),
        kafka=KAFKA_VERSION,
        postgresql=postgresql,
        stations=wanted.stations,
        memory=measured.memory,
        results=measured.results,
        spine=measured.spine,
        commands=commands,
        planning=planning,
        tls=tls,
    )


@asynccontextmanager
async def spine_bed(wanted: Wanted, folder: Path) -> AsyncIterator[Bed | None]:
    """Run a spine beside the system, if it is wanted."""
    if not wanted.spine:
        yield None
        return
    _say("starting Kafka, PostgreSQL and the bare spine ...")
    async with running_spine(folder, wanted.stations) as bed:
        yield bed


async def _measure(wanted: Wanted, bed: SystemBed, spine: Bed | None) -> Measurements:
    """Measure scenario by scenario, each on the spine and on the system in turn."""
    gc.collect()
    gc.freeze()
    measured = await _measure_boots(wanted, bed, spine)
    can_do = {each.title: each for each in wanted.spine_scenarios}
    for scenario in wanted.scenarios:
        twin = can_do.get(scenario.title)
        ours: list[Round] = []
        spines: list[Round] = []
        for _ in range(wanted.rounds):
            if spine is not None and twin is not None:
                spines.append(await measure(spine, twin, wanted.seconds))
            ours.append(await measure(bed, scenario, wanted.seconds))
        measured.add(scenario, ours, spines)
    return measured


async def _measure_boots(wanted: Wanted, bed: SystemBed, spine: Bed | None) -> Measurements:
    """Measure boots, all stations at each round, and with the first one what a connection weighs."""
    ours: list[tuple[Round, Memory]] = []
    spines: list[tuple[Round, Memory]] = []
    for _ in range(wanted.rounds):
        if spine is not None:
            spines.append(await measure_boots(spine))
        ours.append(await measure_boots(bed))
    spines_kib = spines[0][1].kib_per_connection if spines else None
    measured = Measurements(msgspec.structs.replace(ours[0][1], spine_kib_per_connection=spines_kib))
    measured.add(BOOTS, [each for each, _ in ours], [each for each, _ in spines])
    return measured


def _tell(what: str, results: Sequence[Result]) -> None:
    _say(f"\n{what}\n\n{table(results)}\n\n{costs(results)}\n")
    _say(f"the load client used up to {heaviest(results):.2f} of a core")
    for each in results:
        for error in each.errors:
            _say(f"{each.title}: {error}")


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
