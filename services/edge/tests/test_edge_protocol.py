"""The protocol of one connection, by example."""

import json
from datetime import UTC, datetime

import pytest
from chargebus_edge.door.tolerance import STRICT
from chargebus_edge.log.commands import Report, StationCommand
from chargebus_edge.log.frames import Publish
from chargebus_edge.rpc.effects import Deviating, Note, SendText
from chargebus_edge.rpc.limits import ProtocolLimits
from chargebus_edge.rpc.protocol import OcppProtocol
from chargebus_events.frames import RpcError

LIMITS = ProtocolLimits()
START = 100.0
SETTLED = START + LIMITS.settle_s


def make_protocol(version="1.6", registration="accepted", limits=LIMITS):
    return OcppProtocol(version, registration, limits, START)


def call(message_id, action="Heartbeat", payload=None, kind=2):
    return json.dumps([kind, message_id, action, payload or {}]).encode()


def result(message_id, payload):
    return json.dumps([3, message_id, payload]).encode()


def error(message_id, code="GenericError", description="", details=None):
    return json.dumps([4, message_id, code, description, details if details is not None else {}]).encode()


def command(command_id="c-1", action="ClearCache", payload=b"{}", timeout_s=30.0, sent=1, **limits):
    limits = {"write_until": START + 1000, "answer_due": START + 1000, **limits}
    return StationCommand(command_id, action, payload, timeout_s, datetime.fromtimestamp(sent, UTC), **limits)


def texts(effects):
    return [json.loads(effect.text) for effect in effects if isinstance(effect, SendText)]


def reports(effects):
    return [effect for effect in effects if isinstance(effect, Report)]


def events(effects):
    return [effect.event for effect in effects if isinstance(effect, Note)]


BOOT_16 = {"chargePointVendor": "v", "chargePointModel": "m"}
AUTHORIZE = {"idTag": "t"}


# Calls of the station


def test_a_valid_call_is_published_with_its_raw_payload_and_not_answered_yet():
    raw = b'[2, "a", "Authorize", {"idTag" :"t"}]'
    (publish,) = make_protocol().received(raw, START)
    assert isinstance(publish, Publish)
    assert (publish.number, publish.message_id, publish.payload) == (1, "a", b'{"idTag" :"t"}')
    assert (publish.route.topic, publish.route.answered_by_edge) == ("ocpp.frames.session", False)


def test_an_answer_carries_the_message_id_of_its_call():
    protocol = make_protocol()
    protocol.received(call("a", "Authorize", AUTHORIZE), START)
    assert texts(protocol.answer(1, b'{"idTagInfo":{"status":"Accepted"}}', START)) == [
        [3, "a", {"idTagInfo": {"status": "Accepted"}}]
    ]


def test_an_rpc_error_becomes_a_callerror():
    protocol = make_protocol()
    protocol.received(call("a", "Authorize", AUTHORIZE), START)
    assert texts(protocol.answer(1, RpcError("InternalError", "sorry"), START)) == [
        [4, "a", "InternalError", "sorry", {}]
    ]


def test_answers_leave_in_the_order_of_the_calls():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    protocol.received(call("b"), START)
    assert texts(protocol.answer(2, b"{}", START)) == []
    assert texts(protocol.answer(1, b"{}", START)) == [[3, "a", {}], [3, "b", {}]]


def test_a_call_without_an_answer_holds_back_others_for_a_while_only():
    protocol = make_protocol()
    protocol.received(call("slow", "Authorize", AUTHORIZE), START)
    protocol.received(call("b"), START + 1)
    assert texts(protocol.answer(2, b"{}", START + 1)) == []
    assert protocol.next_deadline() == START + LIMITS.order_hold_s
    assert texts(protocol.tick(START + LIMITS.order_hold_s)) == [[3, "b", {}]]
    protocol.received(call("c"), START + 20)
    assert texts(protocol.answer(3, b"{}", START + 20)) == [[3, "c", {}]]
    assert texts(protocol.answer(1, b"{}", START + 30)) == [[3, "slow", {}]]


def test_an_answer_that_comes_twice_is_written_once():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    assert len(texts(protocol.answer(1, b"{}", START))) == 1
    again = protocol.answer(1, b"{}", START)
    assert texts(again) == []
    assert events(again) == ["repeated_answer"]


def test_an_answer_that_comes_twice_while_it_is_held_back_is_written_once():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    protocol.received(call("b"), START)
    protocol.answer(2, b"{}", START)
    assert texts(protocol.answer(2, b'{"second":1}', START)) == []
    assert texts(protocol.answer(1, b"{}", START)) == [[3, "a", {}], [3, "b", {}]]


def test_calls_with_the_same_message_id_are_answered_one_by_one():
    protocol = make_protocol()
    protocol.received(call("1", "Authorize", {"idTag": "x"}), START)
    protocol.received(call("1", "Authorize", {"idTag": "y"}), START)
    answers = texts(protocol.answer(1, b'{"n":1}', START)) + texts(protocol.answer(2, b'{"n":2}', START))
    assert answers == [[3, "1", {"n": 1}], [3, "1", {"n": 2}]]


def published(effects):
    return [effect.message_id for effect in effects if isinstance(effect, Publish)]


def test_calls_beyond_the_bound_wait_until_answers_make_room():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=2))
    for message_id in "ab":
        protocol.received(call(message_id), START)
    assert protocol.received(call("c"), START) + protocol.received(call("d", "Nonsense"), START) == []
    assert protocol.received(call("e"), START) == []
    assert protocol.waiting == 3
    assert published(protocol.answer(1, b"{}", START)) == ["c"]
    effects = protocol.answer(2, b"{}", START)
    assert (texts(effects), protocol.waiting) == ([[3, "b", {}]], 1)
    effects = protocol.answer(3, b"{}", START)
    assert [text[:2] for text in texts(effects)] == [[3, "c"], [4, "d"]]
    assert (published(effects), protocol.waiting) == (["e"], 0)


def test_a_call_that_waits_is_judged_by_the_registration_of_its_turn():
    protocol = make_protocol("1.6", "pending", limits=ProtocolLimits(max_open_calls=1))
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    protocol.received(call("a"), START)
    assert published(protocol.answer(1, b"{}", START, "accepted")) == ["a"]


def test_a_send_does_not_overtake_the_calls_that_wait_and_needs_no_room_otherwise():
    payload = {"id": 1, "pending": 0, "basetime": "2024-01-01T00:00:00Z", "data": [{"t": 0, "v": "1"}]}
    protocol = make_protocol("2.1", limits=ProtocolLimits(max_open_calls=1))
    protocol.received(call("a"), START)
    assert published(protocol.received(call("s", "NotifyPeriodicEventStream", payload, kind=6), START)) == ["s"]
    protocol.received(call("b"), START)
    assert protocol.received(call("t", "NotifyPeriodicEventStream", payload, kind=6), START) == []
    assert published(protocol.answer(1, b"{}", START)) == ["b"]
    assert published(protocol.answer(3, b"{}", START)) == ["t"]


def test_an_answer_of_the_station_does_not_wait_behind_its_calls():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=1))
    protocol.command(command("c-1"), SETTLED)
    protocol.received(call("a"), SETTLED)
    protocol.received(call("b"), SETTLED)
    assert reports(protocol.received(result("c-1", {"status": "Accepted"}), SETTLED))[0].result == "answered"


def test_the_room_of_a_call_that_kafka_did_not_take_is_filled_by_the_next_tick():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=1))
    protocol.received(call("a"), START)
    protocol.received(call("b"), START)
    protocol.abandon(1)
    assert protocol.busy
    assert protocol.next_deadline() <= START
    assert published(protocol.tick(START)) == ["b"]


def test_calls_beyond_what_may_wait_are_refused():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=1, max_waiting_calls=1))
    protocol.received(call("a"), START)
    protocol.received(call("b"), START)
    effects = protocol.received(call("c"), START)
    assert texts(effects)[0][:3] == [4, "c", "GenericError"]
    assert events(effects) == ["overflow"]


def test_what_waits_is_dropped_when_the_connection_ends():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=1))
    protocol.received(call("a"), START)
    protocol.received(call("b"), START)
    protocol.end()
    assert protocol.waiting == 0
    assert protocol.answer(1, b"{}", START) == []


def test_a_call_that_nobody_answers_is_forgotten_and_makes_room():
    protocol = make_protocol(limits=ProtocolLimits(max_open_calls=1))
    protocol.received(call("a", "Authorize", AUTHORIZE), START)
    assert protocol.next_deadline() == START + LIMITS.forget_call_s
    assert events(protocol.tick(START + LIMITS.forget_call_s)) == ["forgotten"]
    assert not protocol.busy
    assert texts(protocol.answer(1, b"{}", START + 200)) == []
    assert isinstance(protocol.received(call("b"), START + 200)[0], Publish)


def test_a_call_whose_frame_kafka_did_not_take_is_never_answered():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    protocol.abandon(1)
    assert texts(protocol.answer(1, b"{}", START)) == []


# Bad frames


@pytest.mark.parametrize(
    ("version", "frame", "code"),
    [
        ("1.6", call("a", "Nonsense"), "NotImplemented"),
        ("1.6", call("a", "TransactionEvent"), "NotImplemented"),
        ("2.0.1", call("a", "GetVariables"), "NotSupported"),
        ("1.6", call("a", "Authorize"), "OccurenceConstraintViolation"),
        ("2.0.1", call("a", "Authorize"), "OccurrenceConstraintViolation"),
        ("1.6", b'[2,"a","Heartbeat",{]', "FormationViolation"),
        ("2.0.1", b'[2,"a","Heartbeat",17]', "ProtocolError"),
    ],
)
def test_a_bad_call_is_answered_with_its_callerror_and_not_published(version, frame, code):
    effects = make_protocol(version).received(frame, START)
    assert [text[:3] for text in texts(effects)] == [[4, "a", code]]
    assert not any(isinstance(effect, Publish) for effect in effects)


def test_a_bad_call_is_answered_in_order_too():
    protocol = make_protocol()
    protocol.received(call("a", "Authorize", AUTHORIZE), START)
    assert texts(protocol.received(call("b", "Nonsense"), START)) == []
    assert texts(protocol.received(b'[2,"c","Heartbeat",{]', START)) == []
    assert [text[1] for text in texts(protocol.answer(1, b"{}", START))] == ["a", "b", "c"]


@pytest.mark.parametrize("data", [b"", b"{", b"null", b'[2,"a', b"\xff\xfe", b'"transactionId":,', b"[" * 10_000])
def test_garbage_harms_nothing(data):
    protocol = make_protocol()
    assert events(protocol.received(data, START)) == ["unreadable"]
    assert isinstance(protocol.received(call("a"), START)[0], Publish)


def test_a_message_without_a_readable_id_is_answered_to_minus_one_in_2_x():
    assert texts(make_protocol("2.0.1").received(b"{}", START))[0][:2] == [4, "-1"]
    assert texts(make_protocol("1.6").received(b"{}", START)) == []


def test_a_send_is_published_and_has_no_answer():
    protocol = make_protocol("2.1")
    payload = {"id": 1, "pending": 0, "basetime": "2024-01-01T00:00:00Z", "data": [{"t": 0, "v": "1"}]}
    (publish,) = protocol.received(call("a", "NotifyPeriodicEventStream", payload, kind=6), START)
    assert (publish.number, publish.route.expects_answer) == (1, False)
    assert not protocol.busy


def test_a_bad_send_is_dropped_without_a_word():
    effects = make_protocol("2.1").received(call("a", "NotifyPeriodicEventStream", {}, kind=6), START)
    assert events(effects) == ["send_dropped"]
    assert texts(effects) == []


# Registration


def test_B02_FR_09_a_pending_station_may_only_boot():
    protocol = make_protocol("2.0.1", "pending")
    assert texts(protocol.received(call("a"), START))[0][:3] == [4, "a", "SecurityError"]
    boot = {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}}
    assert isinstance(protocol.received(call("b", "BootNotification", boot), START)[0], Publish)


def test_B02_FR_02_a_pending_station_may_call_what_it_was_told_to():
    protocol = make_protocol("2.0.1", "pending")
    protocol.command(command("t", "TriggerMessage", b'{"requestedMessage":"Heartbeat"}'), SETTLED)
    assert isinstance(protocol.received(call("a"), SETTLED)[0], Publish)
    protocol.received(result("t", {"status": "Accepted"}), SETTLED)
    protocol.command(command("r", "GetBaseReport", b'{"requestId":1,"reportBase":"FullInventory"}'), SETTLED)
    report = {"requestId": 1, "generatedAt": "2024-01-01T00:00:00Z", "seqNo": 0}
    assert isinstance(protocol.received(call("b", "NotifyReport", report), SETTLED)[0], Publish)


def test_B03_FR_07_a_rejected_station_may_not_even_call_what_it_was_told_to():
    protocol = make_protocol("2.0.1", "pending")
    protocol.command(command("t", "TriggerMessage", b'{"requestedMessage":"Heartbeat"}'), SETTLED)
    protocol.register("rejected")
    assert texts(protocol.received(call("a"), SETTLED))[0][2] == "SecurityError"


def test_a_rejected_station_gets_no_commands():
    (report,) = reports(make_protocol("1.6", "rejected").command(command(), SETTLED))
    assert report.result == "undeliverable"


STARTS = [
    ("1.6", "RemoteStartTransaction"),
    ("1.6", "RemoteStopTransaction"),
    ("2.0.1", "RequestStartTransaction"),
    ("2.1", "RequestStopTransaction"),
]


@pytest.mark.parametrize(("version", "action"), STARTS)
def test_B02_FR_05_a_pending_station_is_not_asked_to_start_or_stop_but_anything_else(version, action):
    protocol = make_protocol(version, "pending")
    (report,) = reports(protocol.command(command("s", action), SETTLED))
    assert (report.command.command_id, report.result) == ("s", "pending")
    assert texts(protocol.command(command("t"), SETTLED))[0][2] == "ClearCache"


@pytest.mark.parametrize(("told", "written"), [("pending", []), ("accepted", ["RemoteStartTransaction"])])
def test_a_start_that_waits_for_the_boot_answer_is_judged_by_it(told, written):
    protocol = make_protocol("1.6", "accepted")
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    assert protocol.command(command("s", "RemoteStartTransaction"), START) == []
    effects = protocol.answer(1, b"{}", START, told)
    assert [text[2] for text in texts(effects) if text[0] == 2] == written
    assert [report.result for report in reports(effects)] == ([] if written else ["pending"])


def test_a_station_that_was_told_pending_is_spared_until_it_was_told_that_it_is_accepted():
    protocol = make_protocol("1.6", "pending")
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    protocol.answer(1, b"{}", START, "pending")
    protocol.register("accepted")
    (report,) = reports(protocol.command(command("s", "RemoteStartTransaction"), SETTLED))
    assert report.result == "pending"
    protocol.received(call("again", "BootNotification", BOOT_16), SETTLED)
    protocol.answer(2, b"{}", SETTLED, "accepted")
    assert texts(protocol.command(command("s", "RemoteStartTransaction", sent=2), SETTLED))[0][2] == (
        "RemoteStartTransaction"
    )


def test_what_a_late_refusal_says_is_not_logged_as_it_may_repeat_a_secret():
    effects = make_protocol().received(error("gone", "FormationViolation", "hush-hush is too weak"), SETTLED)
    (note,) = [effect for effect in effects if isinstance(effect, Note)]
    assert note == Note("unknown_answer", "CALLERROR gone: FormationViolation")


def test_a_boot_answer_that_comes_again_does_not_set_the_registration_back():
    protocol = make_protocol("1.6", "pending")
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    protocol.answer(1, b"{}", START, "pending")
    protocol.register("accepted")
    assert events(protocol.answer(1, b"{}", START, "pending")) == ["repeated_answer"]
    assert isinstance(protocol.received(call("a"), START)[0], Publish)


def test_B01_FR_10_the_boot_answer_opens_the_way():
    protocol = make_protocol("1.6", "pending")
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    protocol.answer(1, b"{}", START, "accepted")
    assert isinstance(protocol.received(call("a"), START)[0], Publish)


# Commands


def test_a_command_is_written_as_a_call():
    assert texts(make_protocol().command(command("c-1"), SETTLED)) == [[2, "c-1", "ClearCache", {}]]


def test_a_command_id_that_is_no_message_id_gets_a_stand_in():
    protocol = make_protocol()
    ((_, message_id, *_),) = texts(protocol.command(command("x" * 40), SETTLED))
    assert len(message_id) <= 36
    assert (
        reports(protocol.received(result(message_id, {"status": "Accepted"}), SETTLED))[0].command.command_id
        == "x" * 40
    )


def test_one_command_is_in_flight_and_the_next_follows_its_answer():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    assert texts(protocol.command(command("c-2"), SETTLED)) == []
    effects = protocol.received(result("c-1", {"status": "Accepted"}), SETTLED)
    assert [(r.command.command_id, r.result, r.payload) for r in reports(effects)] == [
        ("c-1", "answered", b'{"status": "Accepted"}')
    ]
    assert texts(effects) == [[2, "c-2", "ClearCache", {}]]


def test_commands_beyond_the_bound_are_undeliverable():
    protocol = make_protocol(limits=ProtocolLimits(max_waiting_commands=1))
    protocol.command(command("c-1"), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    (report,) = reports(protocol.command(command("c-3"), SETTLED))
    assert (report.command.command_id, report.result) == ("c-3", "undeliverable")


def test_a_command_that_waits_too_long_is_undeliverable_and_never_written():
    protocol = make_protocol()
    protocol.command(command("c-1", timeout_s=60), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    (report,) = reports(protocol.tick(SETTLED + LIMITS.command_wait_s))
    assert (report.command.command_id, report.result) == ("c-2", "undeliverable")
    assert texts(protocol.received(result("c-1", {"status": "Accepted"}), SETTLED + 20)) == []


def test_a_command_is_not_written_from_its_limit_on():
    protocol = make_protocol()
    assert texts(protocol.command(command("c-1", write_until=SETTLED + 0.1), SETTLED)) == [[2, "c-1", "ClearCache", {}]]
    protocol = make_protocol()
    effects = protocol.command(command("c-1", write_until=SETTLED), SETTLED)
    assert texts(effects) == []
    assert [(r.result, r.error.description) for r in reports(effects)] == [("undeliverable", "it came too late")]


def test_a_command_whose_limit_passes_while_it_waits_for_a_boot_is_never_written():
    protocol = make_protocol()
    protocol.received(call("boot", "BootNotification", BOOT_16), START)
    protocol.command(command("c-1", write_until=START + 2), START + 0.2)
    protocol.command(command("c-2"), START + 0.2)
    assert protocol.next_deadline() == START + 2
    answered = protocol.answer(1, b"{}", START + 2, "accepted")
    assert texts(answered) == [[3, "boot", {}], [2, "c-2", "ClearCache", {}]]
    assert [(r.command.command_id, r.result) for r in reports(answered + protocol.tick(START + 2))] == [
        ("c-1", "undeliverable")
    ]


def test_a_command_whose_limit_passes_behind_others_is_reported_at_once():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    protocol.command(command("c-3", write_until=SETTLED + 2), SETTLED)
    assert protocol.next_deadline() == SETTLED + 2
    assert [r.command.command_id for r in reports(protocol.tick(SETTLED + 2))] == ["c-3"]


def test_the_answer_to_a_command_that_was_written_late_is_waited_for_no_longer_than_command_does():
    protocol = make_protocol()
    protocol.command(command("c-1", timeout_s=30, answer_due=SETTLED + 20), SETTLED)
    assert protocol.next_deadline() == SETTLED + 20 + LIMITS.answer_grace_s


def test_a_command_without_an_answer_times_out_and_a_late_answer_changes_nothing():
    protocol = make_protocol()
    protocol.command(command("c-1", timeout_s=5), SETTLED)
    assert protocol.next_deadline() == SETTLED + 5
    assert [(r.command.command_id, r.result) for r in reports(protocol.tick(SETTLED + 5))] == [("c-1", "timed_out")]
    late = protocol.received(result("c-1", {"status": "Accepted"}), SETTLED + 6)
    assert reports(late) == []
    assert events(late) == ["unknown_answer"]


def test_a_command_record_that_comes_twice_is_written_once():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    again = protocol.command(command("c-1"), SETTLED)
    assert (texts(again), reports(again), events(again)) == ([], [], ["repeated_command"])
    protocol.received(result("c-1", {"status": "Accepted"}), SETTLED)
    assert texts(protocol.command(command("c-1", sent=2), SETTLED)) == []


def test_a_command_that_was_not_written_may_be_sent_again_but_its_old_record_may_not():
    protocol = make_protocol(limits=ProtocolLimits(max_waiting_commands=1))
    protocol.command(command("c-1"), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    assert reports(protocol.command(command("c-3", sent=1), SETTLED))[0].result == "undeliverable"
    protocol.received(result("c-1", {"status": "Accepted"}), SETTLED)
    protocol.received(result("c-2", {"status": "Accepted"}), SETTLED)
    assert texts(protocol.command(command("c-3", sent=1), SETTLED)) == []
    assert texts(protocol.command(command("c-3", sent=2), SETTLED)) == [[2, "c-3", "ClearCache", {}]]


def test_a_callerror_ends_a_command_as_refused():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    (report,) = reports(protocol.received(error("c-1", "NotSupported", "no", {"a": 1}), SETTLED))
    assert (report.result, report.error.code, report.error.description) == ("refused", "NotSupported", "no")
    assert bytes(report.error.details) == b'{"a": 1}'


def test_a_callerror_with_a_string_for_details_is_understood():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    (report,) = reports(protocol.received(error("c-1", details="text"), SETTLED))
    assert report.result == "refused"


@pytest.mark.parametrize("frame", [b'[4,"c-1",1,"no",{}]', b'[4,"c-1",null]', b'[4,"c-1","X","no",{},1]', b'[4,"c-1",'])
def test_a_crooked_callerror_ends_a_command_as_refused_too(frame):
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    (report,) = reports(protocol.received(frame, SETTLED))
    assert (report.result, report.payload, report.error.code) == ("refused", None, "FormationViolation")


def test_what_a_callerror_says_can_be_stored():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    (report,) = reports(protocol.received(error("c-1", "Bad\0" + "x" * 99, "bad \0 byte" + "y" * 999), SETTLED))
    assert report.error.code == "Bad" + "x" * 47
    assert report.error.description.startswith("bad  byteyyy")
    assert len(report.error.description) == 255


def test_a_result_that_breaks_its_schema_is_reported_with_the_error():
    protocol = make_protocol("2.0.1")
    protocol.command(command("c-1"), SETTLED)
    effects = protocol.received(result("c-1", {"status": 7}), SETTLED)
    (report,) = reports(effects)
    assert (report.result, report.error.code) == ("answered", "TypeConstraintViolation")
    assert texts(effects) == []


def test_a_result_that_breaks_its_schema_is_refused_with_a_callresulterror_in_2_1():
    protocol = make_protocol("2.1")
    protocol.command(command("c-1"), SETTLED)
    assert texts(protocol.received(result("c-1", {"status": 7}), SETTLED))[0][:3] == [
        5,
        "c-1",
        "TypeConstraintViolation",
    ]


def test_an_answer_that_is_not_json_ends_its_command():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    (report,) = reports(protocol.received(b'[3,"c-1",{"status":]', SETTLED))
    assert (report.result, report.payload, report.error.code) == ("answered", None, "FormationViolation")


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize(
    "frame", [result("nobody", {}), error("nobody"), b'[4,"nobody","X"]', b'[5,"nobody","X","",{}]']
)
def test_answers_to_nothing_harm_nothing(version, frame):
    protocol = make_protocol(version)
    assert len(events(protocol.received(frame, START))) == 1
    assert isinstance(protocol.received(call("a"), START)[0], Publish)


def test_a_callerror_in_answer_to_our_callresult_harms_nothing():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    protocol.answer(1, b"{}", START)
    assert events(protocol.received(error("a"), START)) == ["unknown_answer"]


def test_a_call_of_the_station_crosses_ours():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    assert isinstance(protocol.received(call("a"), SETTLED)[0], Publish)
    assert texts(protocol.answer(1, b"{}", SETTLED)) == [[3, "a", {}]]
    assert reports(protocol.received(result("c-1", {"status": "Accepted"}), SETTLED))[0].result == "answered"


def test_a_station_is_not_called_before_its_boot_is_answered():
    protocol = make_protocol()
    assert texts(protocol.command(command("c-1"), START)) == []
    protocol.received(call("boot", "BootNotification", BOOT_16), START + 0.1)
    assert texts(protocol.tick(SETTLED)) == []
    assert texts(protocol.answer(1, b"{}", SETTLED, "accepted")) == [[3, "boot", {}], [2, "c-1", "ClearCache", {}]]


def test_a_station_that_says_nothing_is_called_after_a_moment():
    protocol = make_protocol()
    assert texts(protocol.command(command("c-1"), START)) == []
    assert protocol.next_deadline() == SETTLED
    assert texts(protocol.tick(SETTLED)) == [[2, "c-1", "ClearCache", {}]]


def test_the_end_reports_what_was_written_as_lost_and_what_was_not_as_undeliverable():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    assert [(r.command.command_id, r.result) for r in reports(protocol.end())] == [
        ("c-1", "connection_lost"),
        ("c-2", "undeliverable"),
    ]
    assert protocol.end() == []


def test_a_command_that_could_not_be_written_is_undeliverable_and_may_be_sent_again():
    protocol = make_protocol()
    protocol.command(command("c-1"), SETTLED)
    protocol.command(command("c-2"), SETTLED)
    assert [(r.command.command_id, r.result) for r in reports(protocol.unwritten())] == [("c-1", "undeliverable")]
    assert texts(protocol.tick(SETTLED)) == [[2, "c-2", "ClearCache", {}]]
    protocol.received(result("c-2", {"status": "Accepted"}), SETTLED)
    assert texts(protocol.command(command("c-1", sent=2), SETTLED)) == [[2, "c-1", "ClearCache", {}]]


def test_after_the_end_the_link_is_silent():
    protocol = make_protocol()
    protocol.received(call("a"), START)
    protocol.end()
    assert protocol.received(call("b"), START) == []
    assert protocol.answer(1, b"{}", START) == []
    assert protocol.tick(START + 1000) == []
    assert [r.result for r in reports(protocol.command(command("c-9"), START))] == ["undeliverable"]


# What deviates

STOP = {"transactionId": 7, "meterStop": 3000, "timestamp": "2024-05-01T12:00:00Z"}


def strict(version="1.6"):
    protocol = make_protocol(version)
    protocol.tolerance = STRICT
    return protocol


def publishes(effects):
    return [effect for effect in effects if isinstance(effect, Publish)]


def kinds(effects):
    return {each.kind for effect in effects if isinstance(effect, Deviating) for each in effect.deviations}


def test_a_call_that_breaks_its_schema_and_is_understood_goes_on_as_it_came_and_marked():
    payload = {**STOP, "reason": "", "idTag": None, "note": 1}
    effects = make_protocol().received(call("a", "StopTransaction", payload), START)
    (publish,) = publishes(effects)
    assert json.loads(publish.payload) == payload
    assert (
        {each.kind for each in publish.deviations}
        == {"extra_property", "unknown_value", "null_member"}
        == kinds(effects)
    )
    assert (publish.refusal, texts(effects), events(effects)) == (None, [], ["deviating"])


def test_a_call_that_keeps_to_its_schema_bears_no_mark():
    (publish,) = make_protocol().received(call("a", "StopTransaction", STOP), START)
    assert (publish.deviations, publish.refusal) == ((), None)


def test_a_time_without_a_zone_is_taken_and_marked():
    effects = make_protocol().received(
        call("a", "StopTransaction", {**STOP, "timestamp": "2024-05-01T12:00:00"}), START
    )
    assert kinds(effects) == {"bad_time"}
    assert len(publishes(effects)) == 1


@pytest.mark.parametrize("payload", [{**STOP, "idTag": "x" * 21}, {**STOP, "meterStop": "3000"}, {**STOP, "n": None}])
def test_a_strict_station_is_refused_for_what_breaks_a_schema_as_soon_as_it_is_kept(payload):
    protocol = strict()
    effects = protocol.received(call("a", "StopTransaction", payload), START)
    (publish,) = publishes(effects)
    assert texts(effects) == []
    assert [text[:2] for text in texts(protocol.kept(publish, START))] == [[4, "a"]]


def test_what_cannot_be_understood_and_is_about_no_transaction_is_refused_at_once():
    effects = make_protocol().received(call("a", "Authorize", {"idTag": {}}), START)
    assert [text[:3] for text in texts(effects)] == [[4, "a", "TypeConstraintViolation"]]
    assert publishes(effects) == []
    assert kinds(effects) == {"unreadable"}


def test_what_cannot_be_understood_of_a_transaction_is_kept_and_only_then_refused():
    protocol = make_protocol()
    start = {"connectorId": "one", "idTag": "t", "meterStart": 1, "timestamp": "2024-05-01T12:00:00Z"}
    effects = protocol.received(call("a", "StartTransaction", start), START)
    (publish,) = publishes(effects)
    assert publish.refusal.code == "TypeConstraintViolation"
    assert texts(effects) == []
    assert [text[:3] for text in texts(protocol.kept(publish, START))] == [[4, "a", "TypeConstraintViolation"]]


def test_what_is_kept_already_is_refused_without_being_kept_again():
    protocol = make_protocol()
    (publish,) = publishes(protocol.received(call("a", "StopTransaction", {"reason": "Local"}), START))
    protocol.kept(publish, START)
    effects = protocol.received(call("b", "StopTransaction", {"reason": "Local"}), START)
    assert publishes(effects) == []
    assert [text[:2] for text in texts(effects)] == [[4, "b"]]


def test_of_a_mad_station_only_so_much_is_kept():
    protocol = make_protocol()
    for number in range(2000):
        for publish in publishes(protocol.received(call("a", "StopTransaction", {"reason": f"{number}"}), START)):
            protocol.kept(publish, START)
    effects = protocol.received(call("b", "StopTransaction", {"reason": "again"}), START)
    assert (publishes(effects), [text[:2] for text in texts(effects)]) == ([], [[4, "b"]])
    assert len(protocol._kept) == 1024


def test_what_kafka_did_not_take_is_not_refused_and_kept_the_next_time():
    protocol = make_protocol()
    (publish,) = publishes(protocol.received(call("a", "StopTransaction", {"reason": "Local"}), START))
    protocol.abandon(publish.number)
    assert len(publishes(protocol.received(call("b", "StopTransaction", {"reason": "Local"}), START))) == 1


def test_a_stop_that_is_no_json_is_kept_with_its_text():
    protocol = make_protocol()
    text = b'[2,"a","StopTransaction",{"transactionId":,"meterStop":3000}]'
    (publish,) = publishes(protocol.received(text, START))
    assert publish.payload == text
    assert [text[:3] for text in texts(protocol.kept(publish, START))] == [[4, "a", "FormationViolation"]]


def test_nothing_is_kept_of_a_station_that_is_not_accepted():
    protocol = make_protocol(registration="pending")
    text = b'[2,"a","StopTransaction",{"transactionId":,"meterStop":3000}]'
    assert publishes(protocol.received(text, START)) == []
    assert publishes(protocol.received(call("b", "StopTransaction", {}), START)) == []


@pytest.mark.parametrize("number", [17, 1.5])
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_call_with_a_number_as_its_id_is_answered_with_that_number(version, number):
    protocol = make_protocol(version)
    (publish,) = publishes(protocol.received(call(number), START))
    assert texts(protocol.answer(publish.number, b"{}", START)) == [[3, number, {}]]
    assert [text[:2] for text in texts(protocol.received(call(number, "Nonsense"), START))] == [[4, number]]


@pytest.mark.parametrize(
    "text", [b'[2,%s,"Heartbeat",[1]]', b'[2,%s,"Heartbeat",{"a":,}]', b'[2,%s,"Heartbeat",7,8,9]']
)
@pytest.mark.parametrize("number", [b"17", b"1.5"])
def test_a_call_that_cannot_be_read_is_refused_by_the_number_that_is_its_id(number, text):
    [refusal] = texts(make_protocol().received(text % number, START))
    assert refusal[:2] == [4, float(number)]


@pytest.mark.parametrize("number", [17, 1.5])
def test_a_strict_station_gets_silence_for_a_number_as_id_in_1_6(number):
    assert texts(strict().received(call(number), START)) == []


def test_a_raw_nul_costs_a_call_nothing():
    effects = make_protocol().received(b'[2,"a","Authorize",{"idTag":"t\0"}]', START)
    (publish,) = publishes(effects)
    assert publish.payload == b'{"idTag":"t"}'
    assert kinds(effects) == {"control_character"}


@pytest.mark.parametrize("nul", [b"\0", b"\\u0000"])
def test_a_nul_does_not_lose_an_answer(nul):
    protocol = make_protocol()
    protocol.tick(SETTLED)
    assert texts(protocol.command(command(action="GetConfiguration"), SETTLED)) == [[2, "c-1", "GetConfiguration", {}]]
    answer = b'[3,"c-1",{"configurationKey":[{"key":"a","readonly":true,"value":"b' + nul + b'"}]}]'
    (report,) = reports(protocol.received(answer, SETTLED))
    assert (report.result, report.error) == ("answered", None)
    assert json.loads(report.payload) == {"configurationKey": [{"key": "a", "readonly": True, "value": "b"}]}


# What is too large


def test_a_message_that_is_too_large_is_refused_by_its_id_and_the_connection_goes_on():
    protocol = make_protocol()
    effects = protocol.oversized(b'[2,"a","DataTransfer",{"vendorId":"v","data":"xxx', 2_000_000, START)
    assert [text[:3] for text in texts(effects)] == [[4, "a", "GenericError"]]
    assert events(effects) == ["oversized"]
    assert publishes(protocol.received(call("b"), START))


def test_a_stop_that_is_too_large_is_kept_as_far_as_it_was_read():
    protocol = make_protocol()
    head = b'[2,17,"StopTransaction",{"transactionId":7,"meterStop":3000,"transactionData":['
    (publish,) = publishes(protocol.oversized(head, 2_000_000, START))
    assert publish.payload == head
    assert [text[:3] for text in texts(protocol.kept(publish, START))] == [[4, 17, "GenericError"]]


def test_an_answer_that_is_too_large_ends_its_command():
    protocol = make_protocol()
    protocol.tick(SETTLED)
    protocol.command(command(action="GetConfiguration"), SETTLED)
    (report,) = reports(protocol.oversized(b'[3,"c-1",{"configurationKey":[', 2_000_000, SETTLED))
    assert (report.result, report.payload, report.error.code) == ("answered", None, "GenericError")


@pytest.mark.parametrize("head", [b"", b"[2", b'[2,"', b'[3,"x",{', b"\0" * 64])
def test_what_is_too_large_and_names_nothing_is_only_counted(head):
    effects = make_protocol().oversized(head, 2_000_000, START)
    assert (texts(effects), events(effects)) == ([], ["oversized"])
