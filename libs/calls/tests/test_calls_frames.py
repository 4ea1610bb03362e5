"""What becomes of a frame: the table of `chargebus_calls.frames`, row by row. No server: the batch's records tell."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from chargebus_calls import Answer, Block, Call, Fixed, Frames, Row, Topic, UnusableCallError, consumer
from chargebus_events.frames import ANSWER, ERROR, Frame, RpcError
from chargebus_events.record import Received, Record
from chargebus_events.topics import PRESENCE, STATION_EVENTS, frames_topic, parked_topic
from chargebus_ocppj.deviations import Deviation, encode_deviations
from chargebus_ocppj.errors import SecurityRpcError
from chargebus_ocppj.payloads import Payload, reader
from chargebus_runtime import parking
from chargebus_runtime.batch import Batch
from chargebus_runtime.gathering import no_patience
from chargebus_runtime.telemetry import Trace

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


class _Authorize(Payload, frozen=True):
    id_tag: str


_read = reader(_Authorize)


@dataclass
class Told:
    """The state of a batch, and what the block was asked for."""

    tags: list[str] = field(default_factory=list)
    saved: bool = False


class Deciding(Block[_Authorize, Told]):
    def __init__(self) -> None:
        self.batches: list[Told] = []

    async def load(self, batch: Batch, calls: Any) -> Told:
        self.batches.append(Told())
        return self.batches[-1]

    def decide(self, state: Told, call: Call[_Authorize]) -> Answer | None:
        if call.request.id_tag == "bug":
            raise RuntimeError("ours")
        if call.request.id_tag == "forbidden":
            raise SecurityRpcError("1.6", "not this one")
        state.tags.append(call.request.id_tag)
        return call.answered(len(state.tags), ("more", b"1"))

    async def save(self, batch: Batch, state: Told) -> None:
        state.saved = True


class Listening(Block[_Authorize, Told]):
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def load(self, batch: Batch, calls: Any) -> Told:
        return Told()

    def decide(self, state: Told, call: Call[_Authorize]) -> None:
        self.heard.append(call.frame.station_id)

    async def save(self, batch: Batch, state: Told) -> None:
        pass


def read(frame: Frame) -> _Authorize:
    return _read(frame.payload)


def read_start(frame: Frame) -> _Authorize:
    raise UnusableCallError("connector -1")


def answer(request: _Authorize, count: int) -> dict[str, object]:
    return {"idTagInfo": {"status": f"{request.id_tag} {count}", "parentIdTag": None}}


ROUTES = {
    ("1.6", "Authorize"): Row(read, Deciding, answer, wait_s=0.5),
    ("1.6", "StartTransaction"): Row(read_start, Deciding, answer),
    ("1.6", "MeterValues"): Row(read, Listening),
    ("1.6", "StatusNotification"): Row(read_start, Listening),
    ("1.6", "DataTransfer"): Fixed({"status": "UnknownVendorId"}),
    ("2.0.1", "DataTransfer"): Row(read_start, Deciding, answer),
}


class Database:
    """Takes what is written to it."""

    def __init__(self) -> None:
        self.written: list[tuple[Any, ...]] = []

    async def execute(self, _sql: str, *values: Any) -> None:
        self.written.append(values)


class Bed:
    """The frames of `session`, which listens to `metering` too."""

    def __init__(self, **options: Any) -> None:
        self.deciding, self.listening = Deciding(), Listening()
        blocks = [self.deciding, self.listening]
        self.frames = Frames("session", ROUTES, blocks, lambda: NOW, listens_to=["metering"], **options)
        self.database = Database()
        self._offset = 0

    def received(
        self, action: str, payload: object, version: str = "1.6", service: str = "session", **headers: bytes
    ) -> Received:
        self._offset += 1
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        frame = Frame("cs-1", version, action, f"m{self._offset}", 0, 7, self._offset, raw, NOW)
        record = frame.record(frames_topic(service))
        return Received(record.topic, 0, self._offset, record.key, record.value, dict(record.headers) | headers)

    async def apply(self, *records: Received) -> list[Record]:
        batch = Batch(records, self.database, NOW, Trace())
        await self.frames.apply(batch, records)
        return [record for group in batch.outgoing.values() for record in group]


def kinds(records):
    return [dict(record.headers)["ce_type"].decode() for record in records]


def code(record):
    return msgspec.json.decode(record.value)["code"]


async def test_a_call_is_read_decided_and_answered_by_its_row():
    bed = Bed()
    sent = await bed.apply(bed.received("Authorize", {"idTag": "A"}), bed.received("Authorize", {"idTag": "B"}))
    answers = [msgspec.json.decode(record.value) for record in sent]
    assert answers == [{"idTagInfo": {"status": "A 1"}}, {"idTagInfo": {"status": "B 2"}}]
    assert kinds(sent) == [ANSWER, ANSWER]
    assert dict(sent[0].headers)["more"] == b"1"
    assert dict(sent[0].headers)["ce_source"] == b"/session"


async def test_a_batch_is_loaded_once_and_saved_once():
    bed = Bed()
    await bed.apply(*(bed.received("Authorize", {"idTag": tag}) for tag in "ABC"))
    assert bed.deciding.batches == [Told(["A", "B", "C"], saved=True)]


async def test_a_payload_that_the_row_cannot_read_is_refused_where_the_station_waits():
    bed = Bed()
    [refused, answered] = await bed.apply(
        bed.received("Authorize", {"idTag": 5}), bed.received("Authorize", {"idTag": "A"})
    )
    assert (kinds([refused, answered]), code(refused)) == ([ERROR, ANSWER], "PropertyConstraintViolation")


async def test_an_impossible_call_is_refused_where_the_station_waits():
    bed = Bed()
    [refused] = await bed.apply(bed.received("DataTransfer", {}, "2.0.1"))
    assert (kinds([refused]), code(refused)) == ([ERROR], "PropertyConstraintViolation")


async def test_an_impossible_call_about_a_transaction_is_refused_and_parked_with_its_text():
    bed = Bed()
    [refused, kept] = await bed.apply(bed.received("StartTransaction", {"connectorId": -1}))
    assert (kinds([refused]), code(refused)) == ([ERROR], "PropertyConstraintViolation")
    assert (kept.topic, kept.value) == (parked_topic("session"), b'{"connectorId":-1}')
    assert dict(kept.headers)[parking.REASON] == (b"refused: PropertyConstraintViolation: payload: connector -1")
    assert [written[2:4] for written in bed.database.written] == [(1, dict(kept.headers)[parking.REASON].decode())]


async def test_what_an_edge_refused_of_a_transaction_is_parked_and_nobody_is_answered_again():
    bed = Bed()
    why = msgspec.json.encode(RpcError("TypeConstraintViolation", "idTag: 5"))
    refused = bed.received("Authorize", {"idTag": 5}, ocpp_refused=why)
    stop = bed.received("StopTransaction", b"{no json", ocpp_refused=why)
    [kept] = await bed.apply(refused, stop)
    assert (kept.topic, kept.value) == (parked_topic("session"), b"{no json")
    assert dict(kept.headers)[parking.REASON] == b"refused: TypeConstraintViolation: idTag: 5"
    assert bed.deciding.batches == []


async def test_what_an_edge_refused_of_a_transaction_is_parked_by_its_owner_only():
    bed = Bed()
    assert await bed.apply(bed.received("MeterValues", {}, service="metering", ocpp_refused=b"{}")) == []
    assert bed.database.written == []


async def test_a_refused_frame_that_is_replayed_is_read_and_parked_again_only_if_it_still_cannot_be():
    bed = Bed()
    why = msgspec.json.encode(RpcError("PropertyConstraintViolation", "strict"))
    again = {"ocpp_refused": why, "replay_of": b"7"}
    await bed.apply(bed.received("Authorize", {"idTag": 5}, **again))
    assert bed.deciding.batches[-1].tags == ["5"]
    *_, kept = await bed.apply(bed.received("MeterValues", {"connectorId": "x"}, **again))
    assert kept.topic == parked_topic("session")
    *_, kept = await bed.apply(bed.received("StartTransaction", b"{no json", **again))
    assert kept.topic == parked_topic("session")


async def test_a_frame_that_deviates_is_read_as_it_is_meant():
    bed = Bed()
    marked = encode_deviations([Deviation("wrong_type", "idTag")])
    [sent] = await bed.apply(bed.received("Authorize", {"idTag": 5, "note": None}, ocpp_deviations=marked))
    assert msgspec.json.decode(sent.value) == {"idTagInfo": {"status": "5 1"}}


async def test_a_frame_that_deviates_and_that_no_row_can_read_is_no_fault_of_ours():
    bed = Bed()
    marked = encode_deviations([Deviation("wrong_type", "connectorId")])
    unreadable = bed.received("MeterValues", {"connectorId": "1", "meterValue": []}, ocpp_deviations=marked)
    [kept] = await bed.apply(unreadable)
    assert (kept.topic, kept.value) == (parked_topic("session"), unreadable.value)


async def test_marks_that_nobody_can_read_make_a_frame_unreadable():
    bed = Bed()
    [refused] = await bed.apply(bed.received("Authorize", {"idTag": "A"}, ocpp_deviations=b"nonsense"))
    assert (kinds([refused]), code(refused)) == ([ERROR], "PropertyConstraintViolation")


async def test_an_impossible_call_that_nobody_waits_for_is_passed_over_and_logged(caplog):
    bed = Bed()
    assert await bed.apply(bed.received("StatusNotification", {})) == []
    assert "connector -1" in caplog.text


async def test_an_unreadable_frame_that_nobody_waits_for_is_raised_and_so_parked():
    bed = Bed()
    with pytest.raises(msgspec.MsgspecError):
        await bed.apply(bed.received("MeterValues", {"idTag": 5}))


async def test_an_action_without_a_row_is_not_supported_where_the_station_waits():
    bed = Bed()
    sent = await bed.apply(bed.received("StopTransaction", {}), bed.received("Heartbeat", {}))
    assert (kinds(sent[:1]), code(sent[0])) == ([ERROR], "NotSupported")
    assert [record.topic for record in sent[1:]] == [parked_topic("session")]  # it is about a transaction


async def test_a_record_that_is_no_frame_is_raised_and_so_parked_and_nobody_is_told():
    bed = Bed()
    garbage = Received(frames_topic("session"), 0, 1, "cs-1", b"{}", {})
    with pytest.raises(KeyError):
        await bed.apply(garbage)
    assert bed.frames.refuse(garbage, "why") == ()


async def test_a_fixed_answer_needs_no_block():
    bed = Bed()
    [sent] = await bed.apply(bed.received("DataTransfer", {"vendorId": "x"}))
    assert msgspec.json.decode(sent.value) == {"status": "UnknownVendorId"}


async def test_the_stations_fault_found_while_deciding_is_its_callerror_and_harms_no_other():
    bed = Bed()
    sent = await bed.apply(bed.received("Authorize", {"idTag": "forbidden"}), bed.received("Authorize", {"idTag": "A"}))
    assert (kinds(sent), code(sent[0])) == ([ERROR, ANSWER], "SecurityError")


async def test_our_fault_while_deciding_is_raised():
    bed = Bed()
    with pytest.raises(RuntimeError, match="ours"):
        await bed.apply(bed.received("Authorize", {"idTag": "bug"}))


async def test_a_listener_decides_without_answering_and_never_refuses_frames_of_others():
    bed = Bed()
    meter = bed.received("MeterValues", {"idTag": "A"}, service="metering")
    foreign = bed.received("BootNotification", {}, service="metering")
    assert await bed.apply(meter, foreign) == []
    assert bed.listening.heard == ["cs-1"]
    assert bed.frames.refuse(bed.received("Authorize", {"idTag": "A"}, service="metering"), "x") == ()


async def test_a_parked_frame_gets_internal_error_only_where_the_station_waits():
    bed = Bed()
    [refused] = bed.frames.refuse(bed.received("Authorize", {"idTag": "A"}), "our bug")
    assert (kinds([refused]), code(refused)) == ([ERROR], "InternalError")
    assert bed.frames.refuse(bed.received("StatusNotification", {}), "our bug") == ()
    nothing_of_ours = Received(frames_topic("session"), 0, 1, "cs-1", b"x", {})
    assert bed.frames.refuse(nothing_of_ours, "our bug") == ()


async def test_how_long_a_frame_may_wait_stands_in_its_row():
    bed = Bed(unread_wait_s=0.25)
    assert bed.frames.may_wait_s(bed.received("Authorize", {})) == 0.5
    assert bed.frames.may_wait_s(bed.received("StopTransaction", {})) == 0.0
    assert bed.frames.may_wait_s(bed.received("Heartbeat", {})) == 0.25


@pytest.mark.parametrize(
    ("routes", "wait_s", "asked"),
    [({("1.6", "Heartbeat"): Row(_read, Listening)}, 0.0, False), (ROUTES, 0.0, True), ({}, 0.25, True)],
)
def test_records_are_asked_how_long_they_may_wait_only_where_some_may(routes, wait_s, asked):
    frames = Frames("metering", routes, [Listening(), Deciding()], lambda: NOW, unread_wait_s=wait_s)
    topic = Topic(STATION_EVENTS, hear_nothing, lambda record, reason: ())
    assert (consumer(frames, topic).patience is not no_patience) is asked
    patient = Topic(PRESENCE, hear_nothing, lambda record, reason: (), wait_s=0.5)
    assert consumer(frames, topic, patient).patience is not no_patience


async def hear_nothing(_batch: Batch, _records: Any) -> None:
    pass


async def test_all_frames_of_a_batch_are_heard_after_the_blocks():
    heard = []

    async def hear(batch, records):
        heard.extend((record.offset, bed.deciding.batches[-1].saved) for record in records)

    bed = Bed(heard=hear)
    await bed.apply(bed.received("Heartbeat", {}), bed.received("Authorize", {"idTag": "A"}))
    assert heard == [(1, True), (2, True)]


def test_a_table_that_names_a_block_that_is_not_there_is_refused_at_the_start():
    with pytest.raises(ValueError, match="needs a Listening"):
        Frames("session", ROUTES, [Deciding()], lambda: NOW)


def test_a_table_with_an_action_that_its_version_lacks_is_refused_at_the_start():
    with pytest.raises(ValueError, match="TransactionEvent is no call of stations"):
        Frames("session", {("1.6", "TransactionEvent"): Fixed(b"{}")}, [], lambda: NOW)


@pytest.mark.parametrize(
    ("service", "action", "row"),
    [
        ("session", "Authorize", Row(read, Deciding)),
        ("metering", "MeterValues", Row(read, Deciding, answer)),
        ("metering", "MeterValues", Fixed(b"{}")),
    ],
)
def test_a_table_that_leaves_a_station_without_its_answer_or_gives_it_two_is_refused_at_the_start(service, action, row):
    with pytest.raises(ValueError, match=f"{action} of OCPP 1.6: its answer comes from"):
        Frames(service, {("1.6", action): row}, [Deciding()], lambda: NOW)


def test_an_answer_of_a_row_that_the_edge_answers_is_our_mistake():
    frame = Frame("cs-1", "1.6", "MeterValues", "m", 0, 7, 1, b"{}", NOW)
    with pytest.raises(TypeError, match="the edge answers MeterValues"):
        Call(Bed().received("MeterValues", {}), frame, None, ROUTES["1.6", "MeterValues"]).answered(1)


async def test_a_consumer_applies_its_parts_in_their_order_and_each_says_what_may_wait():
    order = []

    async def follow(batch, records):
        order.append([record.topic for record in records])

    def refuse(record, reason):
        return (Record("told", record.key, reason.encode()),)

    bed = Bed(listened_rest_s=0.5)
    signs = Topic(STATION_EVENTS, follow, refuse, rest_s=1.0)
    spec = consumer(Topic(PRESENCE, follow, wait_s=0.03, refuse=refuse), bed.frames, signs, gather_s=0.2)
    presence = Received(PRESENCE, 0, 1, "cs-1", b"{}", {})
    frame = bed.received("Authorize", {"idTag": "A"})
    batch = Batch([frame, presence], None, NOW, Trace())
    await spec.handle(batch)
    assert (order, kinds(next(iter(batch.outgoing.values())))) == ([[PRESENCE]], [ANSWER])
    assert spec.topics == (PRESENCE, frames_topic("session"), frames_topic("metering"), STATION_EVENTS)
    assert spec.rest_s == {frames_topic("metering"): 0.5, STATION_EVENTS: 1.0}
    assert (spec.patience(presence), spec.patience(frame), spec.gather_s) == (0.03, 0.5, 0.2)
    assert [record.topic for record in spec.refuse(presence, "why")] == ["told"]


class Gathered:
    """What the parts of a batch gather, done at its end."""

    def __init__(self):
        self.topics = []

    async def finish(self, batch):
        batch.connection.append(self.topics)


async def test_what_parts_gather_is_done_once_after_the_last_of_them():
    async def follow(batch, records):
        batch.last(Gathered).topics.extend(record.topic for record in records)
        assert batch.connection == []

    spec = consumer(Topic(PRESENCE, follow, lambda *_: ()), Topic(STATION_EVENTS, follow, lambda *_: ()))
    done = []
    batch = Batch(
        [Received(topic, 0, 1, "cs-1", b"{}", {}) for topic in (STATION_EVENTS, PRESENCE)], done, NOW, Trace()
    )
    await spec.handle(batch)

    assert done == [[PRESENCE, STATION_EVENTS]]
