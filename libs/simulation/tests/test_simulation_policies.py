from datetime import UTC, datetime, timedelta

import pytest
from chargebus_simulation.policies import (
    POLICIES,
    earliest_deadline_first,
    equal_share,
    first_come_first_served,
    least_laxity_first,
    uncontrolled,
)
from chargebus_smart_charging.allocation.domain.problem import Bound, Demand, Horizon, PlanNode, PlanProblem

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def demand(name: str, *, hours: float = 8.0, energy_wh: float = 10_000.0, phases=(0, 1, 2), node=0) -> Demand:
    departs_at = NOW + timedelta(hours=hours)
    return Demand((name, 1), node, phases, 230.0, 6.0, 32.0, energy_wh=energy_wh, departs_at=departs_at)


def problem(limit_a: float, *demands: Demand, panel_a: float | None = None) -> PlanProblem:
    nodes = [PlanNode("grid", None, (Bound("", (limit_a,) * 3),))]
    if panel_a is not None:
        nodes.append(PlanNode("panel", 0, (Bound("", (panel_a,) * 3),)))
    return PlanProblem(Horizon(NOW, (900.0,)), tuple(nodes), demands)


def amperes(shares) -> dict[str, float]:
    return {key[0]: given for key, given in shares.items()}


def test_uncontrolled_gives_all_that_is_taken_whatever_the_limit() -> None:
    assert amperes(uncontrolled(problem(10.0, demand("a"), demand("b")))) == {"a": 32.0, "b": 32.0}


def test_equal_share_gives_the_same_to_all() -> None:
    assert amperes(equal_share(problem(30.0, demand("a"), demand("b"), demand("c")))) == {"a": 10, "b": 10, "c": 10}


def test_equal_share_leaves_out_who_came_last_where_the_least_current_does_not_fit() -> None:
    assert amperes(equal_share(problem(15.0, demand("a"), demand("b"), demand("c")))) == {"a": 7.5, "b": 7.5}


def test_first_come_first_served_serves_in_the_order_of_arrival() -> None:
    assert amperes(first_come_first_served(problem(40.0, demand("a"), demand("b"), demand("c")))) == {
        "a": 32.0,
        "b": 8.0,
    }


def test_earliest_deadline_first_serves_who_leaves_first() -> None:
    demands = (demand("late", hours=9.0), demand("early", hours=2.0))

    assert amperes(earliest_deadline_first(problem(32.0, *demands))) == {"early": 32.0}


def test_least_laxity_first_serves_who_can_wait_least() -> None:
    demands = (demand("early", hours=2.0, energy_wh=1000.0), demand("much", hours=3.0, energy_wh=60_000.0))

    assert amperes(least_laxity_first(problem(32.0, *demands))) == {"much": 32.0}


@pytest.mark.parametrize("name", sorted(POLICIES.keys() - {"uncontrolled"}))
def test_a_panel_bounds_what_hangs_below_it_phase_by_phase(name) -> None:
    demands = (demand("a", node=1, phases=(0,)), demand("b", node=1, phases=(0,)), demand("c", node=1, phases=(1,)))

    given = amperes(POLICIES[name](problem(100.0, *demands, panel_a=20.0)))

    assert given["a"] + given.get("b", 0.0) == pytest.approx(20.0)
    assert given["c"] == pytest.approx(20.0)
