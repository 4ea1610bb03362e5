import math
from dataclasses import replace

import pytest
from chargebus_station import charging
from chargebus_station.charging import Outlet, Vehicle
from hypothesis import given
from hypothesis import strategies as st

AC = Outlet(11_000, 3)
DC = Outlet(150_000, 0)
CAR = Vehicle(60_000, 11_000, soc=0.2)


def test_power_ramps_up_then_stays():
    charge = charging.begin(CAR, AC)
    assert 0 < charging.power_w(charge) < 11_000
    assert charging.power_w(charging.advance(charge, 60)) == 11_000


def test_power_tapers_towards_the_end_and_stops_when_the_vehicle_is_full():
    charge = charging.advance(charging.begin(replace(CAR, soc=0.5, max_power_w=150_000), DC), 60)
    powers = []
    while not charge.full:
        powers.append(charging.power_w(charge))
        charge = charging.advance(charge, 60)
    assert powers[0] > 2 * powers[len(powers) // 2] > 2 * powers[-1] > 0
    assert charging.power_w(charge) == 0


def test_the_energy_fits_the_battery():
    charge = charging.advance(charging.begin(CAR, AC), 12 * 3600)
    assert charge.full
    assert charge.energy_wh == pytest.approx(0.8 * 60_000 / AC.efficiency, rel=0.01)


def test_a_limit_is_obeyed():
    charge = charging.advance(charging.begin(CAR, AC), 3600, limit_w=5_000)
    assert charge.energy_wh == pytest.approx(5_000, rel=0.01)


def test_nothing_flows_under_a_limit_of_zero():
    assert charging.advance(charging.begin(CAR, AC), 3600, limit_w=0).energy_wh == 0


@given(
    seconds=st.lists(st.floats(0, 5000), max_size=20),
    soc=st.floats(0, 1),
    limit_w=st.one_of(st.just(math.inf), st.floats(0, 20_000)),
)
def test_energy_never_falls_and_power_never_exceeds_what_is_allowed(seconds, soc, limit_w):
    charge = charging.begin(replace(CAR, soc=soc), AC)
    for step in seconds:
        after = charging.advance(charge, step, limit_w)
        assert after.energy_wh >= charge.energy_wh
        assert after.soc >= charge.soc or charge.full
        assert 0 <= charging.power_w(after, limit_w) <= min(limit_w, 11_000)
        charge = after


def test_the_energy_does_not_depend_on_how_often_one_looks():
    once = charging.advance(charging.begin(CAR, AC), 3600)
    often = charging.begin(CAR, AC)
    for _ in range(360):
        often = charging.advance(often, 10)
    assert often.energy_wh == pytest.approx(once.energy_wh)
