"""The committed JSON Schemas are those of the types, and what is sent obeys them."""

import json
from datetime import UTC, datetime

import jsonschema_rs
import msgspec
import pytest
from chargebus_events import public, schemas
from chargebus_events.public import PUBLIC

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
READING = public.Reading("r1", NOW, "Energy.Active.Import.Register", 1500.0, "Wh", "1.5", "kWh")
SMALLEST = {
    public.StationBooted: public.StationBooted("CS-1", NOW, "accepted", "1.6"),
    public.StationConnection: public.StationConnection("CS-1", NOW, connected=True, epoch=7),
    public.ConnectorStatus: public.ConnectorStatus("CS-1", NOW, 1, 1, "Available"),
    public.StationDescribed: public.StationDescribed("CS-1", NOW),
    public.CommandFailed: public.CommandFailed("CS-1", "c1", NOW, "Reset", "timed_out"),
    public.StationDeviated: public.StationDeviated("CS-1", NOW, "Heartbeat", "extra_property"),
    public.StationEvent: public.StationEvent(
        "e1", "CS-1", NOW, NOW, 7, "Connector", "Problem", "true", "Alerting", "HardWiredNotification"
    ),
    public.SecurityEvent: public.SecurityEvent("e1", "CS-1", NOW, NOW, "TamperDetectionActivated"),
    public.CertificateExpiring: public.CertificateExpiring("c1", "ChargingStationCertificate", NOW, NOW),
    public.ConnectionRefused: public.ConnectionRefused("bad_password", 3, NOW, NOW, NOW),
    public.Session: public.Session("s1", "CS-1", "7", "1.6", "active", NOW),
    public.MeterReadings: public.MeterReadings("CS-1", 1, NOW, (READING,)),
    public.ChargingLimit: public.ChargingLimit("depot", "l1", "EMS", NOW, phase_a=63.0),
    public.ChargingPlan: public.ChargingPlan("depot", "p1", NOW, "allocator"),
    public.GridSeries: public.GridSeries("DE-LU", "price", "market", "EUR/kWh", NOW, NOW, 900, (0.25, None)),
    public.Alert: public.Alert("a1", "CS-1", "limit_disobeyed", "open", "warning", NOW, "CS-1 draws too much"),
    public.FirmwareUpdate: public.FirmwareUpdate("u1", "CS-1", NOW, "2.0.0", "requested"),
    public.FirmwareCampaign: public.FirmwareCampaign("c1", NOW, "running"),
    public.FirmwarePublication: public.FirmwarePublication("p1", "CS-1", NOW, "requested"),
    public.StationLog: public.StationLog("l1", "CS-1", NOW, "diagnostics", "requested"),
}
FULL_SESSION = public.Session(
    "s1",
    "CS-1",
    "7",
    "2.0.1",
    "ended",
    NOW,
    started_at=NOW,
    ended_at=NOW,
    energy_wh=12.5,
    gaps=((1, 2), (5, 5)),
    missing=("started",),
)


@pytest.mark.parametrize("kind", PUBLIC)
def test_the_committed_schema_is_the_types(kind):
    assert schemas.path_of(kind).read_text(encoding="utf-8") == schemas.render(kind), (
        "the type changed: only optional fields may be added (docs/data-contract.md), anything else is a new version; "
        "then run make contract"
    )


def test_there_is_no_schema_without_an_event():
    assert {path.name for path in schemas.FOLDER.iterdir()} == {f"{kind}.json" for kind in PUBLIC}


@pytest.mark.parametrize("kind", PUBLIC)
def test_an_event_obeys_its_schema(kind):
    validator = jsonschema_rs.validator_for(schemas.schema_of(kind))
    body = SMALLEST[PUBLIC[kind]]

    validator.validate(json.loads(public.event(kind, "e1", "/test", NOW, body).value))


def test_a_session_with_all_it_may_have_obeys_its_schema():
    validator = jsonschema_rs.validator_for(schemas.schema_of(public.SESSION_ENDED))

    validator.validate(json.loads(msgspec.json.encode(FULL_SESSION)))


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_type_carries_its_version(kind):
    assert kind.startswith("chargebus.")
    assert kind.rsplit(".", 1)[1].removeprefix("v").isdigit()


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_reader_of_an_older_version_reads_what_a_newer_one_added(kind):
    body = msgspec.to_builtins(SMALLEST[PUBLIC[kind]]) | {"added_later": 1}

    assert msgspec.convert(body, PUBLIC[kind]) == SMALLEST[PUBLIC[kind]]


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_time_without_a_zone_is_refused(kind):
    body = json.dumps(msgspec.to_builtins(SMALLEST[PUBLIC[kind]])).replace("12:00:00Z", "12:00:00")

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=PUBLIC[kind])


def test_writing_makes_the_files_and_removes_those_of_no_event(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "FOLDER", tmp_path / "schemas")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "chargebus.gone.v1.json").write_text("{}")

    schemas.write()

    assert {path.name for path in schemas.FOLDER.iterdir()} == {f"{kind}.json" for kind in PUBLIC}


def test_what_is_of_no_station_has_a_key_of_its_own():
    certificate = public.CertificateExpiring("c1", "server", NOW, NOW)
    refused = public.ConnectionRefused("tls", 3, NOW, NOW, NOW, address="192.0.2.1")
    of_stations = [
        msgspec.structs.replace(certificate, station_id="CS-1"),
        msgspec.structs.replace(refused, station_id="CS-1"),
    ]
    kinds = (public.CERTIFICATE_EXPIRING, public.CONNECTION_REFUSED)
    keys = [public.event(kind, "e1", "/edge", NOW, body).key for kind, body in zip(kinds, of_stations, strict=True)]
    assert keys == ["CS-1", "CS-1"]
    assert public.event(kinds[0], "e1", "/edge", NOW, certificate).key == "c1"
    assert public.event(kinds[1], "e1", "/edge", NOW, refused).key == "192.0.2.1"
    assert {public.topic_of(kind) for kind in kinds} == {"security.events"}
