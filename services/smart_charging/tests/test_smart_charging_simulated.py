"""Seeded days of small sites, with stations that deviate, run by the production decisions in simulated time.

`python -m chargebus_simulation days` runs ten thousand, where there is time for them.
"""

from itertools import chain

import pytest
from chargebus_simulation.days import simulated_day
from chargebus_simulation.places import Place, small

QUICK = (21, 24)
DAYS = (1, 3, 5, 16, 18, 22, 34)
"""With those above all kinds that there are in the first forty days."""


def days(*seeds: int):
    return [pytest.param(seed, marks=pytest.mark.long) for seed in seeds]


def kinds(place: Place) -> set[str]:
    """Return what there is at a place that others may not have."""
    site, tempers = place.site, place.tempers.values()
    at = [evse.station_id for evse in site.evses]
    there = {
        "several EVSEs at a station": len(set(at)) < len(at),
        "an EVSE of one phase": any(len(evse.phases) == 1 for evse in site.evses),
        "a calendar": any(node.calendar for node in site.nodes),
        "a margin": any(node.margin for node in site.nodes),
        "other loads": bool(place.loads),
        "limits of others": bool(place.cuts),
        "a station that ignores": any(each.ignores for each in tempers),
        "a station that takes no 0": any(not each.takes_zero for each in tempers),
        "a station that lags": any(each.answer_s > 2.0 for each in tempers),
        "a station that is offline": any(each.away for each in tempers),
        "a station that is deaf": any(each.mute for each in tempers),
        "a station that boots": any(each.boots for each in tempers),
        "a station that forgets its default": any(not each.keeps_default for each in tempers),
        "needs that nobody told": any(not visit.says for visit in place.visits),
        "a vehicle that needs more to begin": any(visit.car.min_a > 6.0 for visit in place.visits),
    }
    refused = {f"refuses {sorted(each.refuses)}" for each in tempers if each.refuses}
    meters = {f"meter tells {each.meter:g} of it" for each in tempers}
    steps = {f"steps of {evse.step_a} A" for evse in site.evses}
    cars = {f"vehicle of {visit.car.phases} phases" for visit in place.visits}
    named = {site.name.split()[0], f"{len(site.nodes)} nodes"}
    return {name for name, is_so in there.items() if is_so} | refused | meters | steps | cars | named


FOUND = (20650, 22150, 22279, 31410, 31595)
"""Days that broke a property once, and that no plain test stands for as well."""


@pytest.mark.parametrize("seed", [*QUICK, *days(*DAYS, *FOUND)])
def test_no_node_is_overloaded_for_long_no_power_promised_twice_and_nobody_starves(seed):
    assert simulated_day(seed).breaches == ()


def test_the_days_that_are_run_have_all_kinds_that_the_first_forty_have():
    run, forty = (set(chain.from_iterable(kinds(small(seed)) for seed in seeds)) for seeds in (QUICK + DAYS, range(40)))

    assert run == forty


@pytest.mark.long
@pytest.mark.parametrize("seed", [60])
def test_a_vehicle_that_needs_more_than_6_A_to_begin_does_not_starve(seed):
    assert simulated_day(seed).breaches == ()


@pytest.mark.long
def test_a_station_that_takes_no_0_is_not_told_that_it_will_be_0():
    assert simulated_day(64).breaches == ()


@pytest.mark.long
def test_power_is_not_promised_to_a_station_that_refuses_a_limit_of_0_while_its_default_is_0():
    assert simulated_day(92).breaches == ()


@pytest.mark.long
def test_a_station_that_followed_its_profile_is_not_mistaken_for_one_that_disobeys():
    assert simulated_day(63).breaches == ()


def test_a_vehicle_that_is_not_yet_known_to_use_one_phase_is_not_put_off_until_it_is_too_late():
    assert simulated_day(87).breaches == ()


@pytest.mark.long
def test_a_station_that_ignores_is_found_out_though_it_is_told_less_each_minute():
    assert simulated_day(135).breaches == ()


@pytest.mark.long
def test_a_station_that_does_not_obey_is_found_out_by_the_first_reading_after_its_time():
    assert simulated_day(238).breaches == ()


@pytest.mark.long
def test_a_station_that_draws_a_little_more_than_it_may_and_is_offline_later_overloads_nothing():
    assert simulated_day(279).breaches == ()


@pytest.mark.long
def test_a_vehicle_whose_phases_nobody_knows_does_not_starve_for_what_is_left_on_one_of_them():
    assert simulated_day(5123).breaches == ()
