"""Seeded days of small sites, with stations that deviate, run by the production decisions in simulated time.

`python -m chargebus_simulation days` runs ten thousand, where there is time for them.
"""

import pytest
from chargebus_simulation.days import simulated_day


@pytest.mark.parametrize("seed", range(40))
def test_no_node_is_overloaded_for_long_no_power_promised_twice_and_nobody_starves(seed):
    assert simulated_day(seed).breaches == ()


@pytest.mark.parametrize("seed", [60])
def test_a_vehicle_that_needs_more_than_6_A_to_begin_does_not_starve(seed):
    assert simulated_day(seed).breaches == ()


def test_a_station_that_takes_no_0_is_not_told_that_it_will_be_0():
    assert simulated_day(64).breaches == ()


def test_power_is_not_promised_to_a_station_that_refuses_a_limit_of_0_while_its_default_is_0():
    assert simulated_day(92).breaches == ()


def test_a_station_that_followed_its_profile_is_not_mistaken_for_one_that_disobeys():
    assert simulated_day(63).breaches == ()
