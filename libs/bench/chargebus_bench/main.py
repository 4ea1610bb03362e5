"""The command line of the benchmark: `chargebus bench`."""

import argparse
import gc
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from chargebus_embedded.jars import KAFKA_VERSION

from chargebus_bench.bed import Bed, running_bed
from chargebus_bench.machine import this_machine
from chargebus_bench.report import costs, heaviest, memory_line, save, table
from chargebus_bench.results import Report, Result
from chargebus_bench.scenarios import SCENARIOS, Scenario, measure, measure_boots

DEFAULT_FOLDER = Path("docs/benchmarks")


@dataclass(frozen=True)
class Wanted:
    """What to measure, and where to save it."""

    scenarios: tuple[Scenario, ...]
    seconds: float
    stations: int
    out: Path


def main(arguments: Sequence[str] = ()) -> int:
    """Run the benchmark; returns 1 if any call failed."""
    wanted = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="cbb-") as folder:
        report = uvloop.run(_run(wanted, Path(folder)))
    save(report, wanted.out)
    _say(f"saved {wanted.out}")
    return int(any(result.failures for result in report.results))


def _parse(arguments: Sequence[str]) -> Wanted:
    parser = argparse.ArgumentParser(
        prog="chargebus bench",
        description="Measure a whole system on this machine: Kafka, PostgreSQL, each service as a process, the load.",
        epilog="Scenarios: " + ", ".join(scenario.title for scenario in SCENARIOS),
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each scenario is measured (6)")
    parser.add_argument("--stations", type=int, default=2000, help="how many stations are connected (2000)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="scenarios, such as heartbeat or mix/20")
    parser.add_argument("--out", type=Path, help=f"the JSON file (in {DEFAULT_FOLDER}, named after the time)")
    chosen = parser.parse_args(arguments)
    scenarios = tuple(each for each in SCENARIOS if not chosen.only or {each.name, each.title} & set(chosen.only))
    if not scenarios:
        parser.error(f"no scenario is called {' or '.join(chosen.only)}")
    if chosen.stations < max(each.in_flight for each in scenarios):
        parser.error("there must be a station for each call in flight")
    out = chosen.out or DEFAULT_FOLDER / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    return Wanted(scenarios, chosen.seconds, chosen.stations, out)


async def _run(wanted: Wanted, folder: Path) -> Report:
    measured_at = datetime.now(UTC)
    _say(f"starting Kafka, PostgreSQL and the services, registering {wanted.stations} stations ...")
    async with running_bed(folder, wanted.stations) as bed:
        gc.collect()
        gc.freeze()
        booted, memory = await measure_boots(bed)
        results = [booted]
        _say(table(results).splitlines()[1])
        for scenario in wanted.scenarios:
            results.append(await measure(bed, scenario, wanted.seconds))
            _say(table(results).splitlines()[-1])
        postgresql = await _postgresql(bed)
    _tell(results, memory_line(memory))
    return Report(
        measured_at=measured_at.isoformat(timespec="seconds"),
        commit=_commit(),
        machine=this_machine(),
        kafka=KAFKA_VERSION,
        postgresql=postgresql,
        stations=wanted.stations,
        memory=memory,
        results=results,
    )


def _tell(results: Sequence[Result], memory: str) -> None:
    _say(f"\n{table(results)}\n\n{costs(results)}\n\n{memory}")
    _say(f"the load client used up to {heaviest(results):.2f} of a core")
    for result in results:
        for error in result.errors:
            _say(f"{result.scenario}/{result.in_flight}: {error}")


async def _postgresql(bed: Bed) -> str:
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
