"""Limits of others: which are refused, which decide, and which change a plan; what stations tell of them."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.public import ChargingLimit, LimitPeriod
from chargebus_smart_charging.limits import v21, v201
from chargebus_smart_charging.limits.domain.limit import KnownLimit, Period, objections
from chargebus_smart_charging.limits.domain.main_meter import Measured, newest_currents
from chargebus_smart_charging.limits.domain.meters import Forecast, Reading
from chargebus_smart_charging.limits.domain.notified import Cleared, cleared_by, limit_of
from chargebus_smart_charging.limits.domain.precedence import standings
from chargebus_smart_charging.limits.domain.telling import changes_plans, is_older, moves_plans
from chargebus_smart_charging.limits.payload import known_limit, limit_event
from chargebus_smart_charging.sites.domain.site import Capacity, Evse, Node, Site

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AMPS = Capacity(phase_a=32.0)
SITE = Site("S", "", (Node("grid", None), Node("b", "grid")), (Evse("CS-1", 1, "b"), Evse("CS-1", 2, "b")))


def limit(*periods: Period, source: str = "EMS", told_at: datetime = NOW, **more) -> KnownLimit:
    return KnownLimit("S", source, "1", told_at, periods=periods or (Period(AMPS),), **more)


def frame(version: str, action: str, **members) -> Frame:
    return Frame("CS-1", version, action, "m1", 0, 7, 1, json.dumps(members).encode(), NOW)


@pytest.mark.parametrize(
    ("refused", "where"),
    [
        (KnownLimit("S", "EMS", "1", NOW), "periods"),
        (limit(Period(Capacity())), "periods.0"),
        (limit(Period(Capacity(phase_a=-1.0))), "periods.0"),
        (limit(Period(AMPS, NOW, NOW)), "periods.0.valid_until"),
        (limit(Period(AMPS, NOW, NOW + HOUR), Period(Capacity(phase_a=16.0), NOW + MINUTE)), "periods.1"),
        (limit(Period(AMPS), Period(Capacity(phase_a=16.0))), "periods.1"),
        (limit(floor=Capacity(phase_a=33.0)), "floor"),
        (limit(Period(Capacity(total_w=4200.0)), floor=Capacity(total_w=4201.0)), "floor"),
        (limit(fallback=Capacity(phase_a=6.0)), "renewed_every_s"),
        (limit(renewed_every_s=-1.0), "renewed_every_s"),
        (limit(fallback=Capacity(phase_a=6.0), floor=Capacity(phase_a=8.0), renewed_every_s=60.0), "floor"),
        (limit(fallback=Capacity(phase_a=-6.0), renewed_every_s=60.0), "fallback"),
        (limit(node_id="b", station_id="CS-1"), "node_id"),
        (limit(evse_id=1), "station_id"),
    ],
)
def test_a_limit_that_contradicts_itself_or_says_nothing_is_refused(refused, where):
    assert [objection.where for objection in objections(refused)] == [where]


def test_a_limit_that_changes_over_time_is_taken():
    steps = Period(AMPS, NOW, NOW + HOUR), Period(Capacity(phase_a=16.0), NOW + HOUR)
    same = Period(AMPS, NOW, NOW + HOUR), Period(AMPS, NOW + MINUTE)

    assert objections(limit(*steps, floor=Capacity(phase_a=16.0))) == []
    assert objections(limit(*same)) == []


def test_the_lowest_on_a_place_decides_of_each_unit():
    told = [
        limit(Period(Capacity(phase_a=16.0, total_w=11_000.0)), source="A"),
        limit(Period(Capacity(phase_a=20.0, total_va=9_000.0)), source="B"),
        limit(Period(Capacity(phase_a=10.0)), source="C", node_id="b"),
        limit(Period(Capacity(phase_a=6.0), NOW + HOUR), source="D"),
        limit(Period(Capacity(phase_a=6.0)), source="E", counts=False),
        limit(Period(Capacity(phase_a=6.0), None, NOW), source="F"),
        limit(source="H", node_id="attic"),
        limit(
            Period(Capacity(phase_a=6.0), None, NOW),
            source="G",
            told_at=NOW - HOUR,
            renewed_every_s=60.0,
            fallback=Capacity(phase_a=14.0),
        ),
    ]
    found = {each.limit.source: (each.state, each.decides) for each in standings(told, SITE, NOW)}

    assert found == {
        "A": ("holds", ()),
        "B": ("holds", ("power",)),
        "C": ("holds", ("current",)),
        "D": ("to come", ()),
        "E": ("only shown", ()),
        "F": ("over", ()),
        "G": ("fallback holds", ("current",)),
        "H": ("nowhere", ()),
    }


def test_a_limit_that_is_only_said_again_changes_no_plan():
    before = limit(renewed_every_s=600.0)
    again = msgspec.structs.replace(before, told_at=NOW + MINUTE)

    assert not changes_plans(again, before, NOW + MINUTE)
    assert changes_plans(msgspec.structs.replace(again, told_at=NOW + HOUR), before, NOW + HOUR)  # it had been silent
    assert changes_plans(again, None, NOW)
    assert changes_plans(msgspec.structs.replace(again, periods=()), before, NOW)
    assert not changes_plans(limit(counts=False), None, NOW)
    assert is_older(before, again)
    assert not is_older(again, before)


def test_a_reading_moves_a_plan_where_it_differs_or_breaks_a_silence():
    before = Reading((10.0, 10.0, 10.0), NOW)

    assert not moves_plans(Reading((10.2, 10.0, 10.0), NOW + MINUTE), before, 300.0)
    assert moves_plans(Reading((10.0, 10.0, 11.0), NOW + MINUTE), before, 300.0)
    assert moves_plans(Reading((10.0, 10.0, 10.0), NOW + HOUR), before, 300.0)
    assert moves_plans(before, None, 300.0)
    assert moves_plans(Reading((10.0, 10.0, 10.0), NOW, Forecast(NOW, 900.0, ((1.0, 1.0, 1.0),))), before, 300.0)


def test_what_the_topic_tells_is_read_back_from_what_it_is_told():
    single = limit(Period(Capacity(phase_a=16.0), NOW, NOW + HOUR), floor=Capacity(phase_a=6.0), covers="charging")
    several = limit(Period(AMPS, None, NOW), Period(Capacity(total_w=1.0), NOW), station_id="CS-1", evse_id=2)
    renewed = limit(renewed_every_s=60.0, fallback=Capacity(total_w=4200.0), node_id="b")

    for each in (single, several, renewed):
        told = msgspec.json.decode(limit_event(each, NOW).value, type=ChargingLimit)
        assert known_limit(told, NOW) == msgspec.structs.replace(each, told_by="topic")


def test_nobody_tells_from_the_future():
    told = ChargingLimit("S", "1", "EMS", NOW + HOUR, periods=(LimitPeriod(phase_a=6.0),))
    assert known_limit(told, NOW).told_at == NOW


NOTIFIED = {
    "chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True},
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": "2026-05-01T12:00:00Z",
            "duration": 7200,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 3600, "limit": 10.0}],
        },
        {"id": 2, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4200}]},
    ],
    "evseId": 2,
}


@pytest.mark.parametrize(("version", "read"), [("2.0.1", v201.notified), ("2.1", v21.notified)])
def test_K12_a_notified_limit_holds_by_its_schedules(version, read):
    said = read(frame(version, "NotifyChargingLimit", **NOTIFIED))

    assert (said.evse_id, said.source, said.is_critical, said.counts) == (2, "EMS", True, True)
    assert said.periods == (
        Period(Capacity(phase_a=16.0), NOW, NOW + HOUR),
        Period(Capacity(phase_a=10.0), NOW + HOUR, NOW + 2 * HOUR),
        Period(Capacity(total_w=4200.0), NOW, None),
    )
    known = limit_of(said, "S")
    assert (known.source, known.limit_id, known.station_id, known.evse_id) == ("EMS", "CS-1/2", "CS-1", 2)


@pytest.mark.parametrize("read", [v201.notified, v21.notified])
def test_K12_a_limit_without_a_schedule_is_shown_and_limits_nothing(read):
    said = read(frame("2.0.1", "NotifyChargingLimit", chargingLimit={"chargingLimitSource": "SO"}))

    (standing,) = standings([limit_of(said, "S")], SITE, NOW)
    assert (said.evse_id, said.periods, standing.allows) == (0, (), Capacity())


@pytest.mark.parametrize("read", [v201.notified, v21.notified])
def test_what_this_csms_itself_set_is_not_taken_for_a_limit_of_somebody_else(read):
    said = read(frame("2.0.1", "NotifyChargingLimit", **(NOTIFIED | {"chargingLimit": {"chargingLimitSource": "CSO"}})))
    assert limit_of(said, "S").holds(NOW) == ()


def test_what_local_generation_adds_is_no_limit():
    added = {"chargingLimit": {"chargingLimitSource": "EMS", "isLocalGeneration": True}}
    assert not v21.notified(frame("2.1", "NotifyChargingLimit", **(NOTIFIED | added))).counts


def test_the_lowest_of_the_phases_of_a_2_1_schedule_is_that_of_all():
    def allowed(unit: str) -> Capacity:
        period = {"startPeriod": 0, "limit": 16.0, "limit_L2": 10.0, "limit_L3": 12.0}
        schedule = {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": [period, {"startPeriod": 60}]}
        (found,) = v21.notified(
            frame("2.1", "NotifyChargingLimit", **(NOTIFIED | {"chargingSchedule": [schedule]}))
        ).periods
        return found.capacity

    assert (allowed("A"), allowed("W")) == (Capacity(phase_a=10.0), Capacity(total_w=30.0))


def test_a_schedule_with_a_time_that_nobody_can_read_starts_when_it_came():
    schedule = {
        "id": 1,
        "startSchedule": "soon",
        "chargingRateUnit": "A",
        "duration": 10**30,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": -3}],
    }
    said = v201.notified(frame("2.0.1", "NotifyChargingLimit", **(NOTIFIED | {"chargingSchedule": [schedule]})))

    assert (said.periods[0].valid_from, said.periods[0].capacity) == (NOW, Capacity(phase_a=0.0))


def test_an_evse_that_cannot_be_makes_a_call_unusable():
    with pytest.raises(UnusableCallError, match="evseId -1"):
        v201.cleared(frame("2.0.1", "ClearedChargingLimit", chargingLimitSource="EMS", evseId=-1))


def test_K13_a_cleared_limit_is_that_of_its_source_on_its_evse_or_on_all_of_the_station():
    known = [
        limit(source="EMS", station_id="CS-1", evse_id=1, told_by="frame"),
        limit(source="EMS", station_id="CS-1", evse_id=0, told_by="frame"),
        limit(source="SO", station_id="CS-1", evse_id=1, told_by="frame"),
        limit(source="EMS", station_id="CS-2", evse_id=1, told_by="frame"),
        limit(source="EMS", station_id="CS-1", evse_id=1, told_by="http"),
    ]
    one = v201.cleared(frame("2.0.1", "ClearedChargingLimit", chargingLimitSource="EMS", evseId=1))
    every = v201.cleared(frame("2.0.1", "ClearedChargingLimit", chargingLimitSource="EMS"))

    assert list(cleared_by(one, known)) == known[:1]
    assert list(cleared_by(every, known)) == known[:2]
    assert list(cleared_by(Cleared("CS-1", 0, "EMS", NOW - MINUTE), known)) == []  # it came before them


def measured(measurand: str, phase: str, value: float, at: datetime = NOW) -> Measured:
    return Measured(at, measurand, phase, value)


@pytest.mark.parametrize(
    ("values", "phase_a"),
    [
        ([("Current.Import", "L1", 1), ("Current.Import", "L2", 2), ("Current.Import", "L3", 3)], (1, 2, 3)),
        ([("Current.Import", "L1-N", 1), ("Current.Import", "L2-N", 2)], (1, 2, 2)),
        ([("Current.Import", "", 5), ("Power.Active.Import", "", 1)], (5, 5, 5)),
        ([("Power.Active.Import", "", 6900)], (10, 10, 10)),
        ([("Power.Active.Import", "L1", 2300), ("Power.Active.Import", "L2", 460)], (10, 2, 10)),
        ([("Power.Active.Import", "L1", 2400), ("Voltage", "L1", 240)], (10, 10, 10)),
        ([("Power.Active.Import", "", 7200), ("Voltage", "", 240)], (10, 10, 10)),
    ],
)
def test_a_main_meter_tells_amperes_by_current_or_by_power(values, phase_a):
    assert newest_currents([measured(*value) for value in values]) == (NOW, pytest.approx(phase_a))


def test_of_a_main_meter_the_newest_counts_that_tells_a_current():
    values = [
        measured("Current.Import", "", 5.0, NOW - MINUTE),
        measured("Current.Import", "", 6.0),
        measured("Energy.Active.Import.Register", "", 7.0, NOW + MINUTE),
    ]
    assert newest_currents(values) == (NOW, (6.0, 6.0, 6.0))
    assert newest_currents(values[2:]) is None
