"""Every event that tells of a station becomes a fact of it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_notification.stations.domain import folding
from chargebus_notification.stations.domain.station import Station
from chargebus_notification.stations.handlers import StationNews
from chargebus_notification.stations.store import stations

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Known:
    """Stands for the database: what is kept, and when rules are to look."""

    def __init__(self):
        self.kept: dict[str, tuple[Station, datetime]] = {}

    async def lock(self, _connection, station_ids):
        return {key: self.kept[key][0] for key in station_ids if key in self.kept}

    async def keep(self, _connection, told, _now):
        self.kept |= {station.station_id: (station, due_at) for station, due_at in told}


class Batch:
    connection = None
    now = NOW


@pytest.fixture
def known(monkeypatch):
    known = Known()
    monkeypatch.setattr(stations, "lock", known.lock)
    monkeypatch.setattr(stations, "keep", known.keep)
    return known


def received(kind: str, body: object) -> Received:
    record = public.event(kind, "e", "/test", NOW, body)
    return Received(record.topic, 0, 0, record.key, record.value, dict(record.headers))


async def told(known: Known, kind: str, body: object) -> Station:
    await StationNews().apply(Batch(), [received(kind, body)])
    return known.kept["CS-1"][0]


async def test_a_security_event_is_kept_with_its_time_of_arrival_if_its_clock_is_ahead(known):
    ahead = NOW + timedelta(days=1)
    station = await told(
        known, public.SECURITY_EVENT, public.SecurityEvent("e1", "CS-1", ahead, NOW, "TamperDetectionActivated", "lid")
    )

    (event,) = station.security
    assert (event.kind, event.at, event.detail) == ("TamperDetectionActivated", NOW, "lid")


def monitor_event(trigger: str = "Alerting", **more: object) -> public.StationEvent:
    return public.StationEvent(
        "e1", "CS-1", NOW, NOW, 1, "Cabinet", "Temperature", "81", trigger, "CustomMonitor", evse_id=2, **more
    )


async def test_a_monitor_that_alerts_is_active_and_where_no_severity_is_told_it_is_four(known):
    station = await told(known, public.STATION_EVENT, monitor_event())

    assert [(key, each.active, each.severity) for key, each in station.monitored.items()] == [
        ("Cabinet.Temperature at EVSE 2", True, 4)
    ]


async def test_what_a_monitor_says_is_kept_in_short(known):
    station = await told(known, public.STATION_EVENT, monitor_event(tech_info="x" * 2500))

    assert [len(each.detail) for each in station.monitored.values()] == [300]


async def test_a_monitor_that_is_cleared_is_not_active(known):
    await told(known, public.STATION_EVENT, monitor_event(severity=2))
    station = await told(known, public.STATION_EVENT, monitor_event(severity=2, cleared=True))

    assert [each.active for each in station.monitored.values()] == [False]


@pytest.mark.parametrize("trigger", ["Delta", "Periodic"])
async def test_what_a_monitor_tells_now_and_then_is_no_condition(known, trigger):
    await StationNews().apply(Batch(), [received(public.STATION_EVENT, monitor_event(trigger))])

    assert all(not station.monitored for station, _ in known.kept.values())


async def test_what_became_of_an_update_is_kept(known):
    body = public.FirmwareUpdate("u1", "CS-1", NOW, "2.0", "failed", reason="InvalidSignature")

    assert (await told(known, public.FIRMWARE_UPDATE, body)).update.reason == "InvalidSignature"


async def test_a_breach_of_the_specification_is_grave_if_it_was_refused(known):
    body = public.StationDeviated("CS-1", NOW, "MeterValues", "FormationViolation", "*", 3, refused=True)

    (breach,) = (await told(known, public.STATION_DEVIATED, body)).breaches
    assert (breach.kind, breach.grave) == ("MeterValues", True)


async def test_a_command_that_failed_is_kept_once(known):
    body = public.CommandFailed("CS-1", "c1", NOW, "Reset", "timed_out")
    await told(known, public.COMMAND_FAILED, body)

    assert len((await told(known, public.COMMAND_FAILED, body)).failures) == 1


async def test_readings_of_a_station_that_is_known_have_nobody_look(known):
    await told(known, public.STATION_CONNECTION, public.StationConnection("CS-1", NOW, connected=True, epoch=7))
    assert known.kept["CS-1"][1] == NOW
    reading = public.Reading("r", NOW, "Energy.Active.Import.Register", 1.0, "Wh", "1")
    await told(known, public.METER_READINGS, public.MeterReadings("CS-1", 1, NOW, (reading,)))

    assert known.kept["CS-1"][1] > NOW


async def test_an_event_of_another_kind_is_passed_over(known):
    body = public.StationLog("l1", "CS-1", NOW, "diagnostics", "requested")
    await StationNews().apply(Batch(), [received(public.STATION_LOG, body)])

    assert known.kept == {}


@pytest.mark.parametrize(("station_id", "subject"), [("CS-1", "CS-1"), ("", "/certificate/c1")])
async def test_a_certificate_is_kept_of_its_station_or_of_itself_until_it_is_replaced(known, station_id, subject):
    runs_out = public.CertificateExpiring("c1", "server", NOW + timedelta(days=9), NOW, station_id=station_id)
    replaced = msgspec.structs.replace(runs_out, at=NOW + timedelta(hours=1), replaced=True)
    for body, is_replaced in ((runs_out, False), (replaced, True), (runs_out, True)):
        await StationNews().apply(Batch(), [received(public.CERTIFICATE_EXPIRING, body)])
        assert known.kept[subject][0].certificates["c1"].replaced is is_replaced
    assert set(known.kept) == {subject}
    assert known.kept[subject][1] == NOW


async def test_of_many_certificates_those_are_kept_that_are_needed(known):
    for number in range(folding.CERTIFICATES_KEPT + 5):
        at, is_replaced = NOW + timedelta(hours=number), number >= folding.CERTIFICATES_KEPT
        body = public.CertificateExpiring(f"c{number}", "server", at, at, station_id="CS-1", replaced=is_replaced)
        station = await told(known, public.CERTIFICATE_EXPIRING, body)
    assert len(station.certificates) == folding.CERTIFICATES_KEPT
    assert not any(each.replaced for each in station.certificates.values())


@pytest.mark.parametrize(("station_id", "subject"), [("CS-1", "CS-1"), ("", "/address/192.0.2.1")])
async def test_refused_connections_are_kept_once_of_the_station_or_of_the_address(known, station_id, subject):
    body = public.ConnectionRefused("tls", 3, NOW, NOW, NOW, station_id, "192.0.2.1")
    for _ in range(2):
        await StationNews().apply(Batch(), [received(public.CONNECTION_REFUSED, body)])

    assert [(each.reason, each.count) for each in known.kept[subject][0].refusals] == [("tls", 3)]


def alert(state: str, at: datetime, **more: object) -> public.Alert:
    return public.Alert("CS-1/2/limit_disobeyed", "CS-1", "limit_disobeyed", state, "warning", at, "Too much", **more)


OF_EVSE = {"station_id": "CS-1", "evse_id": 2}


async def test_a_limit_is_disobeyed_from_the_first_that_is_told_until_it_is_over(known):
    later = NOW + timedelta(minutes=5)
    await told(known, public.ALERT_CHANGED, alert("open", NOW, **OF_EVSE))
    still = (await told(known, public.ALERT_CHANGED, alert("open", later, **OF_EVSE))).disobeyed[2]
    over = (await told(known, public.ALERT_CHANGED, alert("resolved", later, **OF_EVSE))).disobeyed[2]
    old = (await told(known, public.ALERT_CHANGED, alert("open", NOW, **OF_EVSE))).disobeyed[2]

    assert (still.active, still.since, still.told_id) == (True, NOW, "CS-1/2/limit_disobeyed")
    assert (over.active, old.active) == (False, False)


@pytest.mark.parametrize("change", [{"rule": "profile_drift"}, {"station_id": ""}])
async def test_other_alerts_are_no_facts(known, change):
    other = msgspec.structs.replace(alert("open", NOW, **OF_EVSE), **change)

    await StationNews().apply(Batch(), [received(public.ALERT_CHANGED, other)])

    assert known.kept == {}
