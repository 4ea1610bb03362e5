"""An edge with real sockets and a Kafka that the test plays: when is what answered, published, closed."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from chargebus_edge.log import drain
from chargebus_edge.rpc.websocket import HEAD_BYTES
from chargebus_events.commands import COMMAND, Command, Delivery
from chargebus_events.frames import Frame
from chargebus_events.presence import Presence
from chargebus_events.record import Received, Record
from chargebus_events.topics import PRESENCE
from chargebus_testkit.waiting import until
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from websockets.exceptions import ConnectionClosed, InvalidStatus

AUTHORIZE = '[2,"a","Authorize",{"idTag":"t"}]'


def read_frame(record):
    return Frame.read(Received(record.topic, 0, 0, record.key, record.value, dict(record.headers)))


def presences(edge):
    return [msgspec.json.decode(record.value, type=Presence) for record in edge.kafka.log["ocpp.presence"]]


def deliveries(edge):
    return [msgspec.json.decode(record.value, type=Delivery) for record in edge.kafka.log["ocpp.deliveries"]]


async def is_silent(socket, seconds=0.1):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.recv(), seconds)
    return True


async def connected(edge, station="CP1", **options):
    """Connect and wait until the connection has its epoch."""
    before = len(edge.kafka.log["ocpp.presence"])
    socket = await edge.connect(station, **options)
    await edge.kafka.until("ocpp.presence", before + 1)
    return socket


def command(edge, command_id="c-1", *, epoch=None, timeout_s=30.0, sent_at=None, **more):
    (connection,) = edge.connections.of("CP1") or (None,)
    edge.send_down(
        Command(
            command_id=command_id,
            station_id="CP1",
            slot=0,
            epoch=connection.epoch if epoch is None else epoch,
            timeout_s=timeout_s,
            sent_at=sent_at or datetime.now(UTC),
            **{"action": "ClearCache", "payload": b"{}", **more},
        ).record()
    )


# Promise 1: durable before answered


async def test_an_edge_answered_call_is_answered_only_after_kafka_acknowledged_it(edge):
    socket = await connected(edge)
    edge.kafka.hold()
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert await is_silent(socket)
    edge.kafka.release()
    kind, message_id, payload = json.loads(await socket.recv())
    assert (kind, message_id) == (3, "hb")
    assert payload["currentTime"].endswith("Z")


async def test_a_frame_is_published_as_it_was_sent_with_its_address(edge):
    socket = await connected(edge, subprotocols=["ocpp2.0.1"])
    await socket.send('[2, "id 1", "Heartbeat", { } ]')
    (record,) = await edge.published("device", 1)
    frame = read_frame(record)
    epoch = edge.connections.of("CP1")[0].epoch
    assert frame == Frame("CP1", "2.0.1", "Heartbeat", "id 1", 0, epoch, 1, b"{ }", frame.received_at)
    assert frame.record(record.topic) == record


async def test_a_service_answered_call_waits_for_the_service(edge):
    socket = await connected(edge)
    await socket.send(AUTHORIZE)
    (record,) = await edge.published("session", 1)
    assert await is_silent(socket)
    answer = read_frame(record).answer(b'{"idTagInfo":{"status":"Accepted"}}', "/session", datetime.now(UTC))
    edge.send_down(answer)
    edge.send_down(answer)
    assert await socket.recv() == '[3,"a",{"idTagInfo":{"status":"Accepted"}}]'
    assert await is_silent(socket)


async def test_a_service_error_becomes_a_callerror(edge):
    socket = await connected(edge)
    await socket.send(AUTHORIZE)
    (record,) = await edge.published("session", 1)
    edge.send_down(read_frame(record).error("InternalError", "oh", "/session", datetime.now(UTC)))
    assert await socket.recv() == '[4,"a","InternalError","oh",{}]'


async def test_a_boot_answer_sets_the_registration(edge):
    edge.register("CP1", "pending")
    socket = await connected(edge)
    await socket.send('[2,"b","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]')
    (record,) = await edge.published("device", 1)
    answer = read_frame(record).answer(b"{}", "/device", datetime.now(UTC), ("registration", b"accepted"))
    edge.send_down(answer)
    await socket.recv()
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await socket.recv())[0] == 3


async def test_frames_that_come_before_the_connection_is_announced_wait_for_it(edge):
    edge.kafka.hold()
    async with edge.connect("CP1") as socket:
        await socket.send('[2,"1","Heartbeat",{}]')
        await socket.send('[2,"2","Heartbeat",{}]')
        assert await is_silent(socket)
        assert edge.kafka.log["ocpp.frames.device"] == []
        edge.kafka.release()
        assert [json.loads(await socket.recv())[1] for _ in range(2)] == ["1", "2"]


async def test_the_order_of_a_station_is_kept_on_kafka(edge):
    socket = await connected(edge)
    for number in range(20):
        await socket.send(f'[2,"{number}","Heartbeat",{{}}]')
    records = await edge.published("device", 20)
    assert [read_frame(record).number for record in records] == list(range(1, 21))
    assert [json.loads(await socket.recv())[1] for _ in range(20)] == [str(number) for number in range(20)]


async def test_a_station_that_sends_faster_than_kafka_takes_is_read_no_further(run_edge):
    async with run_edge(max_open_calls=4) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        edge.kafka.hold()
        for number in range(50):
            await socket.send(f'[2,"{number}","Heartbeat",{{}}]')
        await asyncio.sleep(0.05)
        (connection,) = edge.connections.of("CP1")
        assert connection._ahead
        edge.kafka.release()
        answers = [json.loads(await socket.recv()) for _ in range(50)]
        assert sorted({answer[1] for answer in answers}, key=int) == [str(number) for number in range(50)]


async def test_a_sampled_frame_starts_a_trace_and_carries_it(edge):
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    edge.tracing.enabled, edge.tracing._tracer = True, provider.get_tracer("test")
    socket = await connected(edge)
    await socket.send('[2,"hb","Heartbeat",{}]')
    await socket.recv()
    (record,) = await edge.published("device", 1)
    (span,) = spans.get_finished_spans()
    assert span.name == "edge Heartbeat"
    assert f"{span.context.trace_id:032x}".encode() in dict(record.headers)["traceparent"]


# Bad messages


async def test_a_binary_message_closes_the_socket(edge):
    socket = await connected(edge)
    await socket.send(b"\x01\x02")
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd.code == 1003


def big(message_id, size):
    text = f'[2,"{message_id}","DataTransfer",{{"vendorId":"v","data":"'
    return text + "x" * (size - len(text) - 3) + '"}]'


@pytest.mark.parametrize("size", [2001, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 700_000])
async def test_an_oversized_message_is_refused_by_its_id_and_its_socket_stays(run_edge, size):
    async with run_edge(max_frame_bytes=2000) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        for number in range(3):
            await socket.send(big(f"big{number}", size))
            await socket.send('[2,"hb","Heartbeat",{}]')
            assert json.loads(await socket.recv())[:3] == [4, f"big{number}", "GenericError"]
            assert json.loads(await socket.recv())[:2] == [3, "hb"]
        assert edge.edge.server._parts.counts.events["oversized"] == 3


@pytest.mark.parametrize("size", [2001, HEAD_BYTES, 100_000])
async def test_an_oversized_message_in_fragments_is_refused_by_its_id_and_its_socket_stays(run_edge, size):
    async with run_edge(max_frame_bytes=2000) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        text = big("big", size)
        for piece in (500, 1999, 50_000):
            await socket.send([text[start : start + piece] for start in range(0, size, piece)])
            assert json.loads(await socket.recv())[:3] == [4, "big", "GenericError"]
        await socket.send(['[2,"hb",', '"Heart', 'beat",{}]'])
        assert json.loads(await socket.recv())[:2] == [3, "hb"]


async def test_a_message_of_the_size_of_what_is_kept_of_others_is_taken(run_edge):
    async with run_edge() as edge:
        edge.register("CP1")
        socket = await connected(edge)
        await socket.send(big("a", HEAD_BYTES))
        await socket.send(big("b", 1024 * 1024))
        await edge.kafka.until("ocpp.frames.device", 2)


async def test_of_an_oversized_message_only_the_beginning_is_in_memory(run_edge):
    async with run_edge(max_frame_bytes=20_000) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        (connection,) = edge.connections.of("CP1")
        reader, most = connection.socket.protocol.reader, 0
        sending = asyncio.create_task(socket.send(big("big", 8 * 1024 * 1024)))
        while not sending.done():
            most = max(most, len(reader.buffer))
            await asyncio.sleep(0.001)
        assert json.loads(await socket.recv())[:2] == [4, "big"]
        assert most <= 512 * 1024


async def test_a_message_that_never_ends_closes_the_socket_and_other_stations_do_not_notice(run_edge):
    async with run_edge() as edge:
        edge.register("CP1")
        edge.register("CP2")
        other = await connected(edge, "CP2")
        socket = await connected(edge)
        socket.transport.write(b"\x81\xff" + (2**30).to_bytes(8, "big") + bytes(4) + b"[" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1009
        await other.send('[2,"hb","Heartbeat",{}]')
        assert json.loads(await other.recv())[0] == 3


async def test_a_compressed_message_without_agreement_closes_the_socket_and_is_counted(edge):
    socket = await connected(edge)
    socket.transport.write(b"\xc1\x80\x00\x00\x00\x00")  # text with RSV1 set
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd.code == 1002
    await until(lambda: edge.edge.server._parts.counts.events["unreadable"] == 1)


async def test_a_fragmented_message_is_put_together(edge):
    socket = await connected(edge)
    await socket.send(['[2,"hb",', '"Heart', 'beat",{}]'])
    assert json.loads(await socket.recv())[:2] == [3, "hb"]


async def test_text_that_is_not_utf_8_is_answered_and_the_socket_stays(edge):
    socket = await connected(edge)
    status = b'{"connectorId":1,"errorCode":"NoError","status":"Available","info":"\xff"}'
    await socket.send(b'[2,"a","StatusNotification",' + status + b"]", text=True)
    assert json.loads(await socket.recv()) == [3, "a", {}]
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await socket.recv())[0] == 3


async def test_an_edge_for_which_kafka_is_slow_reads_no_station_not_even_one_that_has_just_come(run_edge):
    async with run_edge(stall_s=2, dark_s=60) as edge:
        edge.register("CP1")
        edge.register("CP2")
        old = await connected(edge)
        edge.kafka.hold()
        await old.send('[2,"1","Heartbeat",{}]')
        await until(lambda: edge.edge.health.state == "stalled")
        edge.edge.obstacles.remove("dark")  # as if it had been on its way in when that began
        new = await edge.connect("CP2")
        for socket in (old, new):
            await socket.send('[2,"2","Heartbeat",{}]')
        await asyncio.sleep(0.1)
        assert [record.record.key for record in edge.kafka.waiting if "frames" in record.record.topic] == ["CP1"]
        assert edge.connections.of("CP2")[0]._early is None
        edge.kafka.release()
        for socket, answers in ((old, 2), (new, 1)):
            for _ in range(answers):
                assert json.loads(await asyncio.wait_for(socket.recv(), 180))[0] == 3


async def test_what_waits_for_kafka_is_bounded_however_much_stations_send(run_edge):
    """Each of ten stations may have 32 calls open: all together they would be several times the bound."""
    most, read_at_once = 1024 * 1024, 256 * 1024
    async with run_edge(stall_s=60, dark_s=120, max_waiting_bytes=most) as edge:
        for number in range(10):
            edge.register(f"CP{number}")
        sockets = [await connected(edge, f"CP{number}") for number in range(10)]
        edge.kafka.hold()
        uplink = edge.edge.drainer.uplink
        text = f'[2,"%d","DataTransfer",{{"vendorId":"v","data":"{"x" * 30_000}"}}]'
        sending = [asyncio.create_task(_send_all(socket, text, 30)) for socket in sockets]
        await until(lambda: uplink.waiting_bytes > most)
        await asyncio.sleep(0.3)
        assert uplink.waiting_bytes <= most + read_at_once
        edge.kafka.release()
        await asyncio.gather(*sending)
        await edge.kafka.until("ocpp.frames.device", 300)
        await until(lambda: uplink.waiting_bytes == 0)


async def _send_all(socket, text, count):
    for number in range(count):
        await socket.send(text % number)


# Promise 5: one socket per station


async def test_a_presence_record_that_cannot_be_read_ends_the_connection_that_it_may_have_replaced(edge):
    socket = await connected(edge)
    edge.kafka.write(Record(PRESENCE, "CP2", b'{"connected":"perhaps"}'))
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await socket.recv())[0] == 3
    edge.kafka.write(Record(PRESENCE, "CP1", b'{"connected":"perhaps"}'))
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    async with await connected(edge) as newer:
        await newer.send('[2,"hb","Heartbeat",{}]')
        assert json.loads(await newer.recv())[0] == 3


async def test_a_connection_is_announced_and_its_end_carries_its_epoch(edge):
    socket = await connected(edge)
    await socket.close()
    await edge.kafka.until("ocpp.presence", 2)
    begin, end = presences(edge)
    assert (begin.connected, begin.epoch, begin.slot, begin.version) == (True, None, 0, "1.6")
    assert (end.connected, end.epoch) == (False, 0)
    assert begin.edge_epoch == edge.edge.slot.epoch


async def test_the_newer_connection_wins_and_the_end_of_the_old_one_is_not_told(edge):
    old = await connected(edge)
    new = await connected(edge)
    with pytest.raises(ConnectionClosed):
        await old.recv()
    await new.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await new.recv())[0] == 3
    assert [presence.connected for presence in presences(edge)] == [True, True]
    assert len(edge.connections) == 1


async def test_the_newer_connection_wins_even_before_the_edge_reads_of_it_in_the_log(edge):
    old = await connected(edge)
    readers, edge.kafka.readers = edge.kafka.readers, []
    new = await connected(edge)
    with pytest.raises(ConnectionClosed):
        await old.recv()
    edge.kafka.readers = readers
    for offset, record in enumerate(edge.kafka.log["ocpp.presence"]):
        view = edge.wired.service.views[1]
        view.apply(Received(record.topic, 0, offset, record.key, record.value, dict(record.headers)))
    await new.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await new.recv())[0] == 3
    assert len(presences(edge)) == 2


async def test_two_edges_with_one_station_keep_the_newer_connection(run_edge):
    async with run_edge(slot=0) as first, run_edge(slot=1) as second:
        first.register("CP1")
        old = await connected(first)
        new = await connected(second)
        with pytest.raises(ConnectionClosed):
            await old.recv()
        assert (len(first.connections), len(second.connections)) == (0, 1)
        await new.send('[2,"hb","Heartbeat",{}]')
        assert json.loads(await new.recv())[0] == 3


async def test_a_late_clean_up_of_an_old_connection_makes_the_new_one_assert_itself(edge):
    await connected(edge)
    new = await connected(edge)
    edge.kafka.write(Presence("CP1", connected=False, slot=7, edge_epoch=1, at=datetime.now(UTC), epoch=0).record())
    await edge.kafka.until("ocpp.presence", 4)
    last = presences(edge)[-1]
    assert (last.connected, last.epoch) == (True, 1)
    await new.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await new.recv())[0] == 3


async def test_a_connection_that_ends_while_it_is_announced_is_ended_in_the_log(edge):
    edge.kafka.hold()
    async with edge.connect("CP1"):
        pass
    await asyncio.sleep(0.05)
    edge.kafka.release()
    await edge.kafka.until("ocpp.presence", 2)
    assert [(presence.connected, presence.epoch) for presence in presences(edge)] == [(True, None), (False, 0)]
    assert len(edge.connections) == 0


async def test_an_answer_for_an_old_connection_is_not_given_to_the_new_one(edge):
    old = await connected(edge)
    await old.send(AUTHORIZE)
    (record,) = await edge.published("session", 1)
    new = await connected(edge)
    await new.send('[2,"b","Authorize",{"idTag":"t"}]')
    await edge.published("session", 2)
    edge.send_down(read_frame(record).answer(b'{"for":"old"}', "/session", datetime.now(UTC)))
    assert await is_silent(new)
    await new.close()


async def test_a_new_edge_ends_what_its_predecessor_left_open(run_edge, played_kafka):
    left = Presence("CP9", connected=True, slot=0, edge_epoch=0, at=datetime.now(UTC))
    elsewhere = Presence("CP8", connected=True, slot=1, edge_epoch=0, at=datetime.now(UTC))
    epoch = played_kafka.write(left.record())
    played_kafka.write(elsewhere.record())
    async with run_edge() as edge:
        await played_kafka.until("ocpp.presence", 3)
        ended = presences(edge)[2:]
        assert [(presence.station_id, presence.connected, presence.epoch) for presence in ended] == [
            ("CP9", False, epoch)
        ]


async def test_an_edge_that_lost_its_slot_closes_everything_and_stops(run_edge):
    async with run_edge() as old:
        old.register("CP1")
        socket = await connected(old)
        async with run_edge() as new:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            with pytest.raises(RuntimeError, match="slot 0"):
                await old.tasks[1]
            with pytest.raises(InvalidStatus) as refused:
                await old.connect("CP1")
            assert refused.value.response.status_code == 503
            assert old.edge.check() == "a newer edge has the slot"
            assert await connected(new)


# Commands


async def test_a_command_is_sent_and_its_answer_reported(edge):
    socket = await connected(edge)
    sent_at = datetime.now(UTC).replace(microsecond=0)
    await socket.send('[2,"hb","Heartbeat",{}]')
    await socket.recv()
    command(edge, sent_at=sent_at)
    assert await socket.recv() == '[2,"c-1","ClearCache",{}]'
    await socket.send('[3,"c-1",{"status":"Accepted"}]')
    await edge.kafka.until("ocpp.deliveries", 1)
    (delivery,) = deliveries(edge)
    assert (delivery.command_id, delivery.result, delivery.epoch) == ("c-1", "answered", 0)
    assert bytes(delivery.payload) == b'{"status":"Accepted"}'
    assert delivery.sent_at == sent_at


SECRET = "correct-horse-batt"
CHANGE = json.dumps({"key": "AuthorizationKey", "value": SECRET}, separators=(",", ":"))


@pytest.mark.parametrize(
    "answer",
    [
        f'[4,"c-1","FormationViolation","{SECRET} is too weak",{{"value":"{SECRET}"}}]',
        f'[3,"c-1",{{"status":"{SECRET} is too weak"}}]',
        f'[3,"c-1",{{"status":"Rejected","why":"{SECRET} is too weak"}}]',
    ],
)
async def test_what_a_station_says_of_a_secret_is_told_without_it(edge, caplog, answer):
    socket = await connected(edge)
    command(edge, action="ChangeConfiguration", payload=CHANGE.encode())
    assert await socket.recv() == f'[2,"c-1","ChangeConfiguration",{CHANGE}]'
    await socket.send(answer)
    await edge.kafka.until("ocpp.deliveries", 1)
    (report,) = edge.kafka.log["ocpp.deliveries"]
    assert b"is too weak" in report.value
    assert SECRET not in report.value.decode() + caplog.text


async def test_the_settings_that_a_station_answers_with_are_told_without_the_secret_ones(edge):
    socket = await connected(edge)
    command(edge, action="GetConfiguration", secret_names=("DoorCode",))
    await socket.recv()
    keys = [{"key": key, "readonly": False, "value": SECRET} for key in ("AuthorizationKey", "DoorCode", "Other")]
    await socket.send(json.dumps([3, "c-1", {"configurationKey": keys}]))
    await edge.kafka.until("ocpp.deliveries", 1)
    (report,) = deliveries(edge)
    told = json.loads(bytes(report.payload))["configurationKey"]
    assert [each["value"] for each in told] == ["***", "***", SECRET]


async def test_a_command_for_a_connection_that_is_not_here_is_undeliverable(edge):
    await connected(edge)
    command(edge, epoch=77)
    await edge.kafka.until("ocpp.deliveries", 1)
    assert [(delivery.result, delivery.epoch) for delivery in deliveries(edge)] == [("undeliverable", 77)]


async def test_a_command_that_overtakes_the_acknowledgement_of_its_connection_waits_for_it(edge):
    edge.kafka.hold()
    async with edge.connect("CP1") as socket:
        await socket.send('[2,"hb","Heartbeat",{}]')
        await asyncio.sleep(0.05)
        edge.kafka.held = False
        command(edge, epoch=0)
        command(edge, "c-2", epoch=5)
        edge.kafka.release()
        frames = [json.loads(await socket.recv()) for _ in range(2)]
        assert [frame[:2] for frame in sorted(frames)] == [[2, "c-1"], [3, "hb"]]
    await edge.kafka.until("ocpp.deliveries", 2)
    assert {(d.command_id, d.result) for d in deliveries(edge)} == {
        ("c-1", "connection_lost"),
        ("c-2", "undeliverable"),
    }


async def test_a_command_that_comes_too_late_is_not_sent(edge):
    socket = await connected(edge)
    command(edge, timeout_s=5, sent_at=datetime.now(UTC) - timedelta(seconds=6))
    await edge.kafka.until("ocpp.deliveries", 1)
    assert deliveries(edge)[0].result == "undeliverable"
    assert await is_silent(socket)


async def test_a_command_that_has_expired_is_not_sent_and_one_that_has_not_is(edge):
    socket = await connected(edge)
    now = datetime.now(UTC)
    command(edge, "expired", sent_at=now - timedelta(seconds=6), expires_at=now - timedelta(seconds=1))
    command(edge, "sent at once", sent_at=now, expires_at=now + timedelta(seconds=30))
    await edge.kafka.until("ocpp.deliveries", 1)
    assert [(each.command_id, each.result) for each in deliveries(edge)] == [("expired", "undeliverable")]
    assert json.loads(await socket.recv())[1] == "sent at once"


@pytest.mark.parametrize("ahead_s", [-10, 10])
async def test_what_is_fresh_and_what_is_late_does_not_hang_on_the_clock_of_the_edge(run_edge, ahead_s):
    async with run_edge(clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead_s)) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        now = datetime.now(UTC)
        command(edge, "late", timeout_s=5, sent_at=now - timedelta(seconds=6))
        command(edge, "expired", sent_at=now - timedelta(seconds=6), expires_at=now - timedelta(seconds=1))
        command(edge, "fresh", timeout_s=5, sent_at=now, expires_at=now + timedelta(seconds=5))
        await edge.kafka.until("ocpp.deliveries", 2)
        assert {(each.command_id, each.result) for each in deliveries(edge)} == {
            ("late", "undeliverable"),
            ("expired", "undeliverable"),
        }
        assert json.loads(await socket.recv())[1] == "fresh"


async def test_a_command_that_expires_while_its_connection_is_announced_is_not_sent(edge):
    edge.kafka.hold()
    async with edge.connect("CP1") as socket:
        await until(lambda: edge.kafka.waiting)
        edge.kafka.held = False
        expires_at = datetime.now(UTC) + timedelta(seconds=0.1)
        command(edge, epoch=0, expires_at=expires_at)
        await until(lambda: datetime.now(UTC) > expires_at)
        edge.kafka.release()
        await edge.kafka.until("ocpp.deliveries", 1)
        assert deliveries(edge)[0].result == "undeliverable"
        await socket.send('[2,"hb","Heartbeat",{}]')
        assert json.loads(await socket.recv())[1] == "hb"
        assert await is_silent(socket)


async def test_a_command_in_flight_is_lost_with_its_connection(edge):
    socket = await connected(edge)
    await socket.send('[2,"hb","Heartbeat",{}]')
    await socket.recv()
    command(edge)
    await socket.recv()
    await socket.close()
    await edge.kafka.until("ocpp.deliveries", 1)
    assert deliveries(edge)[0].result == "connection_lost"


async def test_a_command_that_is_not_answered_times_out(edge):
    socket = await connected(edge)
    command(edge, timeout_s=0.2, sent_at=datetime.now(UTC) + timedelta(seconds=60))
    await socket.recv()
    await edge.kafka.until("ocpp.deliveries", 1)
    assert deliveries(edge)[0].result == "timed_out"


UNREADABLE = [
    (),
    (
        ("ce_type", COMMAND.encode()),
        ("ce_id", b"c"),
        ("ocpp_epoch", b"0"),
        ("timeout_s", b"1"),
        ("ce_time", b"2024-01-01T00:00:00Z"),
        ("expires_at", b"then"),
    ),
    (("ce_type", b"x"), ("ocpp_epoch", b"0")),
    (("ce_type", b"x"), ("ocpp_epoch", b"no")),
    (("ce_type", b"x"), ("ocpp_epoch", None)),
    *(
        (
            ("ce_type", COMMAND.encode()),
            ("ce_id", b"c"),
            ("ocpp_epoch", b"0"),
            ("timeout_s", timeout_s),
            ("ce_time", time),
        )
        for timeout_s, time in ((b"nan", b"2024-01-01T00:00:00Z"), (b"inf", b"2024-01-01T00:00:00Z"), (b"1", b"then"))
    ),
]


@pytest.mark.parametrize("headers", UNREADABLE)
async def test_an_unreadable_downlink_record_is_skipped(edge, headers):
    socket = await connected(edge)
    edge.kafka.write(Record("ocpp.downlink", "CP1", b"{}", headers, 0))
    assert edge.edge.server._parts.counts.events["unreadable_downlink"] == 1
    await socket.send('[2,"hb","Heartbeat",{}]')
    assert json.loads(await socket.recv())[0] == 3


# Silence


async def test_a_silent_station_is_pinged_and_a_half_open_one_dropped(run_edge):
    async with run_edge(ping_after_s=0.5, pong_within_s=60) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        (connection,) = edge.connections.of("CP1")
        liveness = connection._keepalive
        while not liveness._answers_pings:
            await asyncio.sleep(0.05)
        socket.transport.pause_reading()
        liveness._limits = replace(liveness._limits, pong_within_s=0.5)
        async with asyncio.timeout(180):
            while len(edge.connections):
                await asyncio.sleep(0.05)
        assert edge.edge.server._parts.counts.drops == {"half-open": 1}
        socket.transport.resume_reading()
        await socket.wait_closed()


async def test_the_log_says_again_that_a_station_is_there_which_sends_no_heartbeats(run_edge):
    async with run_edge(unseen_s=1.5) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        spoken_at = datetime.now(UTC)
        await socket.send('[2,"1","Authorize",{"idTag":"t"}]')
        await edge.published("session", 1)
        read_by = datetime.now(UTC)
        _, again = (await edge.kafka.until(PRESENCE, 2))[:2]
        presence = msgspec.json.decode(again.value, type=Presence)
        assert (presence.connected, presence.epoch) == (True, 0)
        assert spoken_at <= presence.at <= read_by
        assert len(edge.connections) == 1


# Promise 6: dark rather than lossy


async def test_while_kafka_is_slow_reading_stops_and_goes_on_later(run_edge):
    async with run_edge(stall_s=2, dark_s=60) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        edge.kafka.hold()
        await socket.send('[2,"1","Heartbeat",{}]')
        await until(lambda: edge.edge.check() == "Kafka does not take records")
        await socket.send('[2,"2","Heartbeat",{}]')
        with pytest.raises(InvalidStatus) as refused:
            await edge.connect("CP1")
        assert refused.value.response.status_code == 503
        assert 10 <= int(refused.value.response.headers["Retry-After"]) <= 20
        edge.kafka.release()
        assert [json.loads(await socket.recv())[1] for _ in range(2)] == ["1", "2"]
        await until(lambda: edge.edge.check() is None)


async def test_while_kafka_is_away_sockets_are_closed_and_nothing_in_flight_is_answered(run_edge):
    async with run_edge(stall_s=2, dark_s=5, spread_s=0.5) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        edge.kafka.hold()
        await socket.send('[2,"1","Heartbeat",{}]')
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1013
        assert len(edge.connections) == 0
        assert len(edge.edge.drainer.uplink) == 0
        assert edge.edge.check() == "Kafka does not take records"
        edge.kafka.release()  # a heartbeat was among what waited
        await until(lambda: edge.edge.check() is None)
        socket = await connected(edge)
        await socket.send('[2,"1","Heartbeat",{}]')
        assert json.loads(await socket.recv())[0] == 3


async def test_a_frame_that_kafka_refuses_is_not_answered(edge):
    socket = await connected(edge)
    edge.kafka.hold()
    await socket.send('[2,"1","Heartbeat",{}]')
    await until(lambda: edge.kafka.waiting)
    edge.kafka.fail(KafkaConnectionError())
    edge.kafka.release()
    await socket.send('[2,"2","Heartbeat",{}]')
    assert json.loads(await socket.recv())[1] == "2"
    assert await is_silent(socket)


async def test_a_report_that_kafka_refuses_is_sent_again(edge):
    edge.kafka.hold()
    command(edge, epoch=77)
    await until(lambda: edge.kafka.waiting)
    edge.kafka.fail(KafkaConnectionError())
    edge.kafka.release()
    await edge.kafka.until("ocpp.deliveries", 1)


# Draining


async def test_draining_finishes_what_is_in_flight_closes_and_says_so(run_edge, monkeypatch):
    monkeypatch.setattr(drain, "PATIENCE_S", 60.0)
    async with run_edge(drain_s=0.1) as edge:
        edge.register("CP1")
        socket = await connected(edge)
        await socket.send(AUTHORIZE)
        (record,) = await edge.published("session", 1)
        draining = asyncio.create_task(edge.wired.service.drain())
        await until(lambda: edge.edge.check() == "the edge is draining")
        with pytest.raises(InvalidStatus) as refused:
            await edge.connect("CP1")
        assert refused.value.response.status_code == 503
        assert await is_silent(socket, 0.3)
        edge.send_down(read_frame(record).answer(b'{"n":1}', "/session", datetime.now(UTC)))
        assert await socket.recv() == '[3,"a",{"n":1}]'
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1012
        await draining
        assert presences(edge)[-1].connected is False
        assert json.loads(edge.kafka.log["ocpp.edges"][-1].value)["stopped"] is True


async def test_draining_ends_while_kafka_is_away(run_edge, monkeypatch):
    monkeypatch.setattr(drain, "PATIENCE_S", 0.1)
    monkeypatch.setattr(drain, "SETTLE_S", 0.2)
    async with run_edge(drain_s=0.1) as edge:
        edge.register("CP1")
        edge.kafka.hold()
        socket = await edge.connect("CP1")
        await asyncio.wait_for(edge.wired.service.drain(), 180)
        await socket.wait_closed()
