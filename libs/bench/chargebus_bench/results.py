"""What the benchmark found: figures of each scenario, of memory, of the machine, and the spine to compare with."""

from collections.abc import Sequence
from importlib.resources import files

import msgspec

from chargebus_bench.load import Measured
from chargebus_bench.machine import Machine

_MS = 1000
_THOUSAND = 1000


class Spine(msgspec.Struct, frozen=True):
    """What a bare prototype of the architecture does, by scenario; see `spine.json`."""

    about: str
    memory_kib_per_connection: float
    calls_s: dict[str, tuple[float, float]]

    def ratio(self, scenario: str, calls_s: float) -> float | None:
        """Return ours over the spine's middle, or None where it has no figure."""
        found = self.calls_s.get(scenario)
        return None if found is None else calls_s / (sum(found) / len(found))


def spine() -> Spine:
    """Return the figures of the spine."""
    return msgspec.json.decode(files("chargebus_bench").joinpath("spine.json").read_bytes(), type=Spine)


class Cost(msgspec.Struct, frozen=True):
    """CPU by process: cores in use while the load went on, and seconds until all its consequences were worked off."""

    cores: dict[str, float]
    cpu_s: dict[str, float]
    catch_up_s: float


class Result(msgspec.Struct, frozen=True):
    """The figures of one scenario; latencies in milliseconds, `ratio` is ours over the spine's calls/s."""

    scenario: str
    in_flight: int
    seconds: float
    calls: int
    calls_s: float
    p50_ms: float
    p99_ms: float
    failures: int
    errors: list[str]
    cores: dict[str, float]
    cpu_s_per_thousand: dict[str, float]
    catch_up_s: float
    ratio: float | None


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of the edge, and what one idle connection adds to it."""

    connections: int
    edge_mib_without: float
    edge_mib_with: float
    kib_per_connection: float
    spine_kib_per_connection: float


class Report(msgspec.Struct, frozen=True):
    """All of it, as it is saved."""

    measured_at: str
    commit: str
    machine: Machine
    kafka: str
    postgresql: str
    stations: int
    memory: Memory
    results: list[Result]


def result(name: str, in_flight: int, measured: Measured, cost: Cost) -> Result:
    """Return the figures of a load and its cost."""
    calls = len(measured.latencies)
    calls_s = calls / measured.seconds
    ratio = spine().ratio(f"{name}/{in_flight}", calls_s)
    per_thousand = measured.answered / _THOUSAND
    return Result(
        scenario=name,
        in_flight=in_flight,
        seconds=round(measured.seconds, 2),
        calls=calls,
        calls_s=round(calls_s, 1),
        p50_ms=round(percentile(measured.latencies, 0.5) * _MS, 2),
        p99_ms=round(percentile(measured.latencies, 0.99) * _MS, 2),
        failures=measured.failures,
        errors=measured.errors,
        cores={process: round(cores, 2) for process, cores in cost.cores.items()},
        cpu_s_per_thousand={
            process: round(cpu_s / per_thousand, 4) if per_thousand else 0.0 for process, cpu_s in cost.cpu_s.items()
        },
        catch_up_s=round(cost.catch_up_s, 1),
        ratio=None if ratio is None else round(ratio, 2),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed; 0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
