"""The benchmark as it is called: what it refuses, and a short one on a spine and a whole system."""

import msgspec
import pytest
from chargebus_bench.main import main, parse, spine_bed
from chargebus_bench.results import Report

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "nonsense"], "no scenario is called nonsense"),
        (["--only", "heartbeat/400", "--stations", "50"], "a station for each call in flight"),
        (["--seconds", "long"], "invalid float value"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(arguments, reason, capsys) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert reason in capsys.readouterr().err


def test_the_spine_is_measured_at_what_it_can_do_unless_told_otherwise() -> None:
    wanted = parse(["--only", "command/1", "mix", "heartbeat/50"])
    assert wanted.spine
    assert [scenario.title for scenario in wanted.spine_scenarios] == ["heartbeat/50", "mix/20"]
    assert not parse(["--no-spine"]).spine


def test_planning_is_measured_unless_only_some_scenarios_are_wanted() -> None:
    assert parse([]).planning
    assert not parse(["--only", "mix"]).planning


async def test_a_spine_that_is_not_wanted_is_not_started(monkeypatch, tmp_path) -> None:
    def start(*_arguments: object) -> None:
        pytest.fail("the spine was started")

    monkeypatch.setattr("chargebus_bench.main.running_spine", start)
    async with spine_bed(parse(["--no-spine"]), tmp_path) as bed:
        assert bed is None


@pytest.mark.timeout(900)
@pytest.mark.real_broker
def test_a_spine_and_a_whole_system_are_measured_and_their_figures_are_saved(kafka, tmp_path, capsys) -> None:
    out = tmp_path / "report.json"
    stations_do, commands = ["heartbeat/1", "transaction/20"], ["command_http/1", "command/1"]
    chosen = ["--only", *stations_do, *commands]
    assert main(["--seconds", "0.5", "--rounds", "2", "--stations", "20", *chosen, "--out", str(out)]) == 0
    report = msgspec.json.decode(out.read_bytes(), type=Report)
    assert [result.title for result in report.results] == ["boots/100", *stations_do, *commands]
    assert [result.title for result in report.spine] == ["boots/100", *stations_do]
    assert all(result.calls > 0 and result.failures == 0 for result in (*report.results, *report.spine))
    servers = {"edge", "session", "kafka", "postgresql", "client"}
    assert all(servers | {"metering"} <= set(result.cpu_s_per_thousand) for result in report.results)
    assert all(servers == set(result.cpu_s_per_thousand) for result in report.spine)
    assert report.results[2].cpu_s_per_thousand["session"] > 0
    assert [result.of_spine is None for result in report.results] == [False, False, False, True, True]
    assert report.memory.spine_kib_per_connection is not None
    printed = capsys.readouterr().out
    assert all(result.scenario in printed for result in report.results)
    assert printed.index("\nThe spine\n") < printed.index("\nThe whole system\n")
