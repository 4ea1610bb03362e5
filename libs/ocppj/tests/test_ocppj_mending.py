import json
from typing import Any

import pytest
from chargebus_ocppj.deviations import KINDS, Deviation
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.mending import Examined, examine, mended, without_nul
from chargebus_ocppj.schemas import check_call
from chargebus_ocppj.versions import Version
from hypothesis import given, settings
from hypothesis import strategies as st

AT = "2024-05-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "ALICE", "meterStart": 1000, "timestamp": AT}
STOP = {"transactionId": 7, "meterStop": 3000, "timestamp": AT, "idTag": "ALICE", "reason": "Local"}
READINGS = {
    "connectorId": 1,
    "transactionId": 7,
    "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "1500", "unit": "Wh", "phase": "L1"}]}],
}
EVENT = {
    "eventType": "Ended",
    "timestamp": AT,
    "triggerReason": "StopAuthorized",
    "seqNo": 3,
    "offline": False,
    "transactionInfo": {"transactionId": "t", "chargingState": "Idle", "stoppedReason": "Local"},
    "evse": {"id": 1, "connectorId": 1},
    "idToken": {"idToken": "ALICE", "type": "ISO14443"},
    "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 3000.5, "context": "Transaction.End"}]}],
}
ACTIONS: dict[str, tuple[Version, dict[str, Any]]] = {
    "StartTransaction": ("1.6", START),
    "StopTransaction": ("1.6", STOP),
    "MeterValues": ("1.6", READINGS),
    "TransactionEvent": ("2.0.1", EVENT),
}


def examined(action: str, payload: object, version: Version | None = None) -> Examined:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return examine(version or ACTIONS[action][0], action, raw)


def meant(action: str, payload: object, version: Version | None = None) -> Any:
    understood = examined(action, payload, version).payload
    assert understood is not None
    return json.loads(understood)


def kinds(found: Examined) -> list[tuple[str, str]]:
    return [(each.kind, each.path) for each in found.deviations]


LONG = "DE*ABC*123456789*0001"  # 21 characters

DEVIATING: list[tuple[str, dict[str, Any], tuple[str, str], dict[str, Any]]] = [
    # action, what the station says, the kind and place, what is meant of it
    ("StartTransaction", {"idTag": LONG}, ("too_long", "idTag"), {"idTag": LONG}),
    ("StartTransaction", {"reservationId": None}, ("null_member", "reservationId"), {}),
    ("StartTransaction", {"vendorNote": {"a": 1}}, ("extra_property", "vendorNote"), {}),
    ("StartTransaction", {"connectorId": "1"}, ("wrong_type", "connectorId"), {"connectorId": 1}),
    ("StartTransaction", {"connectorId": 1.0}, ("", ""), {"connectorId": 1}),
    ("StartTransaction", {"idTag": 4711}, ("wrong_type", "idTag"), {"idTag": "4711"}),
    ("StartTransaction", {"meterStart": "1000.5"}, ("wrong_type", "meterStart"), {"meterStart": 1000.5}),
    ("StartTransaction", {"meterStart": 1000.5}, ("fraction", "meterStart"), {"meterStart": 1000.5}),
    (
        "StartTransaction",
        {"timestamp": "2024-05-01T12:00:00"},
        ("bad_time", "timestamp"),
        {"timestamp": "2024-05-01T12:00:00"},
    ),
    (
        "StartTransaction",
        {"timestamp": "2024-05-01T12:00:00+02"},
        ("bad_time", "timestamp"),
        {"timestamp": "2024-05-01T12:00:00+02"},
    ),
    ("StartTransaction", {"timestamp": "soon"}, ("bad_time", "timestamp"), {"timestamp": "soon"}),
    ("StartTransaction", {"idTag": "AL\0ICE"}, ("control_character", ""), {"idTag": "ALICE"}),
    ("StopTransaction", {"idTag": LONG}, ("too_long", "idTag"), {"idTag": LONG}),
    ("StopTransaction", {"idTag": None, "reason": None}, ("null_member", "idTag"), {"idTag": ..., "reason": ...}),
    ("StopTransaction", {"energy": 2000}, ("extra_property", "energy"), {}),
    ("StopTransaction", {"reason": ""}, ("unknown_value", "reason"), {"reason": ...}),
    ("StopTransaction", {"reason": "StoppedByEV"}, ("unknown_value", "reason"), {"reason": "StoppedByEV"}),
    ("StopTransaction", {"reason": "evdisconnected"}, ("unknown_value", "reason"), {"reason": "EVDisconnected"}),
    ("StopTransaction", {"transactionId": "7"}, ("wrong_type", "transactionId"), {"transactionId": 7}),
    ("StopTransaction", {"meterStop": "3000"}, ("wrong_type", "meterStop"), {"meterStop": 3000}),
    ("StopTransaction", {"meterStop": 3000.5}, ("fraction", "meterStop"), {"meterStop": 3000.5}),
    ("StopTransaction", {"idTag": 4711}, ("wrong_type", "idTag"), {"idTag": "4711"}),
    ("StopTransaction", {"timestamp": None}, ("null_member", "timestamp"), {"timestamp": ""}),
    ("StopTransaction", {"transactionId": None}, ("null_member", "transactionId"), {"transactionId": -1}),
    ("StopTransaction", {"meterStop": "?"}, ("unreadable", "meterStop"), {"meterStop": ...}),
    ("StopTransaction", {"idTag": "AL\0ICE"}, ("control_character", ""), {"idTag": "ALICE"}),
    ("StopTransaction", {"transactionData": []}, ("", ""), {}),
    (
        "StopTransaction",
        {"transactionData": {"timestamp": AT, "sampledValue": {"value": 7}}},
        ("not_a_list", "transactionData"),
        {"transactionData": [{"timestamp": AT, "sampledValue": [{"value": "7"}]}]},
    ),
    (
        "StopTransaction",
        {"transactionData": [{"sampledValue": [{"value": "50", "unit": "Hz"}]}]},
        ("unknown_value", "transactionData/0/sampledValue/0/unit"),
        {"transactionData": [{"timestamp": AT, "sampledValue": [{"value": "50", "unit": "Hz"}]}]},
    ),
    ("TransactionEvent", {"seqNo": "3"}, ("wrong_type", "seqNo"), {"seqNo": 3}),
    ("TransactionEvent", {"seqNo": None}, ("null_member", "seqNo"), {"seqNo": ...}),
    ("TransactionEvent", {"eventType": "ENDED"}, ("unknown_value", "eventType"), {"eventType": "Ended"}),
    ("TransactionEvent", {"triggerReason": "TxResumed"}, ("unknown_value", "triggerReason"), {}),
    ("TransactionEvent", {"offline": "false"}, ("wrong_type", "offline"), {"offline": False}),
    ("TransactionEvent", {"offline": "perhaps"}, ("unreadable", "offline"), {"offline": ...}),
    ("TransactionEvent", {"evse": [{"id": "1"}]}, ("wrong_type", "evse"), {"evse": {"id": 1}}),
    (
        "TransactionEvent",
        {"evse": {"id": 1, "connectorId": 1.5}},
        ("unreadable", "evse/connectorId"),
        {"evse": {"id": 1}},
    ),
    ("TransactionEvent", {"evse": {}}, ("unreadable", "evse"), {"evse": ...}),
    ("TransactionEvent", {"numberOfPhasesUsed": 3.2}, ("fraction", "numberOfPhasesUsed"), {"numberOfPhasesUsed": 3}),
    (
        "TransactionEvent",
        {"idToken": {"idToken": LONG * 2, "type": None}},
        ("too_long", "idToken/idToken"),
        {"idToken": {"idToken": LONG * 2, "type": ""}},
    ),
    (
        "TransactionEvent",
        {"transactionInfo": {"transactionId": 7, "chargingState": "Sleeping", "stoppedReason": ""}},
        ("unknown_value", "transactionInfo/chargingState"),
        {"transactionInfo": {"transactionId": "7", "chargingState": "Sleeping"}},
    ),
    (
        "TransactionEvent",
        {"meterValue": {"sampledValue": {"value": "3000.50"}}},
        ("wrong_type", "meterValue/0/sampledValue/0/value"),
        {"meterValue": [{"timestamp": AT, "sampledValue": [{"value": 3000.5}]}]},
    ),
    (
        "TransactionEvent",
        {"idToken": "ALICE"},
        ("wrong_type", "idToken"),
        {"idToken": {"idToken": "ALICE", "type": ""}},
    ),
    (
        "TransactionEvent",
        {"transactionInfo": "t", "evse": 1},
        ("wrong_type", "transactionInfo"),
        {"transactionInfo": {"transactionId": "t"}, "evse": {"id": 1}},
    ),
    (
        "TransactionEvent",
        {"meterValue": [{"timestamp": AT, "sampledValue": [{"value": 3, "unitOfMeasure": "kWh"}, 4]}]},
        ("wrong_type", "meterValue/0/sampledValue/0/unitOfMeasure"),
        {
            "meterValue": [
                {"timestamp": AT, "sampledValue": [{"value": 3, "unitOfMeasure": {"unit": "kWh"}}, {"value": 4}]}
            ]
        },
    ),
    ("StartTransaction", {"idTag": ["ALICE"]}, ("wrong_type", "idTag"), {"idTag": "ALICE"}),
    ("MeterValues", {"meterValue": []}, ("empty_list", "meterValue"), {"meterValue": []}),
    ("MeterValues", {"transactionId": "seven"}, ("unreadable", "transactionId"), {"transactionId": ...}),
]


@pytest.mark.parametrize(("action", "change", "deviation", "meaning"), DEVIATING)
def test_what_can_be_understood_is_read_as_it_is_meant(
    action: str, change: dict[str, Any], deviation: tuple[str, str], meaning: dict[str, Any]
) -> None:
    version, right = ACTIONS[action]
    said = right | change
    found = examined(action, said)

    assert deviation in kinds(found) or (deviation == ("", "") and not found.deviations)
    expected = {name: value for name, value in (right | change | meaning).items() if value is not ...}
    assert meant(action, said) == {name: value for name, value in expected.items() if name in right or name in meaning}
    assert {each.kind for each in found.deviations} <= KINDS
    assert mended(version, action, json.dumps(said).encode(), found.deviations) == found.payload


@pytest.mark.parametrize("action", ACTIONS)
def test_every_required_member_that_has_a_meaning_may_be_missing(action: str) -> None:
    _version, right = ACTIONS[action]
    without = {
        "StartTransaction": ("idTag", "meterStart", "timestamp"),
        "StopTransaction": ("transactionId", "meterStop", "timestamp"),
        "TransactionEvent": ("seqNo", "triggerReason", "timestamp"),
        "MeterValues": ("meterValue",),
    }[action]
    for name in without:
        said = {key: value for key, value in right.items() if key != name}

        assert ("missing", name) in kinds(examined(action, said))
        assert examined(action, said).payload is not None


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("StartTransaction", {"connectorId": None}),
        ("StartTransaction", {"connectorId": 1.5}),
        ("StartTransaction", {"connectorId": "one"}),
        ("StartTransaction", {"connectorId": True}),
        ("StartTransaction", {"idTag": "x" * 1001}),
        ("TransactionEvent", {"eventType": None}),
        ("TransactionEvent", {"transactionInfo": {}}),
        ("TransactionEvent", {"transactionInfo": ""}),
        ("MeterValues", {"connectorId": {}}),
    ],
)
def test_what_names_nothing_is_not_understood(action: str, change: dict[str, Any]) -> None:
    found = examined(action, ACTIONS[action][1] | change)

    if change.get("idTag"):  # a start without a card is one, but a card of 1001 characters is none
        assert meant(action, ACTIONS[action][1] | change)["idTag"] == ""
    else:
        assert found.payload is None
    assert found.deviations[-1].kind == "unreadable"


def test_of_20_readings_one_that_cannot_be_read_is_left_out_and_all_others_stay() -> None:
    values: list[Any] = [{"value": str(number), "unit": "Wh"} for number in range(20)]
    values[7] = {"measurand": "Voltage"}  # no value
    said = READINGS | {"meterValue": [{"timestamp": AT, "sampledValue": values}]}

    found = examined("MeterValues", said)

    assert kinds(found) == [("unreadable", "meterValue/0/sampledValue/7")]
    assert meant("MeterValues", said)["meterValue"][0]["sampledValue"] == values[:7] + values[8:]


@pytest.mark.parametrize("member", ["unit", "phase", "measurand", "format"])
def test_a_reading_of_which_nobody_knows_what_it_is_of_is_left_out(member: str) -> None:
    right = {"value": "1500", "unit": "Wh"}
    said = READINGS | {"meterValue": [{"timestamp": AT, "sampledValue": [right, {"value": "3", member: {"a": 1}}]}]}

    assert kinds(examined("MeterValues", said)) == [("unreadable", "meterValue/0/sampledValue/1")]
    assert meant("MeterValues", said)["meterValue"][0]["sampledValue"] == [right]


def test_numbers_keep_their_digits() -> None:
    raw = b'{"evseId":1,"x":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value":1.500}]}]}'

    assert b'"value":1.500' in (examine("2.0.1", "MeterValues", raw).payload or b"")


def test_a_station_boots_whatever_it_says_of_itself() -> None:
    assert meant("BootNotification", {}, "1.6") == {"chargePointVendor": "", "chargePointModel": ""}
    assert meant("BootNotification", {"reason": None}, "2.0.1") == {
        "reason": "Unknown",
        "chargingStation": {"vendorName": "", "model": ""},
    }
    serial = "1234567890-1234567890-1234"
    said = {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": serial}
    assert meant("BootNotification", said, "1.6") == said


def test_a_number_out_of_its_range_stays_what_it_is() -> None:
    said = EVENT | {"numberOfPhasesUsed": 9}

    assert kinds(examined("TransactionEvent", said, "2.1")) == [("out_of_range", "numberOfPhasesUsed")]
    assert meant("TransactionEvent", said, "2.1") == said


def test_data_of_a_vendor_may_be_an_object() -> None:
    said = {"vendorId": "V", "data": {"a": [1, None]}}

    assert meant("DataTransfer", said, "1.6") == {"vendorId": "V", "data": '{"a":[1,null]}'}


@pytest.mark.parametrize(
    ("kind", "said", "meaning"),
    [
        ("misnamed_property", {"idtag": "BOB", "connector_id": 1, "meterStart": 1, "timestamp": AT}, {"idTag": "BOB"}),
        ("epoch_time", START | {"timestamp": 1714564800}, {"timestamp": "2024-05-01T12:00:00.000Z"}),
        ("epoch_time", START | {"timestamp": 1714564800500}, {"timestamp": "2024-05-01T12:00:00.500Z"}),
    ],
)
def test_a_guess_is_made_only_where_a_rule_accepts_it(kind: str, said: dict[str, Any], meaning: dict[str, Any]) -> None:
    raw = json.dumps(said).encode()
    by_rule = examine("1.6", "StartTransaction", raw, lambda _kind: True)

    assert kind in {each.kind for each in by_rule.deviations}
    assert by_rule.payload is not None
    assert json.loads(by_rule.payload).items() >= meaning.items()
    assert mended("1.6", "StartTransaction", raw, by_rule.deviations) == by_rule.payload
    assert kind not in {each.kind for each in examined("StartTransaction", said).deviations}


def test_with_a_kind_that_is_not_accepted_nothing_is_understood() -> None:
    raw = json.dumps(STOP | {"reason": ""}).encode()

    found = examine("1.6", "StopTransaction", raw, lambda kind: kind != "unknown_value")

    assert found == Examined((Deviation("unknown_value", "reason", '""'),), None)


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"{}",
        b'{"idTag":,}',
        b"[" * 100_000,
        b'{"transactionId":1e999999,"timestamp":"2024-05-01T12:00:00Z"}',
        b'"x"',
        b"17",
    ],
)
def test_what_is_no_payload_is_not_understood(payload: bytes) -> None:
    assert examine("1.6", "StopTransaction", payload).payload is None


def test_bytes_that_are_not_utf_8_lose_no_message() -> None:
    found = examine("1.6", "Authorize", b'{"idTag":"A\xff"}')

    assert (kinds(found), found.payload) == (
        [("control_character", "")],
        '{"idTag":"A\N{REPLACEMENT CHARACTER}"}'.encode(),
    )


def test_what_no_json_has_is_taken_out() -> None:
    assert without_nul(b'\xef\xbb\xbf{"a":"b\x00\x1fc\\u0000\\\\u0000 \xff"}\x00') == (
        '{"a":"bc\\\\u0000 \N{REPLACEMENT CHARACTER}"}'.encode()
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=25),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for name, child in children for each in paths(child, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, Any]:
    action = draw(st.sampled_from([*ACTIONS]))
    payload: Any = ACTIONS[action][1]
    for _ in range(draw(st.integers(0, 3))):
        payload = replaced(payload, draw(st.sampled_from(paths(payload))), draw(JSON))
    return action, payload


@given(changed())
@settings(max_examples=4 * settings.default.max_examples)
def test_the_walk_finds_something_wrong_exactly_where_the_schema_does(case: tuple[str, Any]) -> None:
    action, payload = case
    raw = json.dumps(payload).encode()
    try:
        right = check_call(ACTIONS[action][0], action, raw)
    except OcppError:
        right = False

    assert bool(examined(action, payload).deviations) is not right


@given(changed())
@settings(max_examples=4 * settings.default.max_examples)
def test_what_is_meant_has_nothing_wrong_that_readers_stumble_over(case: tuple[str, Any]) -> None:
    found = examined(*case)

    if found.payload is not None:
        left = examined(case[0], found.payload)
        assert {each.kind for each in left.deviations} <= {
            "bad_time",
            "empty_list",
            "fraction",
            "missing",
            "out_of_range",
            "too_long",
            "unknown_value",
        }
        assert left.payload == found.payload
