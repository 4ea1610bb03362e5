"""Records on their way through Kafka: what is written is what is read, and it goes where it must."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from chargebus_events import public
from chargebus_events.access import ApiKey, revoked
from chargebus_events.commands import Command, CommandForm, CommandOutcome, CommandRequested, Delivery
from chargebus_events.deviations import DeviationCount, DeviationReport
from chargebus_events.frames import ANSWER, CALL, ERROR, SEND, Frame
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.record import Received, Record, timestamp
from chargebus_events.registry import (
    DEVIATION_RULES_KEY,
    ONBOARDING_KEY,
    DeviationRules,
    OnboardingPolicy,
    RegisteredStation,
    removed,
)
from chargebus_events.topics import TOPICS
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2025, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
FRAME = Frame("CS-1", "2.0.1", "Heartbeat", "m1", slot=5, epoch=40, number=3, payload=b"{}", received_at=NOW)
RAW = msgspec.Raw(b"{}")

RECORDS = {
    "frame": FRAME.record("ocpp.frames.device"),
    "answer": FRAME.answer(b"{}", "/device", NOW),
    "error": FRAME.error("InternalError", "why", "/device", NOW),
    "presence": Presence("CS-1", True, 5, 2, NOW).record(),
    "edge": EdgeHeartbeat(5, "edge-a", NOW).record(),
    "registered": RegisteredStation("CS-1", "accepted", "hash", NOW).record(),
    "policy": OnboardingPolicy("refuse", NOW).record(),
    "rules": DeviationRules(NOW).record(),
    "deviations": DeviationReport(
        "CS-1", "1.6", 5, 40, NOW, (DeviationCount("Heartbeat", "extra_property", "x", 1, NOW, NOW),)
    ).record(),
    "key": ApiKey("k1", "name", "viewer", "hash", NOW).record(),
    "requested": CommandRequested("c1", "CS-1", "session", NOW, (CommandForm("Reset", RAW),)).record(),
    "command": Command("c1", "CS-1", "Reset", b"{}", 5, 40, 30.0, NOW).record(),
    "delivery": Delivery("c1", "CS-1", 40, "answered", NOW).record(5),
    "outcome": CommandOutcome("c1", "CS-1", "session", "answered", NOW, NOW).record(),
    "event": public.event(
        public.STATION_CONNECTION, "e1", "/device", NOW, public.StationConnection("CS-1", NOW, connected=True, epoch=40)
    ),
}
ATTRIBUTES = {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "content-type"}


def received(record: Record, offset: int = 0) -> Received:
    return Received(record.topic, record.partition or 0, offset, record.key, record.value, dict(record.headers))


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_is_a_cloudevent_in_binary_mode_on_a_declared_topic(name):
    record = RECORDS[name]
    headers = dict(record.headers)

    assert record.topic in TOPICS
    assert headers.keys() >= ATTRIBUTES
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_time"] == b"2025-03-01T12:00:00.123Z"
    assert len(headers) == len(record.headers)
    assert isinstance(json.loads(record.value), dict)


names = st.text(min_size=1, max_size=36)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
frames = st.builds(
    Frame,
    station_id=names,
    version=st.sampled_from(["1.6", "2.0.1", "2.1"]),
    action=names,
    message_id=names,
    slot=st.integers(0, 31),
    epoch=st.integers(0, 2**63 - 1),
    number=st.integers(1, 2**31),
    payload=st.binary(min_size=1),
    received_at=moments,
    expects_answer=st.booleans(),
)


@given(frames)
def test_a_frame_is_read_as_it_was_written(frame):
    assert Frame.read(received(frame.record("ocpp.frames.device"))) == frame


def test_a_frame_says_whether_it_wants_an_answer():
    assert received(FRAME.record("ocpp.frames.device")).type == CALL
    silent = msgspec.structs.replace(FRAME, expects_answer=False)
    assert received(silent.record("ocpp.frames.device")).type == SEND


@pytest.mark.parametrize("missing", ["ocpp_version", "ocpp_slot", "ocpp_epoch", "ocpp_number", "ce_time", "ce_type"])
def test_a_record_without_a_frames_headers_is_no_frame(missing):
    record = received(FRAME.record("ocpp.frames.device"))
    del record.headers[missing]

    with pytest.raises(KeyError):
        Frame.read(record)


def test_frames_of_one_station_have_ids_of_their_own_however_often_it_connects():
    others = [msgspec.structs.replace(FRAME, epoch=41), msgspec.structs.replace(FRAME, number=4)]

    assert len({FRAME.id, *(frame.id for frame in others)}) == 3


def test_a_command_says_when_it_expires_if_it_does():
    command = Command("c1", "CS-1", "Reset", b"{}", 5, 40, 30.0, NOW)
    expiring = msgspec.structs.replace(command, expires_at=NOW + timedelta(seconds=5))

    assert "expires_at" not in dict(command.record().headers)
    assert dict(expiring.record().headers)["expires_at"] == b"2025-03-01T12:00:05.123Z"


@pytest.mark.parametrize(("name", "kind"), [("answer", ANSWER), ("error", ERROR)])
def test_an_answer_finds_the_connection_that_asked(name, kind):
    record = received(RECORDS[name])

    assert (record.type, record.partition, record.key) == (kind, FRAME.slot, FRAME.station_id)
    assert (record.headers["ocpp_epoch"], record.headers["ocpp_number"]) == (b"40", b"3")


def test_an_answers_further_headers_travel_along():
    record = FRAME.answer(b"{}", "/device", NOW, ("registration", b"accepted"))

    assert dict(record.headers)["registration"] == b"accepted"


def test_a_command_goes_to_the_partition_of_its_edge():
    assert (RECORDS["command"].partition, RECORDS["command"].key) == (5, "CS-1")


def test_an_outcome_goes_to_the_topic_of_who_asked():
    assert RECORDS["outcome"].topic == "ocpp.outcomes.session"


def test_a_request_from_before_there_were_forms_has_none():
    older = {
        "command_id": "c1",
        "station_id": "S",
        "action": "Reset",
        "payload": {},
        "requester": "x",
        "requested_at": NOW,
    }

    assert msgspec.json.decode(msgspec.json.encode(older), type=CommandRequested).forms == ()


def test_an_announced_epoch_is_the_records_offset_and_a_repeated_one_its_own():
    assert Presence("CS-1", True, 5, 2, NOW).epoch_at(40) == 40
    assert Presence("CS-1", True, 5, 2, NOW, epoch=0).epoch_at(40) == 0
    assert EdgeHeartbeat(5, "edge-a", NOW).epoch_at(7) == 7
    assert EdgeHeartbeat(5, "edge-a", NOW, epoch=3).epoch_at(7) == 3


def test_the_registry_is_keyed_by_station_and_the_policies_by_what_no_station_is_called():
    assert RECORDS["registered"].key == "CS-1"
    assert RECORDS["policy"].key == ONBOARDING_KEY
    assert RECORDS["rules"].key == DEVIATION_RULES_KEY


@pytest.mark.parametrize("record", [removed("CS-1"), revoked("k1")])
def test_a_tombstone_has_no_value(record):
    assert record.value is None
    assert TOPICS[record.topic].compacted


def test_times_are_written_in_utc_with_milliseconds_and_a_z():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=2)))

    assert timestamp(elsewhere) == timestamp(NOW) == "2025-03-01T12:00:00.123Z"
    assert timestamp(NOW.replace(microsecond=0)) == "2025-03-01T12:00:00.000Z"


def test_undecodable_header_bytes_show_as_replacement_characters():
    record = Received("t", 0, 0, "k", None, {"ce_type": b"\xff"})

    assert record.type == "�"
    assert record.text("missing", "default") == "default"
