"""What is known of the vehicle at an EVSE: its session, what it drew, what it taught, what it needs."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_smart_charging.planning.domain.demands import Place, demand_of
from chargebus_smart_charging.sites.domain.site import Evse, Policy
from chargebus_smart_charging.vehicles.domain.drawing import drawn, used_phases
from chargebus_smart_charging.vehicles.domain.learning import Allowed, Learned, learn
from chargebus_smart_charging.vehicles.domain.needs import ClassNeeds, EvNeeds, Needs, Told, wanted
from chargebus_smart_charging.vehicles.domain.samples import Reading, Sample, samples
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle, measured, told
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FREE = Allowed(32.0, NOW - timedelta(hours=1))
NOTHING_LEARNED = Learned()
SIXTEEN = (16.0, 0.0, 0.0)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def session(name: str = "s1", *, at: float = 0, began: float | None = None, state="active", **more) -> SessionTold:
    started_at = later(at if began is None else began)
    return SessionTold(name, "CS", state, later(at), evse_id=1, started_at=started_at, **more)


def drawing(*, each_a: tuple[float, float, float] = SIXTEEN, at: float = 60) -> Sample:
    return Sample(later(at), each_a, tells_phases=True)


def taught(*drawn_a: tuple[float, float, float], allowed: Allowed = FREE, known: Learned = NOTHING_LEARNED) -> Learned:
    for number, each_a in enumerate(drawn_a, start=1):
        known = learn(known, drawing(each_a=each_a, at=60 * number), allowed)
    return known


# Sessions


def test_a_session_that_begins_is_the_present_one():
    assert told(Vehicle("CS", 1), session()).present == session()


def test_of_one_session_the_later_version_counts_and_what_comes_again_changes_nothing():
    over = session(at=100, began=0, state="ended")
    vehicle = told(told(Vehicle("CS", 1), session()), over)

    assert vehicle.present is None
    assert told(vehicle, session()) == vehicle
    assert told(vehicle, over) == vehicle


def test_an_end_that_was_told_at_the_same_moment_is_the_later_version():
    vehicle = told(Vehicle("CS", 1), session(state="ended"))

    assert told(vehicle, session()) == vehicle


def test_a_session_that_began_before_the_present_one_changes_nothing():
    vehicle = told(Vehicle("CS", 1), session("s2", at=100))

    assert told(vehicle, session("s1", at=200, began=0, state="ended")) == vehicle


def test_a_station_whose_clock_is_ahead_does_not_keep_later_sessions_out():
    vehicle = told(Vehicle("CS", 1), session("s1", at=0, began=10**8))

    assert told(vehicle, session("s2", at=60)).session.session_id == "s2"


def test_a_new_session_forgets_what_was_known_of_the_vehicle_before():
    before = Vehicle("CS", 1, learned=Learned((0,), 17.0), asked=Needs(5000.0), preferred=True, reckoned_wh=7.0)

    after = told(msgspec.structs.replace(before, session=session("s1")), session("s2", at=60))

    assert (after.learned, after.asked, after.preferred, after.energy_wh) == (Learned(), Needs(), False, 0.0)


@pytest.mark.parametrize(("before_s", "kept"), [(300, True), (3600, False)])
def test_what_a_vehicle_said_shortly_before_its_session_is_kept(before_s, kept):
    ev = EvNeeds(later(-before_s), 9000.0)

    assert (told(Vehicle("CS", 1, ev=ev), session()).ev == ev) is kept


# Energy


def test_energy_is_what_the_register_rose_since_the_session_started():
    vehicle = told(Vehicle("CS", 1), session(meter_start_wh=1000.0))

    assert measured(vehicle, Sample(later(60), register_wh=1500.0), None).energy_wh == 500.0


def test_energy_of_a_session_whose_start_nobody_told_counts_from_the_first_reading():
    vehicle = told(Vehicle("CS", 1), session())
    for at, register_wh in ((60, 1000.0), (120, 1300.0)):
        vehicle = measured(vehicle, Sample(later(at), register_wh=register_wh), None)

    assert vehicle.energy_wh == 300.0


def test_a_register_that_was_read_before_the_session_is_none_of_its():
    vehicle = measured(Vehicle("CS", 1), Sample(later(-60), register_wh=9000.0), None)

    assert told(vehicle, session(meter_start_wh=1000.0)).energy_wh == 0.0


def test_energy_is_added_up_from_power_where_no_register_tells_it():
    vehicle = told(Vehicle("CS", 1), session())
    for at in (0, 600, 1200):
        vehicle = measured(vehicle, Sample(later(at), power_w=6000.0), None)

    assert vehicle.energy_wh == pytest.approx(2000.0)


def test_a_sample_that_comes_late_overwrites_nothing_newer():
    vehicle = measured(told(Vehicle("CS", 1), session()), drawing(at=120), FREE)

    assert measured(vehicle, Sample(later(60), (32.0, 32.0, 32.0), True, 9.0), FREE) == vehicle


# Samples


def reading(measurand: str, value: float, phase: str = "", *, at: float = 0, location: str = "Outlet") -> Reading:
    return Reading(later(at), measurand, value, phase, location)


def currents(*readings: Reading):
    (sample,) = samples(readings, later(10))
    return sample.phase_a, sample.tells_phases


def test_currents_of_each_phase_are_taken_as_they_are():
    found = currents(*(reading("Current.Import", a, p) for a, p in ((16, "L1"), (15, "L2-N"), (0, "L3"), (1, "N"))))

    assert found == ((16, 15, 0), True)


def test_a_current_of_no_phase_is_on_all_where_nothing_tells_more():
    assert currents(reading("Current.Import", 16)) == ((16, 16, 16), False)


@pytest.mark.parametrize(
    ("power_w", "volts", "expected"),
    [
        (3680, 230, ((16, 0, 0), True)),
        (11040, 230, ((16, 16, 16), True)),
        (7360, 230, ((16, 16, 0), True)),
        (3680, None, ((16, 0, 0), True)),
        (5760, None, ((16, 16, 16), False)),  # three phases of 120 V, or one and a half of 230 V: not sure
        (5760, 120, ((16, 16, 16), True)),
    ],
)
def test_power_tells_on_how_many_phases_a_current_is(power_w, volts, expected):
    told_by = [reading("Current.Import", 16, "L1"), reading("Power.Active.Import", power_w)]
    told_by += [] if volts is None else [reading("Voltage", volts)]

    assert currents(*told_by) == expected


def test_readings_of_other_places_are_left_out():
    assert samples([reading("Current.Import", 99, location="EV")], NOW) == []


def test_what_is_dated_ahead_was_sampled_when_it_was_received():
    assert [each.at for each in samples([reading("Current.Import", 16, at=10**6)], NOW)] == [NOW]


# What a vehicle teaches


def test_a_vehicle_on_one_phase_is_learned_within_three_readings():
    assert taught(SIXTEEN, SIXTEEN).phases == ()
    assert taught(SIXTEEN, SIXTEEN, SIXTEEN).phases == (0,)


def test_a_phase_that_is_drawn_on_counts_at_once():
    known = taught(SIXTEEN, SIXTEEN, SIXTEEN)

    assert learn(known, drawing(each_a=(16.0, 16.0, 16.0)), FREE).phases == (0, 1, 2)


def test_a_vehicle_that_never_draws_more_than_16_A_is_left_17():
    assert taught(*[(16.0, 15.9, 16.0)] * 3).most_a == 17.0


def test_a_vehicle_that_draws_what_it_may_teaches_nothing():
    assert taught(*[(10.0, 10.0, 10.0)] * 9, allowed=Allowed(10.0, NOW)).most_a is None


def test_a_vehicle_is_given_time_to_follow_a_new_limit():
    assert taught(*[SIXTEEN] * 3, allowed=Allowed(32.0, later(175))).most_a is None


def test_one_reading_at_its_limit_begins_the_count_anew():
    full = (32.0, 0.0, 0.0)

    assert taught(SIXTEEN, SIXTEEN, full, SIXTEEN, SIXTEEN).most_a is None


def test_nothing_is_learned_of_the_most_where_nobody_knows_the_limit():
    known = Learned()
    for number in range(5):
        known = learn(known, drawing(at=60 * number), None)

    assert known.most_a is None


def test_a_vehicle_that_draws_more_again_is_forgotten():
    known = taught(*[SIXTEEN] * 3)

    assert learn(known, drawing(each_a=(16.9, 0.0, 0.0)), Allowed(17.0, NOW)).most_a is None


def test_a_vehicle_that_we_limit_below_what_it_was_seen_to_draw_is_not_forgotten():
    known = taught(*[SIXTEEN] * 3)

    assert learn(known, drawing(each_a=(10.0, 0.0, 0.0)), Allowed(10.0, NOW)).most_a == 17.0


def test_what_tapers_is_learned_anew():
    known = taught(*[SIXTEEN] * 3)
    for number in range(3):
        known = learn(known, drawing(each_a=(9.0, 0.0, 0.0), at=300 + 60 * number), Allowed(17.0, NOW))

    assert known.most_a == 10.0


def test_a_vehicle_that_draws_nothing_at_a_small_limit_is_taken_to_need_more():
    nothing = (0.0, 0.0, 0.0)
    known = taught(*[SIXTEEN] * 3)
    for limit_a, least_a in ((6.0, 8.0), (8.0, 10.0), (12.0, 14.0)):
        known = taught(*[nothing] * 3, allowed=Allowed(limit_a, NOW - timedelta(hours=1)), known=known)

        assert (known.least_a, known.most_a) == (least_a, 17.0)


def test_a_vehicle_that_draws_nothing_at_a_large_limit_needs_nothing_whatever_it_is_given_then():
    nothing = (0.0, 0.0, 0.0)
    full = taught(*[nothing] * 3)
    after = taught(*[nothing] * 9, allowed=Allowed(6.0, NOW - timedelta(hours=1)), known=full)

    assert (full.most_a, full.least_a) == (1.0, 0.0)
    assert (after.most_a, after.least_a) == (1.0, 0.0)


def test_a_vehicle_that_draws_less_than_it_was_taken_to_need_is_known_better():
    known = learn(Learned(least_a=10.0), drawing(each_a=(7.0, 0.0, 0.0)), Allowed(7.0, NOW))

    assert known.least_a == 0.0


@given(
    st.lists(st.tuples(*[st.floats(0, 40)] * 3), min_size=1, max_size=12),
    st.floats(6, 32),
)
def test_what_is_left_to_a_vehicle_is_never_less_than_it_was_just_seen_to_draw(drawn_a, limit_a):
    known = Learned()
    for number, each_a in enumerate(drawn_a):
        known = learn(known, drawing(each_a=each_a, at=60 * number), Allowed(limit_a, NOW - timedelta(hours=1)))

    assert known.most_a is None or known.most_a > max(drawn_a[-1])


# On the site's phases


def test_the_connectors_phases_lie_on_the_sites_as_the_evse_says():
    evse = Evse("CS", 1, "root", phases=(2, 3, 1))
    vehicle = Vehicle("CS", 1, measured_at=NOW, phase_a=(16.0, 5.0, 0.0), learned=Learned((0, 1)))

    assert drawn(vehicle, evse) == (0.0, 16.0, 5.0)
    assert used_phases(vehicle.learned, evse) == (1, 2)


def test_an_evse_of_one_phase_draws_on_that_alone():
    evse = Evse("CS", 1, "root", phases=(3,))

    assert drawn(Vehicle("CS", 1, measured_at=NOW, phase_a=(16.0, 16.0, 16.0)), evse) == (0.0, 0.0, 16.0)


def test_power_alone_is_on_the_phases_that_the_vehicle_uses():
    vehicle = Vehicle("CS", 1, measured_at=NOW, power_w=4600.0, learned=Learned((0,)))

    assert drawn(vehicle, Evse("CS", 1, "root", voltage_v=230.0)) == (20.0, 0.0, 0.0)


def test_direct_current_is_on_all_phases_by_its_power():
    vehicle = Vehicle("CS", 1, measured_at=NOW, phase_a=(120.0, 0.0, 0.0), power_w=69_000.0)

    assert drawn(vehicle, Evse("CS", 1, "root", current="DC", voltage_v=230.0)) == (100.0, 100.0, 100.0)


# Needs


def test_needs_are_taken_from_whom_knows_them_best():
    told_of = Told(NOW, "T1", "FLEET", "eMAID", Needs(priority=3.0), EvNeeds(NOW, 8000.0, from_wh=500.0))
    classes = {
        ("id_token", "t1"): ClassNeeds("id_token", "t1", 1.0, 7200.0, 2.0),
        ("type", "eMAID"): ClassNeeds("type", "eMAID", 2.0, 3600.0, 1.5),
    }

    found = wanted(told_of, classes, Policy())

    assert (found.energy_wh, found.energy_source) == (8500.0, "vehicle")
    assert (found.departs_at, found.departs_source) == (later(7200), "class")
    assert found.priority == 3.0


def test_a_group_of_tokens_is_closer_than_their_type_and_a_token_closer_than_its_group():
    of_type = {("type", "eMAID"): ClassNeeds("type", "eMAID", 1000.0)}
    of_group = of_type | {("group", "fleet"): ClassNeeds("group", "fleet", 2000.0)}
    of_token = of_group | {("id_token", "t1"): ClassNeeds("id_token", "t1", 3000.0)}
    told_of = Told(NOW, "T1", "Fleet", "eMAID")

    found = [wanted(told_of, classes, Policy()).energy_wh for classes in (of_type, of_group, of_token)]

    assert found == [1000.0, 2000.0, 3000.0]


def test_a_driver_of_whom_nothing_is_known_needs_what_the_site_says():
    found = wanted(Told(NOW), {}, Policy(energy_wh=9.0, stay_s=60.0))

    assert (found.energy_wh, found.energy_source, found.departs_at, found.priority) == (9.0, "site", later(60), 1.0)


# How it is planned, while its phases are not known

UNKNOWN = told(Vehicle("CS", 1), session())
SILENT = Sample(later(60), (0.0, 0.0, 0.0), tells_phases=True, register_wh=0.0)


def surely(vehicle: Vehicle, evse: Evse | None = None) -> tuple[int, bool]:
    demand = demand_of(vehicle, vehicle.present, Place(evse or Evse("CS", 1, "grid"), 0), later(100))
    return demand.sure_phases, demand.untried


def test_a_vehicle_that_has_drawn_nothing_yet_may_use_one_phase_and_is_to_be_tried():
    assert surely(measured(UNKNOWN, SILENT, FREE)) == (1, True)


def test_a_vehicle_that_draws_has_been_tried_and_once_its_phases_are_known_it_uses_these():
    draws = measured(measured(UNKNOWN, SILENT, FREE), msgspec.structs.replace(drawing(at=120), register_wh=40.0), FREE)
    known = msgspec.structs.replace(draws, learned=Learned((0,)))

    assert [surely(each) for each in (draws, known)] == [(1, False), (0, False)]


@pytest.mark.parametrize("learned", [Learned(least_a=8.0), Learned(most_a=1.0)])
def test_a_vehicle_that_was_allowed_current_and_took_none_has_been_tried(learned):
    refusing = msgspec.structs.replace(measured(UNKNOWN, SILENT, FREE), learned=learned)

    assert surely(refusing) == (1, False)


@pytest.mark.parametrize(
    "vehicle",
    [
        UNKNOWN,
        measured(UNKNOWN, msgspec.structs.replace(SILENT, tells_phases=False), FREE),
        told(measured(UNKNOWN, SILENT, FREE), session("s2", at=90)),
        measured(msgspec.structs.replace(UNKNOWN, ev=EvNeeds(NOW, phases=3)), SILENT, FREE),
    ],
    ids=["no reading", "readings that tell no phases", "a reading of the one before", "it says so"],
)
def test_a_vehicle_whose_phases_its_readings_would_not_tell_is_taken_to_use_all(vehicle):
    assert surely(vehicle) == (0, False)


@pytest.mark.parametrize("evse", [Evse("CS", 1, "grid", "DC"), Evse("CS", 1, "grid", phases=(2,))])
def test_a_vehicle_at_a_dc_outlet_or_one_of_a_single_phase_uses_all_phases_that_there_are(evse):
    assert surely(measured(UNKNOWN, SILENT, FREE), evse) == (0, False)
