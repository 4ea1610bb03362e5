import json

import pytest
from chargebus_ocppj.errors import DESCRIPTION_LIMIT, RPC_ERROR_CODES
from chargebus_ocppj.frames import Call, CallError, CallResult, CallResultError, FrameError, Send, encode, parse
from chargebus_ocppj.versions import VERSIONS, Version

V2: tuple[Version, ...] = ("2.0.1", "2.1")


def refused(message: str | bytes, version: Version) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parse(message, version)
    assert caught.value.code in RPC_ERROR_CODES[version]
    assert len(caught.value.description) <= DESCRIPTION_LIMIT
    return caught.value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ('[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", b"{}")),
        ('[3,"1",{"a": 1}]', CallResult("1", b'{"a": 1}')),
        ('[4,"1","GenericError","why",{"a":1}]', CallError("1", "GenericError", "why", b'{"a":1}')),
    ],
)
def test_every_version_has_call_result_and_error(version: Version, message: str, frame: object) -> None:
    assert parse(message, version) == frame


def test_2_1_has_send_and_result_error() -> None:
    assert parse('[6,"1","NotifyPeriodicEventStream",{}]', "2.1") == Send("1", "NotifyPeriodicEventStream", b"{}")
    assert parse('[5,"1","FormatViolation","",{}]', "2.1") == CallResultError("1", "FormatViolation", "", b"{}")


def test_payload_is_not_touched() -> None:
    payload = '{ "b" : 1.0,\n"a":"\\u00e9\\u20ac",  "c":[1e2 ] }'

    frame = parse(f'[2, "1" , "DataTransfer" , {payload} ]', "1.6")

    assert frame == Call("1", "DataTransfer", payload.encode())


def test_bytes_and_text_read_the_same() -> None:
    message = '[2,"é","DataTransfer",{"vendorId":"é"}]'
    assert parse(message, "1.6") == parse(message.encode(), "1.6")


@pytest.mark.parametrize("version", VERSIONS)
def test_null_is_the_other_notation_of_no_payload(version: Version) -> None:
    assert parse('[2,"1","Heartbeat",null]', version) == Call("1", "Heartbeat", b"{}")
    assert parse('[3,"1", null ]', version) == CallResult("1", b"{}")


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ('[4,"1","GenericError"]', CallError("1", "GenericError", "", b"{}")),
        ('[4,"1","GenericError",""]', CallError("1", "GenericError", "", b"{}")),
        ('[4,"1","GenericError",null,null]', CallError("1", "GenericError", "", b"null")),
        ('[4,"1","Unheard","why","a text"]', CallError("1", "Unheard", "why", b'"a text"')),
    ],
)
def test_an_error_may_lack_what_only_a_person_reads(message: str, frame: CallError) -> None:
    assert parse(message, "1.6") == frame


@pytest.mark.parametrize("kind", [4, 5])
def test_what_an_error_says_is_cleaned_and_cut_to_what_can_be_kept(kind: int) -> None:
    frame = parse(json.dumps([kind, "1", "Gen\0" + "x" * 500, "why\n\0\x7f" + "y" * 5000, {}]), "2.1")

    assert isinstance(frame, CallError | CallResultError)
    assert frame.code == "Gen" + "x" * 47
    assert frame.description == "why" + "y" * 251 + "…"


@pytest.mark.parametrize(
    ("message", "refuses"), [('[4,"1",7]', True), ('[4,"1",', True), ('[3,"1",7]', False), ('["4","1"]', False)]
)
def test_what_was_to_be_an_error_is_known_for_one(message: str, refuses: bool) -> None:
    with pytest.raises(FrameError) as caught:
        parse(message, "1.6")

    assert caught.value.refuses_call is refuses


# What cannot be read at all.

UNREADABLE = [
    "",
    " ",
    "hello",
    "[",
    '["',
    "[2",
    "[2,",
    '[2,"abc',
    "{}",
    '"[2]"',
    "2",
    "null",
    "[]",
    "[[]]",
    "[null,null]",
    '[2,7,"Heartbeat",{}]',
    '[2,null,"Heartbeat",{}]',
    '[2,["1"],"Heartbeat",{}]',
    '[2,"","Heartbeat",{}]',
    '[2,"a\\u0000","Heartbeat",{}]',
    '[2,"a\\n","Heartbeat",{}]',
    '[2,"\\ud800","Heartbeat",{}]',
    b'[2,"\xff","Heartbeat",{}]',
    b"\xef\xbb\xbf",
    b"\x00\x01\x02",
    '[2,"\x00","Heartbeat",{}]',
    "NaN",
]


@pytest.mark.parametrize("version", V2)
@pytest.mark.parametrize("message", UNREADABLE)
def test_2_x_answers_minus_one_when_the_id_could_not_be_read(version: Version, message: str | bytes) -> None:
    error = refused(message, version)

    assert error.code == "RpcFrameworkError"
    assert error.message_id is None
    assert error.answer == CallError("-1", "RpcFrameworkError", error.description)


@pytest.mark.parametrize("message", UNREADABLE)
def test_1_6_has_nothing_to_answer_to_when_the_id_could_not_be_read(message: str | bytes) -> None:
    error = refused(message, "1.6")

    assert error.code == "FormationViolation"
    assert not error.answerable


# What has an id but not the shape of a call.

SHAPELESS = [
    '[2,"1"]',
    '[2,"1","Heartbeat"]',
    '[2,"1","Heartbeat",{},{}]',
    '[2,"1",7,{}]',
    '[2,"1",null,{}]',
    '[2,"1",{},"Heartbeat"]',
]


@pytest.mark.parametrize(("version", "code"), [("1.6", "FormationViolation"), *((v, "RpcFrameworkError") for v in V2)])
@pytest.mark.parametrize("message", SHAPELESS)
def test_a_call_of_the_wrong_shape_is_answered_by_its_id(version: Version, code: str, message: str) -> None:
    error = refused(message, version)

    assert error.message_id == "1"
    assert error.answer == CallError("1", code, error.description)


@pytest.mark.parametrize(("version", "code"), [("1.6", "FormationViolation"), *((v, "ProtocolError") for v in V2)])
@pytest.mark.parametrize("payload", ["[]", "[{}]", '""', "1", "true", '"{}"'])
def test_a_payload_must_be_an_object(version: Version, code: str, payload: str) -> None:
    error = refused(f'[2,"1","Heartbeat",{payload}]', version)

    assert error.answer == CallError("1", code, "the payload must be a JSON object")


@pytest.mark.parametrize(("version", "code"), [("1.6", "FormationViolation"), *((v, "FormatViolation") for v in V2)])
@pytest.mark.parametrize(
    "message",
    [
        '[2,"1","StopTransaction",{"transactionId":,"meterStop":1}]',
        '[2,"1","Heartbeat",{]',
        '[2,"1","Heartbeat",{}',
        '[2,"1","Heartb',
        '[2,"1"',
        '[2,"1","Heartbeat",{}] [2,"2","Heartbeat",{}]',
        '[2,"1","Heartbeat",{"a":"\x00"}]',
        ' [ 2 , "1" , "Authorize" , {"idTag":"\x01\x02"}]',
        b'[2,"1","Heartbeat",{"a":1,}]',
        '[2,"1","Heartbeat",{"a":NaN}]',
        '[2,"1","Heartbeat",{"a":' + "[" * 100_000,
        '[2,"1","Heartbeat",' + '{"a":' * 100_000 + "{}" + "}" * 100_000 + "]",
    ],
)
def test_broken_json_is_answered_by_the_id_at_its_head(version: Version, code: str, message: str | bytes) -> None:
    error = refused(message, version)

    assert error.message_id == "1"
    assert error.answer == CallError("1", code, error.description)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_id_may_have_36_characters(version: Version) -> None:
    assert parse(f'[2,"{"é" * 36}","Heartbeat",{{}}]', version) == Call("é" * 36, "Heartbeat", b"{}")


@pytest.mark.parametrize(("version", "code"), [("1.6", "FormationViolation"), *((v, "RpcFrameworkError") for v in V2)])
def test_an_over_long_message_id_is_refused_by_that_id(version: Version, code: str) -> None:
    error = refused(f'[2,"{"x" * 37}","Heartbeat",{{}}]', version)

    assert error.answer == CallError("x" * 37, code, error.description)


# Message types.


@pytest.mark.parametrize("message_type", [-1, 0, 1, 7, 99, 10**30, 10**300])
@pytest.mark.parametrize("version", V2)
def test_2_x_answers_an_unknown_message_type(version: Version, message_type: int) -> None:
    error = refused(f'[{message_type},"1","Heartbeat",{{}}]', version)

    assert error.answer == CallError("1", "MessageTypeNotSupported", error.description)


@pytest.mark.parametrize("message_type", [0, 1, 5, 6, 7])
def test_1_6_ignores_an_unknown_message_type(message_type: int) -> None:
    assert not refused(f'[{message_type},"1","Heartbeat",{{}}]', "1.6").answerable


@pytest.mark.parametrize("message_type", [5, 6])
def test_types_5_and_6_exist_in_2_1_only(message_type: int) -> None:
    assert refused(f'[{message_type},"1","Heartbeat",{{}}]', "2.0.1").code == "MessageTypeNotSupported"


@pytest.mark.parametrize("message_type", ["2.0", '"2"', "null", "true", "2e0"])
def test_a_message_type_is_an_integer(message_type: str) -> None:
    assert refused(f'[{message_type},"1","Heartbeat",{{}}]', "2.0.1").code == "RpcFrameworkError"
    assert not refused(f'[{message_type},"1","Heartbeat",{{}}]', "1.6").answerable


# What is not answered, or not by a CALLERROR.


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("message", ['[3,"1",[]]', '[3,"1"]', '[3,"1",{},{}]', '[3,"1",{'])
def test_a_broken_result_is_not_answered_before_2_1(version: Version, message: str) -> None:
    error = refused(message, version)

    assert error.message_id == "1"
    assert not error.answerable


@pytest.mark.parametrize("message", ['[3,"1",[]]', '[3,"1"]', '[3,"1",{},{}]', '[3,"1",{'])
def test_2_1_answers_a_broken_result_with_a_result_error(message: str) -> None:
    error = refused(message, "2.1")

    assert error.answer == CallResultError("1", error.code, error.description)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "message",
    ['[4,"1"]', '[4,"1",7,"",{}]', '[4,"1","GenericError",7,{}]', '[4,"1","GenericError","",{},{}]', '[4,"1",{'],
)
def test_a_broken_error_is_never_answered(version: Version, message: str) -> None:
    assert not refused(message, version).answerable


@pytest.mark.parametrize("message", ['[6,"1","X"]', '[6,"1","X",[]]', '[6,7,"X",{}]', '[6,"1","X",{', '[5,"1"]'])
def test_a_broken_send_or_result_error_is_never_answered(message: str) -> None:
    assert not refused(message, "2.1").answerable


def test_error_details_that_are_not_utf_8_do_not_travel_on() -> None:
    assert not refused(b'[4,"1","GenericError","",{"a":"\xff"}]', "1.6").answerable


# Writing.


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Call("1", "Reset", b'{"type":"Soft"}'), '[2,"1","Reset",{"type":"Soft"}]'),
        (CallResult("1", b"{}"), '[3,"1",{}]'),
        (CallError("1", "GenericError", 'say "no"'), '[4,"1","GenericError","say \\"no\\"",{}]'),
        (CallResultError("1", "FormatViolation", "", b'{"a":1}'), '[5,"1","FormatViolation","",{"a":1}]'),
        (Send("1", "NotifyPeriodicEventStream", b"{}"), '[6,"1","NotifyPeriodicEventStream",{}]'),
    ],
)
def test_frames_are_written_compactly(frame: Call, text: str) -> None:
    assert encode(frame) == text
