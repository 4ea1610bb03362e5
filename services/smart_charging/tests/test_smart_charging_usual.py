"""What other loads usually draw: averages of days, by which a plan looks ahead."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from chargebus_smart_charging.allocation.domain.ahead import horizon_of
from chargebus_smart_charging.limits.domain.bounds import bounded
from chargebus_smart_charging.limits.domain.meters import Forecast, Meters, Reading, other_loads
from chargebus_smart_charging.limits.domain.usual import ENOUGH_DAYS, MOST_DAYS, SLOTS, Usual, learned
from chargebus_smart_charging.planning.domain.controller import decide
from chargebus_smart_charging.planning.domain.known import SiteKnown
from chargebus_smart_charging.planning.domain.memory import Memory
from chargebus_smart_charging.sites.domain.site import Capacity, LoadMeter, Node, Site

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
METER = LoadMeter((60.0, 60.0, 60.0))


def office(at):
    """What a building draws: 40 A from 8 to 18 o'clock on weekdays, else 5 A."""
    here = at.astimezone(BERLIN)
    return 40.0 if here.weekday() < 5 and 8 <= here.hour < 18 else 5.0


def seen(days, begins=MONDAY, usual=()):
    """What is known after so many days, of which the meter was read each five minutes."""
    for step in range(days * 288):
        at = begins + timedelta(minutes=5 * step)
        amperes = office(at)
        usual = learned(usual, {"grid": (amperes, amperes, amperes / 2)}, site(), at)
    return usual


def site():
    return Site("S", "S", (Node("grid", None, capacity=Capacity(100.0), meter=METER),), (), time_zone="Europe/Berlin")


def limits_at(now, usual, amperes, *hours, forecast=None):
    """What is left of 100 A on L1 so many hours from now."""
    horizon = horizon_of(now, [now + timedelta(hours=24)])
    meters = Meters({"grid": Reading((amperes,) * 3, now, forecast)}, usual=usual)
    (node,) = bounded(site(), (), other_loads(site(), meters, now, horizon), now, horizon)
    found = [100.0] * len(horizon.lengths_s)
    for bound in node.bounds:
        found[bound.first : bound.last] = [bound.phase_a[0]] * len(found[bound.first : bound.last])
    return [found[int(hour * 4)] for hour in hours]


def test_a_plan_looks_ahead_by_what_is_usual_at_that_time_on_such_a_day_and_a_margin():
    usual = seen(7)
    monday_at_5 = MONDAY + timedelta(days=7, hours=3)

    assert limits_at(monday_at_5, usual, 5.0, 0, 0.5, 4, 12, 20) == [95.0, 94.0, 56.0, 56.0, 94.0]


def test_what_is_drawn_now_counts_now_and_at_least_for_an_hour():
    usual = seen(7)
    monday_at_5 = MONDAY + timedelta(days=7, hours=3)

    assert limits_at(monday_at_5, usual, 20.0, 0, 0.75, 1.25) == [80.0, 80.0, 94.0]


def test_a_weekend_has_averages_of_its_own_and_needs_days_of_its_own():
    usual = seen(7)
    saturday_at_5 = MONDAY + timedelta(days=12, hours=3)

    assert limits_at(saturday_at_5, usual, 7.0, 12) == [93.0]
    assert limits_at(saturday_at_5, seen(7, MONDAY + timedelta(days=7), usual), 7.0, 12) == [94.0]


def test_until_enough_days_were_seen_what_is_drawn_now_counts():
    few = seen(ENOUGH_DAYS - 1)
    at = MONDAY + timedelta(days=ENOUGH_DAYS - 1, hours=3)

    assert limits_at(at, few, 12.0, 6) == [88.0]


def test_what_somebody_forecasts_comes_before_what_is_usual():
    at = MONDAY + timedelta(days=7, hours=3)
    forecast = Forecast(at, 3600.0, ((30.0, 30.0, 30.0),) * 3)

    assert limits_at(at, seen(7), 5.0, 2, 8, forecast=forecast) == [70.0, 56.0]


def test_what_is_known_takes_a_bounded_room_and_follows_a_change_within_weeks():
    usual = seen(3)
    without = msgspec.structs.replace(site(), nodes=(Node("grid", None),))
    assert learned(usual, {}, without, MONDAY) == ()
    assert learned(usual, {}, site(), MONDAY) == usual  # its meter is silent

    slot = seen(28)[0].slots[4 * 12]
    assert (len(seen(3)[0].slots), slot.days, slot.phase_a) == (2 * SLOTS, MOST_DAYS, (40.0, 40.0, 20.0))
    other = Usual("grid", slots=seen(28)[0].slots)
    for day in range(28, 56):
        at = MONDAY + timedelta(days=day, hours=10, minutes=1)
        other = other.heard((80.0, 80.0, 80.0), at, BERLIN).heard((0.0, 0.0, 0.0), at + timedelta(minutes=15), BERLIN)
    assert other.slots[4 * 12].phase_a[0] > 70.0


def test_a_site_remembers_what_its_building_draws_and_plans_by_it():
    memory = Memory()
    known = SiteKnown(site())
    for step in range(3 * 96 * 3):
        at = MONDAY + timedelta(minutes=5 * step)
        readings = {"grid": Reading((office(at),) * 3, at)}
        memory = decide(msgspec.structs.replace(known, readings=readings, memory=memory), at).memory
    assert memory.usual[0].slots[4 * 12].phase_a == (40.0, 40.0, 40.0)
