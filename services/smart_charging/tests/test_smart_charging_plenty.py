"""Where there is enough for all, what is found without arrays is what these find, to the last digit."""

from datetime import UTC, datetime, timedelta

import numpy as np
from chargebus_smart_charging.allocation.domain.allocator import shared
from chargebus_smart_charging.allocation.domain.plans import DECIMALS
from chargebus_smart_charging.allocation.domain.plenty import Plenty
from chargebus_smart_charging.allocation.domain.problem import Bound, Demand, Fixed, Horizon, PlanNode, PlanProblem
from chargebus_smart_charging.allocation.domain.release import weighed
from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Tree
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HORIZON = Horizon(NOW, (400.0, 900.0, 900.0))
CURRENTS = st.floats(0, 40, allow_subnormal=False).map(lambda amperes: round(amperes, 3))


@st.composite
def bounds(draw):
    amperes, total_va = draw(st.floats(0, 400)), draw(st.none() | st.floats(0, 200_000))
    first, last = draw(st.sampled_from([(0, None), (0, 1), (1, None)]))
    return Bound("", (amperes, amperes + draw(st.sampled_from([0.0, 5.0])), amperes), total_va, first, last)


@st.composite
def vehicles(draw, name, nodes):
    return Demand(
        (name, 1),
        draw(st.integers(0, nodes - 1)),
        draw(st.sampled_from([(0,), (1,), (0, 2), (0, 1, 2)])),
        230.0,
        min_a=draw(st.sampled_from([0.0, 6.0, 6.3])),
        max_a=draw(CURRENTS),
        step_a=draw(st.sampled_from([0.0, 0.1, 1.0])),
        must_charge=draw(st.booleans()),
        energy_wh=draw(st.none() | st.sampled_from([0.0, 1e-9, 50.0, 20_000.0])),
        departs_at=draw(st.none() | st.sampled_from([-10.0, 0.0, 100.0, 5000.0]).map(later)),
        present_a=draw(CURRENTS),
    )


def later(seconds):
    return NOW + timedelta(seconds=seconds)


@st.composite
def problems(draw):
    """Small sites that may be short of power or not, most of them not."""
    nodes = [PlanNode("n0", None, tuple(draw(st.lists(bounds(), max_size=2))))]
    for number in range(1, draw(st.integers(1, 3))):
        parent = draw(st.integers(0, number - 1))
        apart = draw(st.sampled_from([None, None, None, 10.0]))
        nodes.append(PlanNode(f"n{number}", parent, tuple(draw(st.lists(bounds(), max_size=1))), apart))
    demands = [draw(vehicles(f"S{number}", len(nodes))) for number in range(draw(st.integers(1, 4)))]
    phase_a = st.tuples(CURRENTS, CURRENTS, CURRENTS)
    last = st.sampled_from([None, 1])
    fixed = draw(st.lists(st.builds(Fixed, st.integers(0, len(nodes) - 1), phase_a, last=last), max_size=1))
    return PlanProblem(HORIZON, tuple(nodes), tuple(demands), tuple(fixed))


@given(problems())
def test_what_all_can_have_at_once_is_what_the_allocator_gives_them(about):
    found = Plenty(about).most_a()

    tree = Tree(about)
    amperes = np.round(shared(about, tree, Stays.of(tree, about))[0], DECIMALS).tolist()
    given_a = {demand.key: each for demand, each in zip(tree.demands, amperes, strict=True)}
    assert found in (None, given_a)


@given(problems(), st.data())
def test_what_may_be_told_at_once_is_what_is_released(about, data):
    first_a = {demand.key: data.draw(CURRENTS) for demand in about.demands}
    phase_a = st.tuples(CURRENTS, CURRENTS, CURRENTS)
    counted = {demand.key: data.draw(phase_a) for demand in about.demands if data.draw(st.booleans())}

    found = Plenty(about).told(first_a, counted)

    assert found in (None, weighed(about, first_a, counted, Tree(about)))


def test_enough_for_all_is_found_to_be_so():
    demand = Demand(("S", 1), 0, (0, 1, 2), 230.0, 6.0, 16.0)
    about = PlanProblem(HORIZON, (PlanNode("n0", None, (Bound("", (32.0,) * 3),)),), (demand,))

    assert Plenty(about).most_a() == {("S", 1): 16.0}
    assert Plenty(about).told({("S", 1): 16.0}, {}) == {("S", 1): 16.0}


def test_who_is_raised_waits_for_what_others_may_still_draw():
    raised, other = (Demand((name, 1), 0, (0, 1, 2), 230.0, 6.0, 16.0) for name in ("A", "B"))
    about = PlanProblem(HORIZON, (PlanNode("n0", None, (Bound("", (32.0,) * 3),)),), (raised, other))

    assert Plenty(about).told({("A", 1): 16.0, ("B", 1): 6.0}, {("B", 1): (20.0,) * 3}) is None
