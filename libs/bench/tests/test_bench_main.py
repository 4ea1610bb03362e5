"""The benchmark as it is called: what it refuses, and a short one on a whole system."""

import msgspec
import pytest
from chargebus_bench.main import main
from chargebus_bench.results import Report


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


@pytest.mark.real_broker
def test_a_whole_system_is_measured_and_its_figures_are_saved(kafka, tmp_path, capsys) -> None:
    out = tmp_path / "report.json"
    chosen = ["heartbeat/1", "transaction/20", "command_http/1", "command/1"]
    assert main(["--seconds", "0.5", "--stations", "20", "--only", *chosen, "--out", str(out)]) == 0
    report = msgspec.json.decode(out.read_bytes(), type=Report)
    assert [f"{result.scenario}/{result.in_flight}" for result in report.results] == ["boots/100", *chosen]
    assert all(result.calls > 0 and result.failures == 0 for result in report.results)
    processes = {"edge", "session", "metering", "kafka", "postgresql", "client"}
    assert all(processes <= set(result.cpu_s_per_thousand) for result in report.results)
    assert report.results[2].cpu_s_per_thousand["session"] > 0
    printed = capsys.readouterr().out
    assert all(result.scenario in printed for result in report.results)
