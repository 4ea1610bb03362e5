"""The peak of a site: what its root has drawn at most in a billing period, and that it is kept down where it costs."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from chargebus_smart_charging.allocation.domain.ease import is_easy
from chargebus_smart_charging.allocation.domain.optimiser import optimise
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.planning.domain.controller import decide, sight
from chargebus_smart_charging.planning.domain.known import SiteKnown
from chargebus_smart_charging.planning.domain.memory import Memory
from chargebus_smart_charging.planning.domain.peaks import Peak, begin_of, risen
from chargebus_smart_charging.sites.domain.site import Capacity, Evse, LoadMeter, Node, Policy, Site
from chargebus_smart_charging.steering.domain.steered import Steered, connected, transaction_ended
from chargebus_smart_charging.vehicles.domain.needs import Needs
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle

BEGINS = datetime(2026, 5, 1, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def site(**policy):
    meter = LoadMeter((0.0, 0.0, 0.0), silent_after_s=90_000.0)
    root = Node("grid", None, capacity=Capacity(100.0), meter=meter)
    evse = Evse("CS1", 1, "grid", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=16.0, step_a=1.0)
    return Site("S", "S", (root,), (evse,), policy=Policy(**policy))


def later(seconds):
    return BEGINS + timedelta(seconds=seconds)


def known_of(building_a, *, plugged_in=False, memory=None, **policy):
    vehicles = {}
    if plugged_in:
        session = SessionTold("s", "CS1", "active", BEGINS, "t", evse_id=1, started_at=BEGINS, meter_start_wh=0.0)
        vehicles["CS1", 1] = Vehicle("CS1", 1, session=session, asked=Needs(5_000.0, later(7200)))
    return SiteKnown(
        site(**policy),
        vehicles=vehicles,
        steered={("CS1", 1): transaction_ended(connected(Steered(), later(-60)), later(-60))},
        readings={"grid": Reading((building_a,) * 3, BEGINS)},
        memory=memory or Memory(),
    )


def drawn(amperes, minutes, memory):
    """Decide each minute while a building draws so much; return what is remembered."""
    for minute in minutes:
        known = known_of(amperes, memory=memory)
        memory = decide(known, later(60 * minute)).memory
    return memory


def test_the_peak_is_the_largest_average_of_a_quarter_of_an_hour():
    memory = drawn(10.0, range(16), Memory())
    memory = drawn(40.0, range(16, 21), memory)
    memory = drawn(10.0, range(21, 32), memory)

    assert memory.peak.starts_at == MAY
    assert memory.peak.va == pytest.approx(3 * 230 * 20.0, rel=0.02)


def test_a_peak_shorter_than_a_quarter_of_an_hour_that_was_not_seen_counts_as_nothing():
    seen = Peak(MAY, 500.0).seen(90_000.0, later(60), 60.0)

    assert seen.seen(100.0, later(1800), 300.0).va == 500.0


@pytest.mark.parametrize(
    ("period", "begins"),
    [
        ("day", datetime(2026, 5, 13, 22, tzinfo=UTC)),
        ("week", datetime(2026, 5, 10, 22, tzinfo=UTC)),
        ("month", datetime(2026, 4, 30, 22, tzinfo=UTC)),
        ("year", datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_billing_period_begins_at_midnight_of_the_site(period, begins):
    about = msgspec.structs.replace(site(peak_period=period), time_zone="Europe/Berlin")
    now = datetime(2026, 5, 14, 9, tzinfo=UTC)

    assert risen(about, None, 0.0, now, 0.0).starts_at == begins
    assert risen(about, Peak(begins, 7.0), 0.0, now, 0.0).va == 7.0
    assert risen(about, Peak(begins - timedelta(days=1), 7.0), 0.0, now, 0.0).va == 0.0


def test_a_site_at_which_a_higher_peak_costs_is_planned_below_the_peak_that_there_was_already():
    memory = Memory(peak=Peak(MAY, 3 * 230 * 18.0))
    free = sight(known_of(10.0, plugged_in=True, memory=memory), later(1)).problem
    costly = sight(known_of(10.0, plugged_in=True, memory=memory, peak_costs=True), later(1)).problem

    assert (free.peak_va, costly.peak_va) == (None, pytest.approx(3 * 230 * 8.0))
    assert is_easy(free)
    assert not is_easy(costly)
    assert max(optimise(costly, 30.0).allocations[0].limits_a) <= 8.0
    assert optimise(costly, 30.0).allocations[0].unserved_wh == 0
    assert is_easy(msgspec.structs.replace(costly, peak_va=3 * 230 * 16.0))


def test_midnight_of_a_period_is_one_of_the_zone_also_when_its_clocks_change():
    found = begin_of("month", datetime(2026, 10, 31, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))

    assert found == datetime(2026, 9, 30, 22, tzinfo=UTC)
