"""What becomes of measurements: figures, ratios, tables, JSON."""

from array import array

import msgspec
import pytest
from chargebus_bench.load import Measured
from chargebus_bench.machine import Machine, this_machine
from chargebus_bench.planning import PlanningFigures, planning_line
from chargebus_bench.reference import reference
from chargebus_bench.report import commands_line, costs, heaviest, memory_line, save, table
from chargebus_bench.results import (
    CommandFigures,
    Cost,
    Memory,
    Report,
    Round,
    command_figures,
    compared,
    percentile,
    result,
)
from chargebus_bench.scenarios import STATION_SCENARIOS

COST = Cost(cores={"edge": 0.5, "client": 0.1}, cpu_s={"edge": 2.0, "client": 0.2}, catch_up_s=1.5)


def measured(seconds: float = 2.0, calls: int = 100) -> Measured:
    return Measured(seconds, array("d", (number / 1000 for number in range(1, calls + 1))), answered=2 * calls)


def once(seen: Measured | None = None) -> list[Round]:
    return [Round(seen or measured(), COST)]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 100)],
)
def test_a_percentile_is_the_value_that_its_share_does_not_exceed(values, share, expected):
    assert percentile(values, share) == expected


def test_a_result_counts_what_was_measured_and_shares_the_cost_over_all_that_was_answered():
    found = result("heartbeat", 50, once())
    assert (found.calls, found.calls_s, found.p50_ms, found.p99_ms) == (100, 50.0, 51.0, 100.0)
    assert found.cpu_s_per_thousand == {"edge": 10.0, "client": 1.0}
    assert (found.cores["edge"], found.catch_up_s) == (0.5, 1.5)


def test_rounds_count_as_one():
    failed = Measured(3.0, array("d", [0.5]), answered=10, failures=2, errors=["lost"])
    busier = Cost(cores={"edge": 0.7, "client": 0.3}, cpu_s={"edge": 1.0, "client": 0.2}, catch_up_s=0.5)
    found = result("heartbeat", 50, [*once(), Round(failed, busier)])
    assert (found.seconds, found.calls, found.calls_s, found.p99_ms) == (5.0, 101, 20.2, 100.0)
    assert (found.failures, found.errors) == (2, ["lost"])
    assert found.cores == {"edge": 0.6, "client": 0.2}
    assert found.cpu_s_per_thousand == {"edge": round(3.0 / 0.21, 4), "client": round(0.4 / 0.21, 4)}
    assert found.catch_up_s == 1.5


def test_a_result_is_compared_with_the_middle_of_the_references_two_runs():
    lower, upper = reference().calls_s["heartbeat/50"]
    found = result("heartbeat", 50, once(measured(1.0, int((lower + upper) / 4))))
    assert found.of_reference == pytest.approx(0.5, abs=0.01)


def test_a_result_is_compared_with_the_spine_of_this_run_in_the_same_scenario():
    spine = [
        result("heartbeat", 1, once(measured(1.0, 7))),
        result("heartbeat", 50, once(measured(1.0, 400))),
    ]
    found = compared(result("heartbeat", 50, once(measured(1.0, 100))), spine)
    assert found.of_spine == 0.25
    assert found.of_reference == result("heartbeat", 50, once(measured(1.0, 100))).of_reference


@pytest.mark.parametrize(
    "spine", [[], [result("heartbeat", 50, once(Measured(1.0)))]], ids=["skipped", "answered nothing"]
)
def test_without_figures_of_the_spine_there_is_no_ratio(spine):
    assert compared(result("heartbeat", 50, once()), spine).of_spine is None


def test_what_a_spine_cannot_do_has_no_ratio():
    found = compared(result("command", 200, once()), [result("heartbeat", 50, once())])
    assert (found.of_spine, found.of_reference) == (None, None)


def test_nothing_answered_is_told_and_divides_nothing():
    found = result("heartbeat", 50, once(Measured(1.0, failures=3)))
    assert (found.calls_s, found.p99_ms, found.failures) == (0.0, 0.0, 3)
    assert found.cpu_s_per_thousand == {"edge": 0.0, "client": 0.0}


def test_the_reference_has_a_figure_for_everything_that_a_spine_can_do():
    assert set(reference().calls_s) == {"boots/100", *(scenario.title for scenario in STATION_SCENARIOS)}


def commands(cpu_s: dict[str, float], slower: float = 1.0) -> list[Round]:
    seen = measured()
    seen.latencies = array("d", (slower * seconds for seconds in seen.latencies))
    return [Round(seen, Cost(cores={"command": 0.5}, cpu_s=cpu_s, catch_up_s=0.0))]


def test_commands_over_http_are_compared_with_those_on_kafka_and_twenty_with_one():
    results = [
        result("command_http", 1, commands({"command": 1.0})),
        result("command_http", 20, commands({"command": 0.6}, slower=3)),
        result("command", 20, commands({"command": 0.2})),
    ]
    figures = command_figures(results, "command")
    assert figures == CommandFigures(3.0, 1.0, 3.0, 51.0, 153.0, 3.0)
    assert "3.0 times one on Kafka (1.0 ms)" in commands_line(figures)
    assert "153.0 ms, 3.0 times one alone (51.0 ms)" in commands_line(figures)
    assert command_figures(results[1:], "command") is None


def test_tables_are_aligned_and_hold_every_scenario():
    results = [result("heartbeat", 400, once()), result("mix", 20, once())]
    for printed in (table(results), costs(results)):
        lines = printed.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert [line.split()[0].partition("/")[0] for line in lines[1:]] == ["heartbeat", "mix"]
    assert "10.000 (0.50)" in costs(results)
    assert heaviest(results) == 0.1


def test_both_ratios_have_a_column_of_their_own():
    spine = [result("heartbeat", 50, once(measured(1.0, 400)))]
    found = compared(result("heartbeat", 50, once(measured(1.0, 100))), spine)
    head, *rows = table([found, result("command", 1, once())]).splitlines()
    end_of_spine, end_of_reference = (head.index(title) + len(title) for title in ("of spine", "of reference"))
    assert [row[:end_of_spine].rsplit(" ", 1)[1] for row in rows] == ["0.25", ""]
    assert [row[:end_of_reference].rsplit(" ", 1)[1] for row in rows] == [f"{found.of_reference:.2f}", ""]


def test_a_connections_weight_is_shown_beside_the_spines_and_the_references():
    memory = Memory(2000, 100.0, 120.0, 10.2, 12.4, 13.5)
    assert "10.2 KiB each" in memory_line(memory)
    assert "the spine: 12.4 KiB; the reference: 13.5 KiB" in memory_line(memory)
    assert "the spine" not in memory_line(msgspec.structs.replace(memory, spine_kib_per_connection=None))


def test_a_report_is_saved_with_the_machines_size_and_not_its_name(tmp_path):
    memory = Memory(2000, 100.0, 120.0, 10.2, None, 13.5)
    found = result("mix", 20, once())
    report = Report("2024-05-01", "abc", this_machine(), "4.1.0", "18", 2000, memory, [found], [found])
    path = tmp_path / "new" / "folder" / "report.json"
    save(report, path)
    assert msgspec.json.decode(path.read_bytes(), type=Report) == report
    assert set(Machine.__struct_fields__) == {"processor", "cores", "memory_gib", "system", "python", "versions"}


def test_planning_is_shown_beside_what_it_may_take():
    line = planning_line(PlanningFigures(1000, 0.05, 0.02, 0.5, 0.01, 2000, 20, 30.0))
    assert "a plan of 1000 vehicles costs 0.05 s of CPU (0.50 of what it may)" in line
    assert "by the optimiser 0.5 s (0.25), and leaves 2.00% and 1.00% unserved" in line
    assert "2000 sites of 20 EVSEs anew costs 30.0 s (0.50)" in line
