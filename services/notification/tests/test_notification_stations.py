"""What is told of stations adds up to facts, whatever comes late or twice."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_events.public import (
    ConnectorStatus,
    MeterReadings,
    Reading,
    Session,
    StationBooted,
    StationConnection,
    StationDescribed,
)
from chargebus_notification.stations.domain import folding
from chargebus_notification.stations.domain.station import Monitored, Station, Told, Update
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NEW = Station("CS-1")


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def connection(minutes: float, epoch: int, *, connected: bool) -> StationConnection:
    return StationConnection("CS-1", later(minutes), connected=connected, epoch=epoch, version="1.6")


def session(session_id: str, minutes: float, state: str = "active", energy_wh: float | None = None) -> Session:
    return Session(
        session_id,
        "CS-1",
        session_id,
        "1.6",
        state,
        later(minutes),
        1,
        1,
        started_at=NOW,
        ended_at=later(minutes) if state == "ended" else None,
        energy_wh=energy_wh,
    )


def readings(minutes: float, register_wh: float, watts: float, skew_s: float = 0) -> MeterReadings:
    at = later(minutes)
    told = at + timedelta(seconds=skew_s)
    return MeterReadings(
        "CS-1",
        1,
        at,
        (
            Reading("r", told, "Energy.Active.Import.Register", register_wh, "Wh", "1"),
            Reading("p", told, "Power.Active.Import", watts, "W", "1"),
        ),
    )


def test_a_station_is_offline_since_its_connection_ended():
    station = folding.connected(
        folding.connected(NEW, connection(0, 7, connected=True)), connection(3, 7, connected=False)
    )

    assert (station.online, station.offline_since) == (False, later(3))


def test_a_station_that_never_connected_is_not_offline():
    assert NEW.offline_since is None


@given(st.permutations([(0, 7, True), (3, 7, False), (4, 8, True), (9, 8, False), (12, 9, True)]))
def test_connections_told_in_any_order_end_as_the_newest_says(told):
    station = NEW
    for minutes, epoch, is_open in told:
        station = folding.connected(station, connection(minutes, epoch, connected=is_open))

    assert (station.online, station.epoch) == (True, 9)


def test_the_end_of_an_older_connection_does_not_end_the_newer_one():
    station = folding.connected(
        folding.connected(NEW, connection(4, 8, connected=True)), connection(5, 7, connected=False)
    )

    assert station.online


def test_a_smaller_epoch_much_later_is_of_another_log():
    station = folding.connected(
        folding.connected(NEW, connection(0, 800, connected=True)), connection(90, 3, connected=False)
    )

    assert station.offline_since == later(90)


@given(st.permutations([0, 5, 10, 15]))
def test_boots_are_kept_in_their_order_and_once(minutes):
    station = NEW
    for minute in (*minutes, *minutes):
        station = folding.booted(
            station, StationBooted("CS-1", later(minute), "accepted", "1.6", firmware_version=f"{minute}")
        )

    assert [boot.at for boot in station.boots] == [later(0), later(5), later(10), later(15)]
    assert station.firmware_version == "15"


def test_a_late_status_changes_nothing_and_a_repeated_one_keeps_its_begin():
    station = folding.status_told(NEW, ConnectorStatus("CS-1", later(2), 1, 1, "Faulted", error_code="GroundFailure"))
    station = folding.status_told(station, ConnectorStatus("CS-1", later(1), 1, 1, "Available"))
    station = folding.status_told(station, ConnectorStatus("CS-1", later(5), 1, 1, "Faulted"))

    assert station.faulted
    assert station.places["1/1"].since == later(2)


def test_no_more_connectors_and_meters_are_kept_than_a_station_has():
    station = NEW
    for number in range(1, 300):
        station = folding.status_told(station, ConnectorStatus("CS-1", NOW, number, 1, "Available"))
        station = folding.metered(station, msgspec.structs.replace(readings(0, 1000, 50), evse_id=number))
    station = folding.status_told(station, ConnectorStatus("CS-1", later(1), 200, 1, "Faulted"))
    station = folding.metered(station, msgspec.structs.replace(readings(1, 1100, 50), evse_id=200))

    assert (len(station.places), len(station.meters)) == (200, 200)
    assert (station.places["200/1"].status, station.meters[200].register_wh) == ("Faulted", 1100)


def test_what_an_operator_says_late_does_not_set_it_back():
    station = folding.described(NEW, StationDescribed("CS-1", later(1), labels={"site": "depot"}))

    assert folding.described(station, StationDescribed("CS-1", NOW, labels={"site": "other"})).labels == {
        "site": "depot"
    }


def test_of_a_station_that_is_removed_nothing_is_kept():
    station = folding.connected(NEW, connection(3, 7, connected=False))
    station = folding.described(station, StationDescribed("CS-1", later(4), removed=True))

    assert (station.removed, station.offline_since) == (True, None)


@given(
    st.permutations(
        [("a", 5, "active", None), ("a", 9, "ended", 10.0), ("b", 12, "ended", 0.0), ("b", 10, "active", None)]
    )
)
def test_sessions_that_ended_stay_so_in_whatever_order_they_are_told(told):
    station = NEW
    for each in told:
        station = folding.session_told(station, session(*each))

    assert not station.charging
    assert [(each.session_id, each.energy_wh) for each in station.ended] == [("a", 10.0), ("b", 0.0)]


def test_a_register_that_stands_while_something_flows_is_noted():
    station = NEW
    for minute in range(4):
        station = folding.metered(station, readings(minute, 100.0, 7000.0 + minute))

    assert station.meters[1].standing_since == later(1)
    assert station.meters[1].watts == 7001.0
    assert folding.metered(station, readings(5, 101.0, 7000.0)).meters[1].standing_since is None
    assert folding.metered(station, readings(5, 100.0, 0.0)).meters[1].standing_since is None


def test_readings_that_come_late_do_not_move_a_meter_back():
    station = folding.metered(folding.metered(NEW, readings(5, 200.0, 7000.0)), readings(1, 100.0, 7000.0))

    assert station.meters[1].register_wh == 200.0


def test_a_clock_that_was_ahead_does_not_hold_the_meter():
    ahead = folding.metered(NEW, readings(0, 100.0, 7000.0, skew_s=86_400))
    station = folding.metered(ahead, readings(1, 200.0, 7000.0))

    assert (ahead.meters[1].at, ahead.meters[1].register_wh) == (NOW, 100.0)
    assert station.meters[1].register_wh == 200.0


def test_how_far_a_clock_is_off_is_noted_once_in_some_minutes():
    station = NEW
    for minute in (0, 1, 6):
        station = folding.metered(station, readings(minute, 100.0 + minute, 7000.0, skew_s=600))

    assert [skew.seconds for skew in station.skews] == [600.0, 600.0]


@pytest.mark.parametrize("take", [folding.security_told, folding.breach_told])
def test_an_event_that_comes_twice_counts_once(take):
    station = take(take(NEW, Told("e1", "TamperDetectionActivated", NOW)), Told("e1", "TamperDetectionActivated", NOW))

    assert len((*station.security, *station.breaches)) == 1


def told_often(kind: str, number: int, **more: object) -> list[Told]:
    return [Told(f"{kind}/{each}", kind, later(each), **more) for each in range(1, number + 1)]


@pytest.mark.parametrize("take", [folding.security_told, folding.breach_told])
def test_many_events_of_a_kind_push_no_other_kind_out(take):
    station = NEW
    grave = Told("g", "Heartbeat", NOW, grave=True)
    for each in (Told("t", "Tamper", NOW), grave, *told_often("Heartbeat", 200)):
        station = take(station, each)

    known = (*station.security, *station.breaches)
    assert [each.event_id for each in known[:3]] == ["t", "g", "Heartbeat/171"]
    assert len(known) == 2 + folding.TOLD_KEPT


def test_however_many_kinds_there_are_some_are_kept():
    station = NEW
    for number in range(200):
        station = folding.security_told(station, Told(f"{number}", f"kind {number}", later(number)))

    assert [each.event_id for each in station.security] == [f"{number}" for number in range(140, 200)]


def test_a_busy_evse_does_not_push_the_sessions_of_another_out():
    station = folding.session_told(NEW, msgspec.structs.replace(session("a", 0, "ended"), evse_id=2))
    for number in range(50):
        station = folding.session_told(station, session(f"{number}", 1 + number, "ended"))

    assert [each.session_id for each in station.ended] == ["a", *(f"{number}" for number in range(30, 50))]


def test_of_many_evses_the_newest_sessions_are_kept():
    station = NEW
    for number in range(300):
        evse = msgspec.structs.replace(session(f"{number}", number, "ended"), evse_id=number % 30)
        station = folding.session_told(station, evse)

    assert [each.session_id for each in station.ended] == [f"{number}" for number in range(200, 300)]


def test_a_monitor_that_goes_on_keeps_its_begin_and_one_that_is_cleared_is_not_active():
    station = folding.monitor_told(NEW, "Temperature", Monitored(NOW, 2, active=True, since=NOW))
    station = folding.monitor_told(station, "Temperature", Monitored(later(5), 2, active=True, since=later(5)))
    assert station.monitored["Temperature"].since == NOW

    station = folding.monitor_told(station, "Temperature", Monitored(later(6), 2, active=False, since=later(6)))
    late = folding.monitor_told(station, "Temperature", Monitored(later(4), 2, active=True, since=later(4)))
    assert not late.monitored["Temperature"].active


def test_of_updates_the_newest_word_counts():
    station = folding.update_told(NEW, Update("u1", "failed", later(5)))

    assert folding.update_told(station, Update("u1", "downloading", later(1))).update == Update(
        "u1", "failed", later(5)
    )
