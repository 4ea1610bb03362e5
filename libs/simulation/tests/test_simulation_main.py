"""What the command line of the simulation says of days, and of ways of planning."""

import sys

import msgspec
from chargebus_simulation.__main__ import main
from chargebus_simulation.comparison import SITES, Figures, Logged, kva
from chargebus_simulation.days import Day, simulated_day
from chargebus_simulation.ours import OURS, OURS_FOR_COST
from chargebus_simulation.policies import POLICIES

DAY = Day(7, 2, 3, 10, 5, 1000.0, 2000.0, 0.0, 0.0, ("starved at 09:48:23: S0/2 lacks 986 Wh",))


def test_days_that_broke_a_rule_are_summed_up_and_the_exit_code_tells(tmp_path, monkeypatch, capsys):
    log = tmp_path / "days.jsonl"
    log.write_bytes(msgspec.json.encode(DAY) + b"\n")
    monkeypatch.setattr(sys, "argv", ["simulation", "days", "--first", "7", "--count", "1", "--log", str(log)])

    assert main() == 1
    told = msgspec.json.decode(capsys.readouterr().out)
    assert (told["rules"], told["breaching"]) == ({"starved": 1}, [[7, DAY.breaches[0]]])


def test_days_side_by_side_come_to_the_same_as_one_after_the_other(tmp_path, monkeypatch, capsys):
    log = tmp_path / "days.jsonl"
    argv = ["simulation", "days", "--first", "200", "--count", "2", "--jobs", "2", "--log", str(log)]
    monkeypatch.setattr(sys, "argv", argv)

    assert main() == 0
    known = [msgspec.json.decode(line, type=Day) for line in log.read_text().splitlines()]
    assert known == [simulated_day(200), simulated_day(201)]
    assert msgspec.json.decode(capsys.readouterr().out)["count"] == 2


def test_a_comparison_runs_only_what_its_log_does_not_have(tmp_path, monkeypatch, capsys):
    home = SITES["home"]
    ours = [each.name for each in OURS]
    for_cost = [each.name for each in OURS_FOR_COST]
    cases = [(name, size_a) for size_a in home.sizes_a for name in (*POLICIES, *ours)]
    cases += [(name, home.roomy_a) for name in (*POLICIES, *for_cost)]
    cases.remove(("equal share", home.roomy_a))
    log = tmp_path / "compare.jsonl"
    lines = [Logged(1, Figures(name, "home", kva(size_a), 0.5, 0.25, 0.1, 300.0, 0.0)) for name, size_a in cases]
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    argv = ["simulation", "compare", "--days", "1", "--sites", "home", "--log", str(log), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", argv)

    assert main() == 0
    added = [msgspec.json.decode(line, type=Logged) for line in log.read_text().splitlines()[len(cases) :]]
    assert [(each.days, each.figures.name, each.figures.size_kva) for each in added] == [
        (1, "equal share", kva(home.roomy_a))
    ]
    assert added[0].figures.delivered > 0.9
    told = msgspec.json.decode((tmp_path / "smart-charging.json").read_bytes())
    assert (len(told["energy"]), len(told["cost"])) == (21, 7)
    assert "| home | 86 kVA | equal share |" in capsys.readouterr().out
