"""Seeded days of small sites, with stations that deviate, run by the production decisions in simulated time.

`python -m chargebus_simulation days` runs ten thousand.
"""

import pytest
from chargebus_simulation.days import simulated_day

PIECES = 4
DAYS_OF_A_PIECE = 3


@pytest.mark.parametrize("piece", range(PIECES))
def test_no_node_is_overloaded_for_long_no_power_promised_twice_and_nobody_starves(piece):
    for seed in range(piece * DAYS_OF_A_PIECE, (piece + 1) * DAYS_OF_A_PIECE):
        assert simulated_day(seed).breaches == (), f"day {seed}"


@pytest.mark.parametrize("seed", [13, 60])
def test_a_vehicle_that_needs_more_than_6_A_to_begin_does_not_starve(seed):
    assert simulated_day(seed).breaches == ()


def test_a_station_that_takes_no_0_is_not_told_that_it_will_be_0():
    assert simulated_day(64).breaches == ()


def test_a_station_that_followed_its_profile_is_not_mistaken_for_one_that_disobeys():
    assert simulated_day(63).breaches == ()
