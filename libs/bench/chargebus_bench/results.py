"""What the benchmark found: figures of each scenario, of memory, of the machine, and how they compare."""

from collections.abc import Sequence

import msgspec

from chargebus_bench.load import Measured
from chargebus_bench.machine import Machine
from chargebus_bench.planning import PlanningFigures
from chargebus_bench.reference import reference
from chargebus_bench.tls import TlsFigures

_MS = 1000
_THOUSAND = 1000


class Cost(msgspec.Struct, frozen=True):
    """CPU by process: cores in use while the load went on, and seconds until all its consequences were worked off."""

    cores: dict[str, float]
    cpu_s: dict[str, float]
    catch_up_s: float


class Round(msgspec.Struct, frozen=True):
    """One of the times that a scenario was measured."""

    measured: Measured
    cost: Cost


class Result(msgspec.Struct, frozen=True):
    """The figures of one scenario over all its rounds; latencies in milliseconds.

    `of_spine` is our calls/s over those of the spine measured in the same run, `of_reference` over the reference's;
    None where there is nothing to compare with.
    """

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
    of_spine: float | None
    of_reference: float | None

    @property
    def title(self) -> str:
        """The name of the scenario, as it is chosen and compared."""
        return f"{self.scenario}/{self.in_flight}"


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of the edge, and what one idle connection adds to it: here, to the spine, to the reference.

    The spine's is None unless it was measured in the same run.
    """

    connections: int
    edge_mib_without: float
    edge_mib_with: float
    kib_per_connection: float
    spine_kib_per_connection: float | None
    reference_kib_per_connection: float


class CommandFigures(msgspec.Struct, frozen=True):
    """What a command over HTTP costs beside one on Kafka, and how long one of twenty takes beside one alone.

    CPU is that of the process `command`, with twenty in flight; a latency is the median. The ratios are what two
    machines can be compared by.
    """

    http_cpu_ms: float
    kafka_cpu_ms: float
    http_cpu_of_kafka: float
    one_ms: float
    twenty_ms: float
    twenty_of_one: float


class Report(msgspec.Struct, frozen=True):
    """All of it, as it is saved; `spine` is empty if it was not measured, `commands` is None."""

    measured_at: str
    commit: str
    machine: Machine
    kafka: str
    postgresql: str
    stations: int
    memory: Memory
    results: list[Result]
    spine: list[Result]
    commands: CommandFigures | None = None
    planning: PlanningFigures | None = None
    tls: TlsFigures | None = None


def together(rounds: Sequence[Round]) -> Round:
    """Return rounds of equal length as one: counts and CPU add up, cores are the mean, the longest catch-up counts."""
    measured, costs = Measured(0), [each.cost for each in rounds]
    for each in rounds:
        measured.add(each.measured)
    cost = Cost(
        cores={process: sum(cost.cores[process] for cost in costs) / len(costs) for process in costs[0].cores},
        cpu_s={process: sum(cost.cpu_s[process] for cost in costs) for process in costs[0].cpu_s},
        catch_up_s=max(cost.catch_up_s for cost in costs),
    )
    return Round(measured, cost)


def result(name: str, in_flight: int, rounds: Sequence[Round]) -> Result:
    """Return the figures of a load and its cost, compared with the reference."""
    whole = together(rounds)
    measured, cost = whole.measured, whole.cost
    calls = len(measured.latencies)
    calls_s = calls / measured.seconds
    of_reference = reference().ratio(f"{name}/{in_flight}", calls_s)
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
        of_spine=None,
        of_reference=None if of_reference is None else round(of_reference, 2),
    )


def compared(found: Result, spine: Sequence[Result]) -> Result:
    """Return the figures compared with the spine's, if it answered anything in the same scenario."""
    calls_s = next((result.calls_s for result in spine if result.title == found.title), 0.0)
    return msgspec.structs.replace(found, of_spine=round(found.calls_s / calls_s, 2) if calls_s else None)


def command_figures(results: Sequence[Result], process: str) -> CommandFigures | None:
    """Return how commands over HTTP and on Kafka compare; None if any of the scenarios is missing or got no answer."""
    found = {each.title: each for each in results if each.calls}
    if not {"command_http/1", "command_http/20", "command/20"} <= found.keys():
        return None
    one, twenty, kafka = found["command_http/1"], found["command_http/20"], found["command/20"]
    http_ms, kafka_ms = (each.cpu_s_per_thousand.get(process, 0.0) for each in (twenty, kafka))
    return CommandFigures(
        http_cpu_ms=round(http_ms, 2),
        kafka_cpu_ms=round(kafka_ms, 2),
        http_cpu_of_kafka=round(http_ms / kafka_ms, 2) if kafka_ms else 0.0,
        one_ms=one.p50_ms,
        twenty_ms=twenty.p50_ms,
        twenty_of_one=round(twenty.p50_ms / one.p50_ms, 2),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed; 0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
