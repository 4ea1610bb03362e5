import random
from itertools import pairwise

import pytest
from chargebus_simulation.cars import Car, visits


def test_a_vehicle_draws_nothing_below_its_least_current() -> None:
    car = Car(50_000.0, 3, 16.0, min_a=7.0)

    assert car.takes_a(10_000.0, 6.9) == 0.0
    assert car.takes_a(10_000.0, 7.0) == 7.0


def test_a_vehicle_draws_what_it_is_allowed_and_never_more_than_its_charger_takes() -> None:
    car = Car(50_000.0, 3, 16.0)

    assert car.takes_a(10_000.0, 10.0) == 10.0
    assert car.takes_a(10_000.0, 32.0) == 16.0


def test_a_vehicle_takes_less_and_less_towards_the_end_and_nothing_when_it_is_full() -> None:
    car = Car(50_000.0, 1, 32.0, taper_from=0.8)

    drawn = [car.takes_a(share * 50_000.0, 32.0) for share in (0.5, 0.8, 0.9, 0.99, 1.0)]

    assert drawn == [32.0, 32.0, pytest.approx(19.2), pytest.approx(7.68), 0.0]


def test_a_vehicle_may_draw_whole_steps_only() -> None:
    assert Car(50_000.0, 3, 32.0, step_a=1.0).takes_a(0.0, 10.9) == 10.0


@pytest.mark.parametrize("pattern", ["home", "workplace", "depot", "public"])
def test_no_two_vehicles_are_at_one_evse_at_a_time(pattern) -> None:
    made = visits(random.Random(3), pattern, 5, days=7)

    assert made
    for evse in range(5):
        there = [visit for visit in made if visit.evse == evse]
        for before, after in pairwise(there):
            assert after.arrives_s > before.departs_s
    assert all(visit.wanted_wh <= visit.car.battery_wh - visit.held_wh for visit in made)
