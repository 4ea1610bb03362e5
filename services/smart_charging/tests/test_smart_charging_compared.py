"""The planners against who knows the future, and against other ways of sharing a connection, on the same days.

`python -m chargebus_simulation compare` does it for whole days at several sizes of transformer.
"""

from dataclasses import replace
from functools import cache

import pytest
from chargebus_simulation.comparison import delivered_wh, ran
from chargebus_simulation.ideal import simulated
from chargebus_simulation.offline import optimum
from chargebus_simulation.ours import OURS, OURS_FOR_COST
from chargebus_simulation.places import gathered
from chargebus_simulation.policies import POLICIES

ALLOCATOR, OPTIMISER = OURS
BY_PRICE = OURS_FOR_COST[0]
SHORT_A, ROOMY_A = 24.0, 60.0

same_days = pytest.mark.xdist_group("compared")


def seeds(*more: int):
    """Return the first seed, and more that take long."""
    return [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in more)]


@cache
def optimised_wh(seed: int) -> float:
    """Return what the optimiser gives where capacity is short."""
    return delivered_wh(ran(OPTIMISER, gathered(seed, 6, SHORT_A)))


def tapering(place):
    """Return the same with vehicles that take less and less from 85 % of their batteries on, and need 95 %."""
    visits = [
        replace(each, car=replace(each.car, taper_from=0.85, battery_wh=(each.held_wh + each.wanted_wh) / 0.95))
        for each in place.visits
    ]
    return replace(place, visits=tuple(visits))


@same_days
@pytest.mark.parametrize("seed", seeds(2, 3))
def test_the_optimiser_is_within_1_percent_of_who_knows_the_future_where_all_have_come(seed):
    place = gathered(seed, 6, SHORT_A)
    best = optimum(place, place.prices)

    assert optimised_wh(seed) >= 0.99 * best.energy_wh


@pytest.mark.parametrize("seed", seeds(2))
def test_the_optimiser_pays_within_1_percent_of_what_is_possible_and_less_than_any_other(seed):
    place = gathered(seed, 6, ROOMY_A)
    best = optimum(place, place.prices)
    world = ran(BY_PRICE, place)

    assert delivered_wh(world) >= 0.99 * best.energy_wh
    assert world.books.cost <= best.cost + 0.01 * abs(best.cost)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_vehicles_that_taper_have_what_they_need_when_they_leave_though_it_is_put_off_to_what_is_cheap(seed):
    place = tapering(gathered(seed, 4, ROOMY_A))
    world = ran(BY_PRICE, place)

    assert delivered_wh(world) >= 0.999 * delivered_wh(simulated(place, POLICIES["uncontrolled"]))


@same_days
@pytest.mark.parametrize("seed", seeds(2, 3))
def test_the_optimiser_is_ahead_of_each_of_the_others_where_capacity_is_short(seed):
    place = gathered(seed, 6, SHORT_A)
    ours = optimised_wh(seed)
    others = {
        name: delivered_wh(simulated(place, policy)) for name, policy in POLICIES.items() if name != "uncontrolled"
    }

    assert all(ours >= each - 1.0 for each in others.values()), others
