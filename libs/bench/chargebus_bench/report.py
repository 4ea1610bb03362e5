"""The figures as a table to read and as JSON to keep."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from chargebus_bench.results import CommandFigures, Memory, Report, Result
from chargebus_bench.usage import CLIENT

_HEAD = ("scenario", "in flight", "calls/s", "of spine", "of reference", "p50 ms", "p99 ms", "failed", "catch-up s")


def table(results: Sequence[Result]) -> str:
    """Return the figures of scenarios as a table."""
    return _aligned([_HEAD, *(_figures(result) for result in results)])


def costs(results: Sequence[Result]) -> str:
    """Return, by process, the CPU seconds that a thousand calls cost in all, and the cores in use under load."""
    processes = [*dict.fromkeys(process for result in results for process in result.cores)]
    names = ["CPU s per 1,000 calls (cores)", *processes]
    return _aligned([names, *(_cost(result, processes) for result in results)])


def heaviest(results: Iterable[Result]) -> float:
    """Return the most of a core that the load client used: where it nears 1, the client bounded the load."""
    return max((result.cores.get(CLIENT, 0.0) for result in results), default=0.0)


def memory_line(memory: Memory) -> str:
    """Return what connections weigh."""
    spine = memory.spine_kib_per_connection
    beside = "" if spine is None else f"the spine: {spine} KiB; "
    return (
        f"{memory.connections} idle connections: {memory.kib_per_connection} KiB each in the edge "
        f"({memory.edge_mib_without} MiB before, {memory.edge_mib_with} MiB after; "
        f"{beside}the reference: {memory.reference_kib_per_connection} KiB)"
    )


def commands_line(figures: CommandFigures) -> str:
    """Return what commands over HTTP cost and take."""
    return (
        f"a command over HTTP costs {figures.http_cpu_ms} ms of CPU in `command`, {figures.http_cpu_of_kafka} times "
        f"one on Kafka ({figures.kafka_cpu_ms} ms); of 20 at once one takes {figures.twenty_ms} ms, "
        f"{figures.twenty_of_one} times one alone ({figures.one_ms} ms)"
    )


def save(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _figures(result: Result) -> tuple[str, ...]:
    return (
        result.scenario,
        str(result.in_flight),
        f"{result.calls_s:,.0f}",
        _ratio(result.of_spine),
        _ratio(result.of_reference),
        f"{result.p50_ms:.2f}",
        f"{result.p99_ms:.2f}",
        str(result.failures),
        f"{result.catch_up_s:.1f}",
    )


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _cost(result: Result, processes: Sequence[str]) -> tuple[str, ...]:
    cells = (
        f"{result.cpu_s_per_thousand.get(process, 0):.3f} ({result.cores.get(process, 0):.2f})" for process in processes
    )
    return (result.title, *cells)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
