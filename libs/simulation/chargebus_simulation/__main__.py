"""`python -m chargebus_simulation days`, `… year`, `… compare`: what proves smart charging, at its full length."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec

from chargebus_simulation.comparison import (
    SITES,
    Contender,
    Figures,
    Log,
    as_json,
    plot,
    row,
    table,
)
from chargebus_simulation.days import Day, Days, simulated_day
from chargebus_simulation.ours import OURS, OURS_FOR_COST
from chargebus_simulation.policies import POLICIES

FOLDER: Final = Path("docs/benchmarks")


def main() -> int:
    """Run what is asked for; 1 where a property did not hold."""
    parser = argparse.ArgumentParser(prog="python -m chargebus_simulation", description=__doc__)
    parts = parser.add_subparsers(required=True)
    days = parts.add_parser("days", help="seeded days of small sites with stations that deviate: what must hold")
    days.add_argument("--first", type=int, default=0, help="the first seed (0)")
    days.add_argument("--count", type=int, default=10_000, help="how many days (10000)")
    days.add_argument("--jobs", type=int, default=1, help="how many days side by side, each in a process (1)")
    days.add_argument("--log", type=Path, help="a file with a line for each day; days that it has are not run again")
    days.add_argument("--out", type=Path, help="the JSON file of what they came to")
    days.set_defaults(run=_days)
    year = parts.add_parser("year", help="a year of a small site with stations that deviate, and the CPU time it takes")
    year.add_argument("--seed", type=int, default=9, help="of the site (9)")
    year.add_argument("--days", type=int, default=365, help="how many days (365)")
    year.set_defaults(run=_year)
    compare = parts.add_parser("compare", help="ways of planning on the same days: a table, JSON and a chart")
    compare.add_argument("--days", type=int, default=2, help="how many days of each site (2)")
    compare.add_argument("--sites", nargs="+", choices=tuple(SITES), default=tuple(SITES), metavar="SITE")
    compare.add_argument(
        "--log", type=Path, help="a file with a line for each figure; those that it has are not run again"
    )
    compare.add_argument("--out", type=Path, default=FOLDER, help=f"the folder ({FOLDER})")
    compare.set_defaults(run=_compare)
    chosen = parser.parse_args()
    return int(chosen.run(chosen))


def _days(chosen: argparse.Namespace) -> int:
    began = _cpu_s()
    days = Days()
    known: dict[int, Day] = {}
    if chosen.log is not None and chosen.log.exists():
        lines = chosen.log.read_text().splitlines()
        known = {day.seed: day for day in (msgspec.json.decode(line, type=Day) for line in lines)}
    seeds = range(chosen.first, chosen.first + chosen.count)
    for day in (known[seed] for seed in seeds if seed in known):
        days.add(day)
    for day in _simulated([seed for seed in seeds if seed not in known], chosen.jobs):
        days.add(day)
        for breach in day.breaches:
            _say(f"day {day.seed}: {breach}")
        if chosen.log is not None:
            with chosen.log.open("a") as log:
                log.write(msgspec.json.encode(day).decode() + "\n")
    summary = msgspec.to_builtins(days) | {"cpu_s": round(_cpu_s() - began, 1)}
    _say(msgspec.json.format(msgspec.json.encode(summary)).decode())
    if chosen.out is not None:
        chosen.out.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    return int(bool(days.breaching))


def _simulated(seeds: Sequence[int], jobs: int) -> Iterator[Day]:
    """Yield the days of seeds in their order, so many side by side."""
    if jobs == 1 or len(seeds) == 1:
        yield from map(simulated_day, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(simulated_day, seeds)


def _cpu_s() -> float:
    """Return the CPU time of this process and of those of its days that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _year(chosen: argparse.Namespace) -> int:
    began = time.process_time()
    year = simulated_day(chosen.seed, chosen.days)
    found = msgspec.to_builtins(asdict(year)) | {"days": chosen.days, "cpu_s": round(time.process_time() - began, 1)}
    _say(msgspec.json.format(msgspec.json.encode(found)).decode())
    return int(bool(year.breaches))


def _compare(chosen: argparse.Namespace) -> int:
    log = Log(chosen.log, range(1, chosen.days + 1))
    others = [Contender(name, policy) for name, policy in POLICIES.items()]
    short: list[Figures] = []
    roomy: list[Figures] = []
    _say(table(()))
    for site in chosen.sites:
        for figures in log.compared((*others, *OURS), site, SITES[site].sizes_a):
            short.append(figures)
            _say(row(figures))
        for figures in log.compared((*others, *OURS_FOR_COST), site, (SITES[site].roomy_a,)):
            roomy.append(figures)
            _say(row(figures))
    chosen.out.mkdir(parents=True, exist_ok=True)
    found = {"days": chosen.days, "energy": as_json(short), "cost": as_json(roomy)}
    (chosen.out / "smart-charging.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    (chosen.out / "smart-charging.md").write_text(f"{table(short)}\n\n{table(roomy)}\n")
    (chosen.out / "smart-charging.svg").write_text(plot(short))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
