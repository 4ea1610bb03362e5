"""The smaller parts of an edge, one by one."""

import asyncio
import gc
import json
import weakref
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from chargebus_edge import metrics as metrics_module
from chargebus_edge.counts import LINES_PER_WINDOW, Counts
from chargebus_edge.door.registry import Registry
from chargebus_edge.log import slot as slot_module
from chargebus_edge.log.frames import FrameRecords, Publish, Stamp
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.personal import sealing_with
from chargebus_edge.log.routes import DECIDING_SERVICES, route
from chargebus_edge.log.slot import Slot, SlotLostError, Status
from chargebus_edge.main import NoTransportError, build
from chargebus_edge.rpc.garbage import FrozenHeap
from chargebus_edge.rpc.keepalive import KeepAlive
from chargebus_edge.rpc.limits import ConnectionLimits
from chargebus_edge.settings import EdgeSettings
from chargebus_events.frames import Frame
from chargebus_events.personal import context_of
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.record import Received
from chargebus_events.registry import ONBOARDING_KEY, OnboardingPolicy, RegisteredStation, removed
from chargebus_ocppj.actions import ACTIONS
from chargebus_runtime.edge_liveness import HeardEdge
from chargebus_runtime.producer import Sent
from chargebus_runtime.sealing import Sealing, SealingError
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pydantic import ValidationError

NOW = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def received(record, offset=0):
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


# Frame records


@pytest.mark.parametrize(("action", "version"), [("Heartbeat", "1.6"), ("NotifyPeriodicEventStream", "2.1")])
def test_a_frame_record_is_that_of_the_contract(action, version):
    way = route(version, action)
    frame = Publish(7, way, "id/é", b'{"a" :1}')
    record = FrameRecords("CP|1", version, 3, 99, Stamp(lambda: NOW)).record(frame)
    expected = Frame("CP|1", version, action, "id/é", 3, 99, 7, b'{"a" :1}', NOW, way.expects_answer)
    assert record == expected.record(way.topic)


def test_a_report_of_settings_reaches_kafka_without_the_secret_ones():
    value = b'{"reportData":[{"variable":{"name":"BasicAuthPassword"},"variableAttribute":[{"value":"%s"}]}]}'
    frame = Publish(7, route("2.0.1", "NotifyReport"), "id", value % b"correct-horse-batt")
    record = FrameRecords("CP1", "2.0.1", 3, 99, Stamp(lambda: NOW)).record(frame)
    assert record.value == value % b"***"


KNOWN = b'{"data":"Alice, 1 Main Street","seqNo":0,"generatedAt":"2024-05-01T12:00:00Z","requestId":7}'


def sealed_by(sealing, payload=KNOWN):
    frame = Publish(7, route("2.0.1", "NotifyCustomerInformation"), "id", payload)
    seal = sealing_with(sealing, lambda: NOW)
    return json.loads(FrameRecords("CP1", "2.0.1", 3, 99, Stamp(lambda: NOW), seal).record(frame).value)


def test_what_is_told_of_people_reaches_kafka_sealed_for_its_station_and_for_some_days():
    sealing = Sealing([bytes(32)])
    said = sealed_by(sealing)
    context = context_of("NotifyCustomerInformation", "CP1")

    assert said | {"data": ""} == json.loads(KNOWN) | {"data": "", "sealed": True}
    assert sealing.open(said["data"], context, NOW) == b"Alice, 1 Main Street"
    for where, when in ((context_of("NotifyCustomerInformation", "CP2"), NOW), (context, NOW + timedelta(days=4))):
        with pytest.raises(SealingError):
            sealing.open(said["data"], where, when)


@pytest.mark.parametrize(
    ("payload", "value"), [(b'{"name":"Alice"}', {}), (b'"Alice"', {}), (b'{"data":{"name":"Alice"}}', None)]
)
def test_of_what_breaks_its_schema_nothing_personal_reaches_kafka(payload, value):
    said = sealed_by(Sealing([bytes(32)]), payload)

    assert "Alice" not in json.dumps(said)
    assert value is None or said == value


def test_without_a_key_frames_are_as_they_were_said():
    assert sealed_by(Sealing()) == json.loads(KNOWN)


def test_a_stamp_follows_the_clock():
    clock = [NOW]
    stamp = Stamp(lambda: clock[0])
    assert stamp() == b"2024-05-01T12:00:00.123Z"
    clock[0] += timedelta(milliseconds=1)
    assert stamp() == b"2024-05-01T12:00:00.124Z"
    clock[0] -= timedelta(seconds=5)
    assert stamp() == b"2024-05-01T11:59:55.124Z"


# Routes


def test_every_action_of_a_station_has_a_way():
    for row in ACTIONS:
        for version in row.versions:
            way = route(version, row.name)
            assert row.initiator == "csms" or way is not None
            if way is not None and row.initiator == "station":
                assert way.supported or row.service not in DECIDING_SERVICES
                assert not (way.answered_by_edge and not way.expects_answer)


# KeepAlive

LIMITS = ConnectionLimits(ping_after_s=60, pong_within_s=30, silent_for_s=900)


def test_a_station_is_pinged_once_when_it_has_been_silent():
    liveness = KeepAlive(LIMITS, 0)
    assert [liveness.step(now) for now in (59, 60, 61, 899)] == ["wait", "ping", "wait", "wait"]


def test_a_station_that_has_answered_a_ping_is_gone_when_it_does_not_answer_the_next():
    liveness = KeepAlive(LIMITS, 0)
    liveness.step(60)
    liveness.pong(61)
    assert [liveness.step(now) for now in (120, 121, 150, 151)] == ["wait", "ping", "wait", "half-open"]


def test_a_station_that_never_answers_pings_is_judged_by_its_traffic():
    liveness = KeepAlive(LIMITS, 0)
    liveness.step(60)
    liveness.message(300)
    assert [liveness.step(now) for now in (359, 360, 1199, 1200)] == ["wait", "ping", "wait", "silent"]


# What keeps stations out


def test_stations_are_kept_out_until_everything_is_out_of_the_way():
    obstacles = Obstacles(10)
    assert obstacles.first == "starting"
    obstacles.add("dark")
    obstacles.remove("starting")
    assert obstacles.first == "dark"
    obstacles.remove("dark")
    assert obstacles.first is None


def test_stations_are_told_to_come_again_at_different_times():
    seconds = {int(Obstacles(10).retry_after()) for _ in range(200)}
    assert min(seconds) >= 10
    assert max(seconds) <= 20
    assert len(seconds) > 5


# The registry


def test_the_registry_follows_its_topic():
    changes = []
    registry = Registry(changes.append)
    registry.apply(received(RegisteredStation("A", "pending", "hash", NOW, 2, ("1.6",)).record()))
    found = registry.find("A")
    assert (found.registration, found.password_hash, found.security_profile, found.versions) == (
        "pending",
        "hash",
        2,
        ("1.6",),
    )
    assert registry.find("B") is None
    registry.apply(received(OnboardingPolicy("accept", NOW, "other").record()))
    assert (registry.find("B").registration, registry.find("B").onboarding) == ("accepted", True)
    assert registry.find("A").password_hash == "hash"
    registry.apply(received(OnboardingPolicy("refuse", NOW, "other").record()))
    assert registry.find("B") is None
    registry.apply(received(removed("A")))
    assert registry.find("A") is None
    assert changes == ["A", ONBOARDING_KEY, ONBOARDING_KEY, "A"]


def test_a_station_with_an_unreadable_registration_is_refused_until_it_can_be_read_again():
    changes = []
    registry = Registry(changes.append)
    registry.apply(received(OnboardingPolicy("accept", NOW, "other").record()))
    registry.apply(received(RegisteredStation("A", "pending", "hash", NOW).record()))
    unreadable = Received("station.registry", 0, 1, "A", b"{}", {})
    with pytest.raises(msgspec.MsgspecError):
        registry.apply(unreadable)
    registry.refuse(unreadable)
    assert registry.find("A") is None
    registry.apply(received(RegisteredStation("A", "accepted", "hash", NOW).record()))
    assert registry.find("A").registration == "accepted"
    assert changes == [ONBOARDING_KEY, "A", "A", "A"]


def test_a_policy_that_cannot_be_read_lets_in_no_stranger():
    changes = []
    registry = Registry(changes.append)
    policy = OnboardingPolicy("accept", NOW, "other").record()
    registry.apply(received(policy))
    registry.refuse(Received("station.registry", 0, 1, policy.key, b'{"unknown_stations":7}', {}))
    assert registry.find("B") is None
    assert changes == [ONBOARDING_KEY, ONBOARDING_KEY]


# The slot


class Acknowledging:
    def __init__(self, *offsets):
        self.offsets = list(offsets)
        self.records = []

    async def send(self, record):
        self.records.append(record)
        offset = self.offsets.pop(0) if self.offsets else 0
        if isinstance(offset, Exception):
            raise offset
        return Sent(0, offset)


def make_slot(*offsets, number=3):
    producer = Acknowledging(*offsets)
    return Slot(number, producer, lambda: NOW, lambda: 0.0), producer


def heard(epoch, slot=3):
    return HeardEdge(slot, epoch, "other", stopped=False, heard_at=0.0, live=True)


async def test_the_epoch_of_an_edge_is_the_offset_of_its_first_heartbeat():
    slot, producer = make_slot(KafkaConnectionError(), -1, 17)
    assert await slot.claim() == 17
    assert slot.waiting_since is None
    assert len(producer.records) == 3


async def test_a_newer_edge_on_the_slot_takes_it():
    slot, _ = make_slot(17)
    slot.hear(heard(16))
    await slot.claim()
    slot.hear(heard(16))
    slot.hear(heard(19, slot=4))
    assert not slot.lost.is_set()
    slot.hear(heard(20))
    assert slot.lost.is_set()
    with pytest.raises(SlotLostError, match="slot 3"):
        await slot.beat(lambda: Status(0, draining=False), lambda: None)


async def test_a_newer_edge_that_was_seen_before_our_own_claim_was_acknowledged_takes_the_slot_too():
    slot, _ = make_slot(17)
    slot.hear(heard(18))
    await slot.claim()
    assert slot.lost.is_set()


async def test_a_lost_slot_is_not_left_in_the_name_of_its_new_owner():
    slot, producer = make_slot(17)
    await slot.claim()
    slot.hear(heard(20))
    await slot.leave()
    assert len(producer.records) == 1


async def test_the_last_heartbeat_of_an_edge_says_that_it_stopped(monkeypatch):
    monkeypatch.setattr(slot_module, "HEARTBEAT_S", 0.01)
    slot, producer = make_slot(17)
    await slot.claim()
    beating = asyncio.create_task(slot.beat(lambda: Status(0, draining=False), lambda: None))
    await asyncio.sleep(0.05)
    await slot.leave()
    await asyncio.wait_for(beating, 180)
    assert [b'"stopped":true' in record.value for record in producer.records[-2:]] == [False, True]


async def test_each_heartbeat_tells_under_whom_the_certificates_of_the_edge_stand():
    slot, producer = make_slot(17)
    slot.issuers = lambda: ("9f:c3",)
    await slot.claim()
    await slot.leave()
    assert [msgspec.json.decode(each.value, type=EdgeHeartbeat).issuers for each in producer.records] == [
        ("9f:c3",),
        ("9f:c3",),
    ]


# Settings


@pytest.mark.parametrize(("value", "slot"), [("0", 0), ("7", 7), ("edge-3", 3), ("chargebus-edge-12", 12)])
def test_a_slot_is_a_number_or_the_name_of_a_pod(monkeypatch, value, slot):
    monkeypatch.setenv("EDGE_SLOT", value)
    assert EdgeSettings().slot == slot


@pytest.mark.parametrize("value", ["32", "-1", "edge", "edge-99", ""])
def test_any_other_slot_is_refused(monkeypatch, value):
    monkeypatch.setenv("EDGE_SLOT", value)
    with pytest.raises(ValidationError):
        EdgeSettings()


def test_settings_have_the_same_names_in_the_environment_whatever_their_group(monkeypatch):
    for name, value in (
        ("PORT", "9"),
        ("MAX_OPEN_CALLS", "8"),
        ("PING_AFTER_S", "7"),
        ("DARK_S", "6"),
        ("DRAIN_S", "5"),
    ):
        monkeypatch.setenv(f"EDGE_{name}", value)
    settings = EdgeSettings()
    assert (settings.listen.port, settings.calls.max_open_calls, settings.silence.ping_after_s) == (9, 8, 7)
    assert (settings.kafka.dark_s, settings.drain_s) == (6, 5)


def test_a_setting_in_a_group_is_checked_as_any_other(monkeypatch):
    monkeypatch.setenv("EDGE_DARK_S", "0")
    with pytest.raises(ValidationError, match="dark_s"):
        EdgeSettings()


def test_plain_websockets_have_to_be_switched_on_by_name():
    with pytest.raises(NoTransportError, match="EDGE_ALLOW_PLAIN_WS"):
        build(SimpleNamespace(load=lambda settings: settings()))


# The log


def test_a_flood_of_the_same_kind_is_counted_and_not_written(caplog):
    clock = [0.0]
    counts = Counts(lambda: clock[0])
    for number in range(100):
        counts.note("refused", f"CP{number}", "no\nway")
    assert counts.events == {"refused": 100}
    assert len(caplog.records) == LINES_PER_WINDOW
    assert "\n" not in caplog.records[0].getMessage()
    clock[0] = 11
    counts.drop("silent", "CP1")
    assert f"left out {100 - LINES_PER_WINDOW} more" in caplog.text


def test_the_metrics_tell_what_was_counted(monkeypatch):
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics_module, "get_meter", MeterProvider([reader]).get_meter)
    counts = Counts(lambda: 0.0)
    counts.frames["1.6", "Heartbeat", "published"] += 3
    counts.refuse_handshake("wrong password", "CP1")
    counts.dark_s = 1.5
    counts.tls_reloads["refused"] += 1
    levels = metrics_module.Levels(
        lambda: 5, lambda: 6, lambda: 7, lambda: 8, handshakes=lambda: 9, expires_in_s=lambda: {"server": 86400.0}
    )
    metrics_module.Metrics().export(counts, levels)
    (resource,) = reader.get_metrics_data().resource_metrics
    points = {
        metric.name.removeprefix("chargebus.edge."): [
            (dict(point.attributes), point.value) for point in metric.data.data_points
        ]
        for metric in resource.scope_metrics[0].metrics
    }
    assert points == {
        "connections": [({}, 5)],
        "registered": [({}, 6)],
        "unacknowledged": [({}, 7)],
        "waiting": [({}, 8)],
        "tls.handshakes": [({}, 9)],
        "tls.expiry": [({"use": "server"}, 86400.0)],
        "tls.reloads": [({"result": "refused"}, 1)],
        "frames": [({"version": "1.6", "action": "Heartbeat", "result": "published"}, 3)],
        "handshakes.refused": [({"reason": "wrong password"}, 1)],
        "dark": [({}, 1.5)],
    }


# Memory


def test_the_heap_is_frozen_when_connections_have_grown_by_a_quarter():
    heap, frozen = FrozenHeap(), []
    for connections in (0, 499, 500, 600, 625, 10):
        gc.unfreeze()
        heap.settle(connections)
        frozen.append(gc.get_freeze_count() > 0)
    gc.unfreeze()
    assert frozen == [False, False, True, False, True, False]


async def test_a_connection_that_is_over_goes_without_the_garbage_collector(edge):
    gc.collect()
    gc.disable()
    try:
        gone = []
        for how in ("close", "abort", "garbage"):
            before = len(edge.kafka.log["ocpp.presence"])
            socket = await edge.connect("CP1")
            await edge.kafka.until("ocpp.presence", before + 1)
            gone.append(weakref.ref(edge.connections.of("CP1")[0].socket))
            if how == "close":
                await socket.close()
            elif how == "abort":
                socket.transport.abort()
            else:
                socket.transport.write(b"\xff\xff\xff")
            await socket.wait_closed()
        async with asyncio.timeout(180):
            while any(reference() is not None for reference in gone):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
