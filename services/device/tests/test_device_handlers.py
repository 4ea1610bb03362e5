"""What a batch does: answers, events, rows."""

import json
from datetime import timedelta

import msgspec
import pytest
from chargebus_device import metrics
from chargebus_events.frames import ERROR
from chargebus_events.public import CONNECTOR_STATUS, STATION_BOOTED, STATION_CONNECTION
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import DOWNLINK, REGISTRY
from chargebus_ocppj.schemas import validate_result
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

BOOT_16 = b'{"chargePointVendor":"Acme","chargePointModel":"One"}'
BOOT_2X = b'{"chargingStation":{"vendorName":"Acme","model":"Two"},"reason":"PowerUp"}'
BOOTS = {"1.6": BOOT_16, "2.0.1": BOOT_2X, "2.1": BOOT_2X}


async def register(device, station_id="CS-1", registration="accepted"):
    await device.database.pool.execute(
        "INSERT INTO station VALUES ($1, $2, 'hash', 1, '{}', '', '{}', $3, $3)",
        station_id,
        registration,
        device.time(),
    )


def status_16(connector_id=1, status="Available", **more):
    return json.dumps({"connectorId": connector_id, "status": status, "errorCode": "NoError", **more}).encode()


def of_type(records, kind):
    return [json.loads(r.value) for r in records if dict(r.headers).get("ce_type") == kind.encode()]


@pytest.fixture
def counted(monkeypatch):
    """Return what a counter of the service has by its attributes; to be asked for before the service."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)

    def read(name):
        resources = reader.get_metrics_data().resource_metrics
        found = [metric for resource in resources for metric in resource.scope_metrics[0].metrics]
        return {
            tuple(point.attributes.items()): point.value
            for metric in found
            if metric.name == f"chargebus.device.{name}"
            for point in metric.data.data_points
        }

    return read


def answers(records):
    return [record for record in records if record.topic == DOWNLINK]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("registration", ["accepted", "pending", "rejected"])
async def test_TC_B_01_a_boot_is_answered_on_its_edges_partition_with_the_registration(device, version, registration):
    await register(device, registration=registration)

    sent = await device.apply(device.frame("BootNotification", BOOTS[version], version=version, slot=9))

    (answer,) = answers(sent)
    headers = dict(answer.headers)
    assert (answer.partition, headers["registration"], headers["ocpp_epoch"]) == (9, registration.encode(), b"7")
    validate_result(version, "BootNotification", answer.value)
    assert json.loads(answer.value) == {
        "currentTime": "2025-03-01T12:00:00.000Z",
        "interval": 300 if registration == "accepted" else 60,
        "status": registration.capitalize(),
    }


async def test_a_boot_sent_again_is_answered_again_and_told_once(device):
    await register(device)

    sent = await device.apply(device.frame("BootNotification", BOOT_16), device.frame("BootNotification", BOOT_16))
    later = await device.apply(device.frame("BootNotification", BOOT_16))

    assert len(answers(sent)) == 2
    assert len(of_type(sent, STATION_BOOTED)) == 1
    assert len(answers(later)) == 1
    assert of_type(later, STATION_BOOTED) == []


async def test_an_unknown_station_is_rejected_while_the_policy_refuses(device):
    sent = await device.apply(device.frame("BootNotification", BOOT_16))

    assert [json.loads(answer.value)["status"] for answer in sent] == ["Rejected"]
    assert await device.fetch("SELECT FROM station") == []


async def test_an_unknown_station_is_registered_as_the_policy_says_with_the_policys_password(device):
    policy, _ = await device.registrar.set_onboarding("pending", new_password=False)

    sent = await device.apply(device.frame("BootNotification", BOOT_16), device.frame("BootNotification", BOOT_16))

    assert [json.loads(answer.value)["status"] for answer in answers(sent)] == ["Pending", "Pending"]
    (record,) = [record for record in sent if record.topic == REGISTRY]
    station = msgspec.json.decode(record.value, type=RegisteredStation)
    assert (station.station_id, station.registration, station.password_hash) == (
        "CS-1",
        "pending",
        policy.password_hash,
    )
    assert len(of_type(sent, STATION_BOOTED)) == 1


async def test_boots_of_many_stations_take_the_same_few_statements(device):
    for n in range(300):
        await register(device, f"CS-{n}")
    boots = [device.frame("BootNotification", BOOT_16, station_id=f"CS-{n}") for n in range(300)]
    statuses = [device.frame("StatusNotification", status_16(), station_id=f"CS-{n}") for n in range(300)]
    presences = [device.presence(1000 + n, station_id=f"CS-{n}") for n in range(300)]

    await device.apply(*boots, *statuses, *presences)

    # The driver's own questions about types come once a connection, and are not counted.
    own = [query for query in device.statements if "pg_catalog" not in query.query and "set_config" not in query.query]
    assert len(own) <= 12
    assert await device.fetch("SELECT count(*) FROM boot") == [(300,)]
    assert await device.fetch("SELECT count(*) FROM connector_status") == [(300,)]
    assert await device.fetch("SELECT count(*) FROM connection WHERE connected") == [(300,)]


async def test_a_status_is_kept_and_told_once(device):
    await register(device)

    sent = await device.apply(
        device.frame("StatusNotification", status_16(status="Preparing")),
        device.frame("StatusNotification", status_16(status="Charging")),
        device.frame("StatusNotification", status_16(status="Charging")),
    )
    later = await device.apply(device.frame("StatusNotification", status_16(status="Charging")))

    told = [
        (event["evse_id"], event["connector_id"], event["status"], event["detail"])
        for event in of_type(sent, CONNECTOR_STATUS)
    ]
    assert told == [(1, 1, "Occupied", "Preparing"), (1, 1, "Occupied", "Charging")]
    assert later == []
    assert await device.fetch("SELECT evse_id, connector_id, status, detail FROM connector_status") == [
        (1, 1, "Occupied", "Charging")
    ]


async def test_a_late_status_does_not_overwrite_a_newer_one(device):
    await register(device)
    newer, older = ((device.time() - timedelta(minutes=n)).isoformat() for n in (1, 30))
    await device.apply(device.frame("StatusNotification", status_16(status="Charging", timestamp=newer)))

    sent = await device.apply(device.frame("StatusNotification", status_16(status="Available", timestamp=older)))

    assert sent == []
    assert await device.fetch("SELECT detail FROM connector_status") == [("Charging",)]


async def test_a_clock_set_back_holds_a_status_for_ten_minutes_and_what_is_dropped_meanwhile_is_counted(
    counted, device
):
    await register(device)

    async def say(status, clock_s=0):
        timestamp = (device.time() + timedelta(seconds=clock_s)).isoformat()
        return await device.apply(device.frame("StatusNotification", status_16(status=status, timestamp=timestamp)))

    await say("Charging")
    device.time.pass_s(600)
    assert await say("Available", clock_s=-3600) == []
    assert await device.fetch("SELECT detail FROM connector_status") == [("Charging",)]
    assert counted("status.outdated") == {(("version", "1.6"),): 1}

    device.time.pass_s(1)
    (told,) = of_type(await say("Available", clock_s=-3600), CONNECTOR_STATUS)
    assert told["status"] == "Available"
    assert await device.fetch("SELECT detail, received_at FROM connector_status") == [("Available", device.time())]
    assert counted("status.outdated") == {(("version", "1.6"),): 1}


async def test_a_status_with_the_time_of_an_unset_clock_counts_from_its_receipt(device):
    await register(device)

    await device.apply(device.frame("StatusNotification", status_16(timestamp="1970-01-01T00:00:07Z")))

    assert await device.fetch("SELECT reported_at FROM connector_status") == [(device.time(),)]


async def test_G01_a_status_of_2x_is_kept_by_evse_and_connector(device):
    await register(device)
    payload = b'{"evseId":2,"connectorId":1,"connectorStatus":"Faulted","timestamp":"2025-03-01T12:00:00Z"}'

    await device.apply(device.frame("StatusNotification", payload, version="2.1"))

    assert await device.fetch("SELECT evse_id, connector_id, status FROM connector_status") == [(2, 1, "Faulted")]


async def test_a_status_of_a_station_that_is_not_registered_leaves_nothing(device):
    assert await device.apply(device.frame("StatusNotification", status_16())) == []
    assert await device.fetch("SELECT FROM connector_status") == []


async def test_an_unusable_status_stops_nobody(device):
    await register(device)

    await device.apply(
        device.frame("StatusNotification", status_16(connector_id=-1)),
        device.frame("StatusNotification", status_16(connector_id=10**12)),
        device.frame("StatusNotification", status_16(connector_id=2)),
    )

    assert await device.fetch("SELECT evse_id FROM connector_status") == [(2,)]


async def test_a_station_registered_by_its_boot_has_its_status_kept_in_the_same_batch(device):
    await device.registrar.set_onboarding("accept", new_password=False)

    await device.apply(device.frame("StatusNotification", status_16()), device.frame("BootNotification", BOOT_16))

    assert await device.fetch("SELECT status FROM connector_status") == [("Available",)]


async def test_any_frame_is_a_sign_of_life_and_the_newest_counts(device):
    device.time.pass_s(60)
    await device.apply(
        device.frame("Heartbeat", b"{}"),
        device.frame("Heartbeat", b"{}", received_at=device.time() - timedelta(seconds=30)),
    )
    await device.apply(
        device.frame("NotifyReport", b"{}", version="2.1", received_at=device.time() - timedelta(seconds=9))
    )

    assert await device.fetch("SELECT station_id, last_seen_at FROM connection") == [("CS-1", device.time())]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_P02_FR_06_data_of_an_unknown_vendor_is_answered_so(device, version):
    (answer,) = await device.apply(device.frame("DataTransfer", b'{"vendorId":"x"}', version=version))

    assert json.loads(answer.value) == {"status": "UnknownVendorId"}
    validate_result(version, "DataTransfer", answer.value)


async def test_no_periodic_event_stream_is_opened(device):
    (answer,) = await device.apply(device.frame("OpenPeriodicEventStream", b"{}", version="2.1"))

    assert json.loads(answer.value) == {"status": "Rejected"}


@pytest.mark.parametrize("action", ["Heartbeat", "NotifyReport", "NotifyMonitoringReport", "ClosePeriodicEventStream"])
async def test_what_the_edge_answers_is_not_answered_twice(device, action):
    assert await device.apply(device.frame(action, b"{}", version="2.1")) == []


async def test_an_action_without_a_route_that_waits_for_us_is_not_supported(device):
    (answer,) = await device.apply(device.frame("SignCertificate", b'{"csr":"x"}', version="2.0.1"))

    assert dict(answer.headers)["ce_type"] == ERROR.encode()
    assert json.loads(answer.value)["code"] == "NotSupported"


async def test_the_station_of_a_parked_call_gets_internal_error(device):
    (answer,) = device.consumed.refuse(device.frame("BootNotification", b"!"), "why")

    assert json.loads(answer.value)["code"] == "InternalError"
    assert answer.partition == 3


async def test_nobody_is_told_of_a_parked_record_that_the_edge_answered_or_that_is_no_frame(device):
    assert device.consumed.refuse(device.frame("Heartbeat", b"!"), "why") == ()
    assert device.consumed.refuse(device.presence(1), "why") == ()


async def test_a_connection_that_is_said_to_be_there_again_was_seen(device):
    await register(device)
    await device.apply(device.presence(40))
    device.time.pass_s(600)
    seen_at = device.time()

    told = await device.apply(device.presence(50, epoch=40))
    assert await device.fetch("SELECT last_seen_at, epoch, connected FROM connection") == [(seen_at, 40, True)]
    assert told == []

    late = device.presence(51, epoch=40, at=seen_at - timedelta(seconds=30))
    device.time.pass_s(60)
    await device.apply(late, device.presence(52, epoch=39))
    assert await device.fetch("SELECT last_seen_at, epoch, connected FROM connection") == [(seen_at, 40, True)]


async def test_presence_connects_and_disconnects_by_epoch(device):
    connected = await device.apply(device.presence(40, version="1.6", remote_address="10.0.0.1"))
    late = await device.apply(device.presence(41), device.presence(42, connected=False, epoch=40))
    assert await device.fetch("SELECT epoch, connected FROM connection") == [(41, True)]
    ended = await device.apply(device.presence(43, connected=False, epoch=41))

    assert [(e["epoch"], e["connected"]) for e in of_type(connected, STATION_CONNECTION)] == [(40, True)]
    assert [(e["epoch"], e["connected"]) for e in of_type(late, STATION_CONNECTION)] == [(40, False), (41, True)]
    assert [(e["epoch"], e["connected"]) for e in of_type(ended, STATION_CONNECTION)] == [(41, False)]


async def test_the_same_connection_event_has_the_same_id(device):
    (first,) = await device.apply(device.presence(40))
    await device.database.pool.execute("DELETE FROM connection")
    (again,) = await device.apply(device.presence(40))

    assert dict(first.headers)["ce_id"] == dict(again.headers)["ce_id"]


async def test_a_new_cluster_forgets_connections_and_edges_but_not_when_a_station_was_seen(device):
    device.hear(5)
    await device.life.note()
    await device.apply(device.presence(40))
    before = await device.fetch("SELECT last_seen_at FROM connection")

    async with device.database.pool.acquire() as connection:
        await device.consumed.on_new_cluster(connection)
    await device.apply(device.presence(2, edge_epoch=0))

    assert await device.fetch("SELECT epoch, connected FROM connection") == [(2, True)]
    assert await device.fetch("SELECT last_seen_at FROM connection") == before
    assert await device.fetch("SELECT FROM edge") == []
