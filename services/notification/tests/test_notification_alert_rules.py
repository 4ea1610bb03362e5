"""When each kind of rule says that somebody should look, and when no more."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_notification.alerts.domain import parameters as of
from chargebus_notification.alerts.domain.kinds import KINDS, verdicts
from chargebus_notification.alerts.domain.rule import Rule
from chargebus_notification.stations.domain.station import (
    Boot,
    Certificate,
    Disobedience,
    EndedSession,
    Meter,
    Monitored,
    Place,
    Refusals,
    Skew,
    Station,
    Told,
    Update,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def said(kind: str, station: Station, now: datetime = NOW, **parameters: object):
    rule = Rule(kind, kind, KINDS[kind].parameters(**parameters))
    return verdicts(rule, station, now)


def opens(kind: str, station: Station, now: datetime = NOW, **parameters: object) -> list[str]:
    return [each.part for each in said(kind, station, now, **parameters) if each.is_open]


def test_a_station_that_is_away_is_looked_at_again_when_it_has_been_for_long_enough():
    (verdict,) = said("station_offline", Station("CS-1", connected=False, connection_at=ago(minutes=4)), minutes=10)

    assert (verdict.is_open, verdict.look_again_at) == (False, ago(minutes=-6))


def test_a_station_that_is_away_for_long_enough_is_offline():
    assert opens("station_offline", Station("CS-1", connected=False, connection_at=ago(minutes=10)), minutes=10) == [""]


@pytest.mark.parametrize(
    "station", [Station("CS-1"), Station("CS-1", connected=True), Station("CS-1", connected=False, removed=True)]
)
def test_a_station_that_never_was_that_is_there_or_that_is_removed_is_not_offline(station):
    assert opens("station_offline", station, minutes=10) == []


def test_a_rule_says_nothing_of_stations_that_it_is_not_for_and_nothing_while_it_is_off():
    station = Station("CS-1", connected=False, connection_at=ago(days=1), labels={"site": "depot"})
    rule = Rule("r", "station_offline", of.StationOffline(), labels={"site": "depot"})

    assert verdicts(rule, station, NOW)
    assert not verdicts(Rule("r", "station_offline", of.StationOffline(), labels={"site": "other"}), station, NOW)
    assert not verdicts(Rule("r", "station_offline", of.StationOffline(), enabled=False), station, NOW)


def test_each_place_that_is_faulted_is_told_of():
    places = {
        "1/1": Place("Faulted", ago(minutes=5), ago(minutes=5), "GroundFailure"),
        "2/1": Place("Faulted", ago(minutes=1), ago(minutes=1)),
        "3/1": Place("Available", ago(minutes=5), ago(minutes=5)),
    }

    told = said("evse_faulted", Station("CS-1", places=places), minutes=2)

    assert [(each.part, each.is_open, each.evse_id) for each in told] == [("1/1", True, 1), ("2/1", False, 2)]
    assert told[0].detail == "GroundFailure"


def charged_daily(last: datetime, days: int) -> Station:
    return Station(
        "CS-1",
        connected=True,
        last_session_at=last,
        charging_days=tuple(last.toordinal() - day for day in reversed(range(days))),
    )


def test_where_usually_somebody_charges_it_is_told_that_nobody_does():
    assert opens("no_session", charged_daily(ago(days=3, hours=1), 15), days=3, usual_days=10) == [""]


def test_where_seldom_somebody_charges_nothing_is_told():
    assert opens("no_session", charged_daily(ago(days=30), 9), days=3, usual_days=10) == []


def test_while_somebody_charges_it_is_not_said_that_nobody_does():
    station = charged_daily(ago(days=4), 15)
    busy = Station("CS-1", connected=True, last_session_at=station.last_session_at, active={"s": ago(days=4)})

    assert opens("no_session", busy, days=3, usual_days=1) == []


def sessions(*energies: float | None, evse_id: int = 1) -> Station:
    ended = tuple(
        EndedSession(f"s{number}", evse_id, ago(hours=len(energies) - number), energy)
        for number, energy in enumerate(energies)
    )
    return Station("CS-1", ended=ended)


@pytest.mark.parametrize(
    ("energies", "told"),
    [
        ((0.0, 0.0, 0.0), ["1"]),
        ((9000.0, 0.0, None, 10.0, 0.0), ["1"]),
        ((0.0, 0.0, 9000.0), []),
        ((0.0, 9000.0, 0.0, 0.0), []),
    ],
)
def test_sessions_without_energy_one_after_the_other_are_told_of(energies, told):
    assert opens("zero_energy", sessions(*energies), sessions=3, below_wh=100) == told


def test_each_further_session_without_energy_happened_once_more():
    (verdict,) = said("zero_energy", sessions(0.0, 0.0, 0.0, 0.0), sessions=3)

    assert len(verdict.happened) == 2


def test_boots_within_the_time_are_counted_and_are_over_by_time():
    station = Station("CS-1", boots=tuple(Boot(ago(minutes=minutes), "Watchdog") for minutes in (90, 50, 30, 10)))

    (verdict,) = said("repeated_boots", station, boots=3, within_minutes=60)
    assert verdict.is_open
    assert verdict.look_again_at == ago(minutes=50) + timedelta(minutes=60)
    assert "Watchdog" in verdict.detail
    assert opens("repeated_boots", station, verdict.look_again_at, boots=3, within_minutes=60) == []


def test_commands_that_fail_within_the_time_are_counted():
    station = Station(
        "CS-1",
        failures=tuple(Told(f"{minutes}", "Reset", ago(minutes=minutes), "no answer") for minutes in (90, 50, 30, 10)),
    )

    (verdict,) = said("commands_failing", station, commands=3, within_minutes=60)
    assert verdict.detail == "3 within 60 minutes. no answer"
    assert opens("commands_failing", station, verdict.look_again_at, commands=3, within_minutes=60) == []


@pytest.mark.parametrize("name", ["CS-{0}", "CS-{", "CS-{kind}"])
def test_a_station_may_be_called_as_it_likes(name):
    told = (Told("1", "Tamper{0}", ago(minutes=1)),)

    (event,) = said("security_event", Station(name, security=told), events=["*"])
    (breach,) = said("breaks_specification", Station(name, breaches=told), refused_only=False)

    assert event.title == f"{name} tells of Tamper{{0}}"
    assert breach.title == f"{name} breaks the specification: Tamper{{0}}"


def test_security_events_are_told_of_by_kind_until_it_is_quiet():
    station = Station(
        "CS-1",
        security=(
            Told("1", "TamperDetectionActivated", ago(minutes=70)),
            Told("2", "TamperDetectionActivated", ago(minutes=5), "the lid"),
            Told("3", "SettingSystemTime", ago(minutes=1)),
        ),
    )

    (verdict,) = said("security_event", station, events=["TamperDetectionActivated"], quiet_minutes=60)
    assert (verdict.part, verdict.detail) == ("TamperDetectionActivated", "the lid")
    assert verdict.look_again_at == ago(minutes=5) + timedelta(minutes=60)
    assert opens("security_event", station, events=["*"]) == ["SettingSystemTime", "TamperDetectionActivated"]
    assert opens("security_event", station, verdict.look_again_at, events=["TamperDetectionActivated"]) == []


def test_monitors_are_told_of_by_severity():
    station = Station(
        "CS-1",
        monitored={
            "Temperature": Monitored(NOW, 2, active=True, since=NOW),
            "FanSpeed": Monitored(NOW, 7, active=True, since=NOW),
            "Voltage": Monitored(NOW, 0, active=False, since=NOW),
        },
    )

    assert opens("monitored_variable", station, severity=4) == ["Temperature"]


@pytest.mark.parametrize(("state", "told"), [("failed", [""]), ("succeeded", []), ("downloading", [])])
def test_an_update_that_failed_is_told_of(state, told):
    assert opens("firmware_failed", Station("CS-1", update=Update("u", state, NOW))) == told


@pytest.mark.parametrize(
    ("skews", "told"),
    [
        ((600, 600, 600), [""]),
        ((-900, -900, -900), [""]),
        ((600, 600), []),
        ((0, 600, 600), []),
        ((-7200, -3600, 1), []),
    ],
)
def test_a_clock_is_wrong_when_it_stays_so(skews, told):
    station = Station("CS-1", skews=tuple(Skew(ago(minutes=minute), skew) for minute, skew in enumerate(skews)))

    assert opens("clock_wrong", station, seconds=300) == told


@pytest.mark.parametrize(
    ("standing_minutes", "watts", "age_minutes", "told"),
    [(20, 7000, 0, ["1"]), (10, 7000, 0, []), (20, 100, 0, []), (20, 7000, 40, [])],
)
def test_a_register_that_stands_while_enough_flows_is_stuck(standing_minutes, watts, age_minutes, told):
    at = ago(minutes=age_minutes)
    meter = Meter(at, 100.0, watts, at - timedelta(minutes=standing_minutes), watts)

    assert opens("meter_stuck", Station("CS-1", meters={1: meter}), minutes=15, at_least_w=500) == told


def test_while_somebody_charges_a_meter_is_looked_at_again_and_again():
    station = Station("CS-1", active={"s": NOW}, meters={1: Meter(NOW, 100.0, 0.0)})

    assert [each.look_again_at for each in said("meter_stuck", station)] == [NOW + timedelta(minutes=1)]


def test_breaches_that_could_be_taken_as_meant_are_told_of_only_if_wanted():
    station = Station("CS-1", breaches=(Told("1", "Heartbeat", NOW), Told("2", "MeterValues", NOW, grave=True)))

    assert opens("breaks_specification", station) == ["MeterValues"]
    assert opens("breaks_specification", station, refused_only=False) == ["Heartbeat", "MeterValues"]


CERTIFICATE = Certificate("ChargingStationCertificate", ago(days=-30), ago(days=60), "CN=CS-1", "0A1B", "CN=Ours")


def of_certificate(certificate: Certificate = CERTIFICATE, station_id: str = "CS-1") -> Station:
    return Station(station_id, certificates={"c1": certificate})


def test_a_certificate_is_looked_at_when_it_has_so_many_days_left_and_when_it_runs_out():
    (before,) = said("certificate_expiring", of_certificate(), ago(days=1))
    (then,) = said("certificate_expiring", of_certificate())
    (after,) = said("certificate_expiring", of_certificate(), ago(days=-30))

    assert (before.is_open, before.look_again_at) == (False, NOW)
    assert (then.is_open, then.look_again_at) == (True, ago(days=-30))
    assert then.title == "The ChargingStationCertificate of CS-1 runs out before long"
    assert then.detail == "It is valid until 2026-05-31 12:00 UTC. Subject CN=CS-1. Serial number 0A1B. Issuer CN=Ours."
    assert (after.title, after.look_again_at) == ("The ChargingStationCertificate of CS-1 has run out", None)
    assert len(after.happened) == 1 + len(then.happened)


@pytest.mark.parametrize(("year", "is_open"), [(1, True), (9999, False)])
def test_a_certificate_may_run_out_in_any_year(year, is_open):
    certificate = msgspec.structs.replace(CERTIFICATE, expires_at=datetime(year, 1, 1, tzinfo=UTC))
    (verdict,) = said("certificate_expiring", of_certificate(certificate))

    assert (verdict.is_open, verdict.since.year) == (is_open, max(1, year - 1))


def test_what_a_station_tells_of_may_be_of_any_year():
    at = datetime.max.replace(tzinfo=UTC)
    station = Station(
        "CS-1",
        connected=True,
        boots=(Boot(at), Boot(at), Boot(at)),
        places={"1/1": Place("Faulted", at, at)},
        security=(Told("e", "TamperDetectionActivated", at),),
        charging_days=tuple(range(at.toordinal() - 20, at.toordinal())),
        last_session_at=at,
        refusals=(Refusals("password", 10, at, at),),
        failures=(Told("f", "Reset", at),) * 3,
    )

    for kind in KINDS:
        said(kind, station)
    assert opens("security_event", station) == ["TamperDetectionActivated"]


def test_of_a_certificate_that_is_replaced_or_of_another_kind_nothing_is_said():
    replaced = msgspec.structs.replace(CERTIFICATE, replaced=True)

    assert opens("certificate_expiring", of_certificate(replaced)) == []
    assert opens("certificate_expiring", of_certificate(), kinds=["server"]) == []
    assert opens("certificate_expiring", of_certificate(), kinds=["ChargingStationCertificate"]) == ["c1"]


def test_a_certificate_of_no_station_is_named_by_its_subject():
    (verdict,) = said("certificate_expiring", of_certificate(station_id="/certificate/c1"))

    assert verdict.title == "The ChargingStationCertificate CN=CS-1 runs out before long"


@pytest.mark.parametrize("kind", ["server", "client authority"])
def test_a_certificate_of_edges_that_none_tells_of_for_two_days_is_used_no_more(kind: str):
    told = msgspec.structs.replace(CERTIFICATE, kind=kind, at=ago(days=2))
    of_edges = of_certificate(told, "/certificate/c1")

    assert opens("certificate_expiring", of_edges, ago(days=0.001), days=60) == ["c1"]
    (verdict,) = said("certificate_expiring", of_edges, ago(days=0.001), days=60)
    assert verdict.look_again_at == NOW
    assert opens("certificate_expiring", of_edges, days=60) == []
    assert opens("certificate_expiring", of_certificate(msgspec.structs.replace(told, at=NOW), "/certificate/c1"))
    assert opens("certificate_expiring", of_certificate(told)) == ["c1"]
    other = msgspec.structs.replace(told, kind=CERTIFICATE.kind)
    assert opens("certificate_expiring", of_certificate(other, "/certificate/c1")) == ["c1"]


def refused(minutes: float, count: int, reason: str = "bad_password", address: str = "192.0.2.1") -> Refusals:
    return Refusals(reason, count, ago(minutes=minutes + 1), ago(minutes=minutes), address)


def test_connections_that_are_refused_again_and_again_are_told_until_they_are_further_apart():
    station = Station("CS-1", refusals=(refused(70, 9), refused(50, 4), refused(30, 3, "tls"), refused(10, 3)))
    (verdict,) = said("connections_refused", station, connections=6, within_minutes=60)

    assert (verdict.is_open, verdict.since, verdict.last_at) == (True, ago(minutes=51), ago(minutes=10))
    assert verdict.look_again_at == ago(minutes=30 - 60)
    assert verdict.title == "Connections of CS-1 are refused"
    assert verdict.detail == "10 within 60 minutes: bad_password (7), tls (3). From 192.0.2.1."
    assert len(verdict.happened) == 2

    assert opens("connections_refused", station, ago(minutes=-20), connections=6, within_minutes=60) == [""]
    assert opens("connections_refused", station, ago(minutes=-30), connections=6, within_minutes=60) == []


def test_only_refusals_for_the_reasons_of_a_rule_count_and_only_so_many():
    station = Station("/address/192.0.2.1", refusals=(refused(2, 5), refused(1, 4, "tls")))

    assert opens("connections_refused", station, connections=10) == []
    assert opens("connections_refused", station, connections=5, reasons=["tls"]) == []
    (verdict,) = said("connections_refused", station, connections=9)
    assert verdict.title == "Connections from 192.0.2.1 are refused"
    (verdict,) = said("connections_refused", msgspec.structs.replace(station, station_id="/address/"), connections=9)
    assert verdict.title == "Connections from many addresses are refused"


DRAWS = Disobedience(ago(minutes=5), ago(minutes=5), active=True, told_id="CS-1/2/limit_disobeyed", title="Too much")


def test_a_limit_is_disobeyed_while_who_set_it_says_so():
    obeys = msgspec.structs.replace(DRAWS, active=False)

    (told,) = said("limit_disobeyed", Station("CS-1", disobeyed={1: obeys, 2: DRAWS}))

    assert (told.part, told.is_open, told.evse_id, told.title) == ("2", True, 2, "Too much")
    assert told.told_id == "CS-1/2/limit_disobeyed"


@pytest.mark.parametrize(("minutes", "is_open"), [(0, True), (5, True), (6, False)])
def test_a_limit_may_be_disobeyed_for_as_long_as_the_rule_says(minutes, is_open):
    (told,) = said("limit_disobeyed", Station("CS-1", disobeyed={2: DRAWS}), minutes=minutes)

    assert (told.is_open, told.look_again_at) == (is_open, None if is_open else ago(minutes=-1))
