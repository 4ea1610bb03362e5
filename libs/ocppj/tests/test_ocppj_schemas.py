import json
from itertools import product
from typing import Any

import pytest
from chargebus_ocppj.actions import ACTIONS, Action
from chargebus_ocppj.errors import DESCRIPTION_LIMIT, RPC_ERROR_CODES, NotImplementedRpcError, OcppError
from chargebus_ocppj.official import read_schema
from chargebus_ocppj.schemas import DEPTH_LIMIT, decode, validate_call, validate_result
from chargebus_ocppj.versions import VERSIONS, Version
from chargebus_ocppj.violations import ERRORS_BY_KEYWORD
from hypothesis import given
from hypothesis import strategies as st

BOOT: dict[Version, dict[str, Any]] = {
    "1.6": {"chargePointVendor": "V", "chargePointModel": "M"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
    "2.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
}
EVENT = {
    "eventType": "Updated",
    "timestamp": "2024-05-01T12:00:00Z",
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 1,
    "transactionInfo": {"transactionId": "t"},
    "meterValue": [{"timestamp": "2024-05-01T12:00:00Z", "sampledValue": [{"value": 1.5}]}],
}
KEYWORDS_THAT_ASSERT_NOTHING = {"$schema", "$id", "$ref", "title", "description", "comment", "javaType", "default"}
KEYWORDS_THAT_LEAD_ON = {"properties", "definitions", "items"}


def refused(version: Version, action: str, payload: object) -> OcppError:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(OcppError) as caught:
        validate_call(version, action, raw)
    assert len(caught.value.description) <= DESCRIPTION_LIMIT
    assert caught.value.code in RPC_ERROR_CODES[version]
    return caught.value


@pytest.mark.parametrize("version", VERSIONS)
def test_a_valid_payload_passes(version: Version) -> None:
    validate_call(version, "BootNotification", json.dumps(BOOT[version]).encode())
    validate_result(
        version,
        "BootNotification",
        b'{"currentTime":"2024-05-01T12:00:00Z","interval":300,"status":"Accepted"}',
    )


def test_every_schema_compiles() -> None:
    for action, version in product(ACTIONS, VERSIONS):
        if version in action.versions:
            with_errors(validate_call, version, action.name)
            if action.answered_by != "nobody":
                with_errors(validate_result, version, action.name)


def with_errors(validate: Any, version: Version, action: str) -> None:
    with pytest.raises(OcppError) as caught:
        validate(version, action, b'{"no such member":1}')
    assert type(caught.value) is not NotImplementedRpcError


def test_every_keyword_of_the_official_schemas_has_its_error() -> None:
    keywords: set[str] = set()
    for action, version in product(ACTIONS, VERSIONS):
        if version in action.versions:
            keywords |= keywords_of(read_schema(version, action.name, "request"))

    assert keywords - KEYWORDS_THAT_ASSERT_NOTHING - KEYWORDS_THAT_LEAD_ON <= set(ERRORS_BY_KEYWORD)


def keywords_of(schema: dict[str, Any]) -> set[str]:
    found = set(schema)
    for member in [*schema.get("properties", {}).values(), *schema.get("definitions", {}).values()]:
        found |= keywords_of(member)
    return found | (keywords_of(schema["items"]) if "items" in schema else set())


@pytest.mark.parametrize(
    ("action", "payload", "code", "description"),
    [
        ("Authorize", {}, "OccurenceConstraintViolation", 'payload: "idTag" is a required property'),
        ("Authorize", {"idTag": 7}, "TypeConstraintViolation", 'idTag: 7 is not of type "string"'),
        ("Authorize", {"idTag": None}, "TypeConstraintViolation", 'idTag: null is not of type "string"'),
        (
            "Authorize",
            {"idTag": "x" * 21},
            "PropertyConstraintViolation",
            f'idTag: "{"x" * 21}" is longer than 20 characters',
        ),
        (
            "Authorize",
            {"idTag": "x", "y": 1},
            "FormationViolation",
            "payload: Additional properties are not allowed ('y' was unexpected)",
        ),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": []},
            "OccurenceConstraintViolation",
            "meterValue: [] has less than 1 item",
        ),
        (
            "MeterValues",
            {
                "connectorId": 1,
                "meterValue": [
                    {
                        "timestamp": "2024-05-01T12:00:00Z",
                        "sampledValue": [{"value": "1"}, {"value": "1", "unit": "Hz"}],
                    }
                ],
            },
            "PropertyConstraintViolation",
            'meterValue[0].sampledValue[1].unit: "Hz" is not one of "Wh", "kWh" or 16 other candidates',
        ),
    ],
)
def test_1_6_a_breach_is_told_with_its_code_and_place(
    action: str, payload: object, code: str, description: str
) -> None:
    error = refused("1.6", action, payload)

    assert (error.code, error.description) == (code, description)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"seqNo": "1"}, "TypeConstraintViolation", "seqNo: "),
        ({"seqNo": 1.5}, "TypeConstraintViolation", "seqNo: "),
        ({"offline": None}, "TypeConstraintViolation", "offline: "),
        ({"eventType": "Begun"}, "PropertyConstraintViolation", "eventType: "),
        ({"timestamp": "yesterday"}, "PropertyConstraintViolation", "timestamp: "),
        ({"transactionInfo": {}}, "OccurrenceConstraintViolation", "transactionInfo: "),
        ({"meterValue": []}, "OccurrenceConstraintViolation", "meterValue: "),
        ({"meterValue": {}}, "TypeConstraintViolation", "meterValue: "),
        ({"evse": {"id": 1, "x": 1}}, "FormatViolation", "evse: "),
    ],
)
def test_2_x_a_breach_is_told_with_its_code_and_place(
    version: Version, change: dict[str, object], code: str, place: str
) -> None:
    error = refused(version, "TransactionEvent", {**EVENT, **change})

    assert error.code == code
    assert error.description.startswith(place)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", ["Nonsense", "", "../../v16/schemas/Heartbeat", "BootNotificationRequest"])
def test_an_action_that_the_version_does_not_have_is_not_implemented(version: Version, action: str) -> None:
    assert refused(version, action, {}).code == "NotImplemented"


def test_a_send_is_checked_like_a_call() -> None:
    stream = {"id": 1, "pending": 0, "basetime": "2024-05-01T12:00:00Z", "data": [{"t": 0.5, "v": "230"}]}

    validate_call("2.1", "NotifyPeriodicEventStream", json.dumps(stream).encode())

    assert refused("2.1", "NotifyPeriodicEventStream", {**stream, "data": []}).code == "OccurrenceConstraintViolation"


@pytest.mark.parametrize(("limit", "valid"), [(21.4, True), (21, True), (0.3, True), (21.45, False), (0.05, False)])
def test_1_6_a_limit_has_one_decimal(limit: float, valid: bool) -> None:
    profile = {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    }

    if valid:
        validate_call("1.6", "SetChargingProfile", json.dumps(profile).encode())
    else:
        assert refused("1.6", "SetChargingProfile", profile).code == "PropertyConstraintViolation"


@pytest.mark.parametrize(
    "timestamp", ["2024-05-01T12:00:00", "2024-05-01T12:00:00+02", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
)
def test_an_odd_timestamp_passes(timestamp: str) -> None:
    start = {"connectorId": 1, "idTag": "x", "meterStart": 0, "timestamp": timestamp}

    validate_call("1.6", "StartTransaction", json.dumps(start).encode())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_number_may_be_written_with_a_point(version: Version) -> None:
    result = b'{"currentTime":"2024-05-01T12:00:00Z","interval":300.0,"status":"Accepted"}'

    validate_result(version, "BootNotification", result)

    assert type(decode(result)["interval"]) is int


def test_decode_keeps_fractions_and_great_numbers() -> None:
    assert decode(b'{"a":1.5,"b":1e300,"c":-2.0,"d":12345678901234567890}') == {
        "a": 1.5,
        "b": 1e300,
        "c": -2,
        "d": 12345678901234567890,
    }


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b'{"a":"\xff"}'])
def test_decode_takes_objects_only(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own messages
        decode(payload)


def test_the_last_of_duplicate_members_counts_for_check_and_decode_alike() -> None:
    assert refused("1.6", "Authorize", b'{"idTag":"x","idTag":7}').code == "TypeConstraintViolation"
    validate_call("1.6", "Authorize", b'{"idTag":7,"idTag":"x"}')
    assert decode(b'{"idTag":7,"idTag":"x"}') == {"idTag": "x"}


@pytest.mark.parametrize("payload", [b"", b"{", b'{"vendorId":"\xff"}', b'{"vendorId":"\\ud800"}', b'{"data":1e999}'])
def test_what_is_not_json_is_a_format_violation(payload: bytes) -> None:
    assert refused("2.0.1", "DataTransfer", payload).code == "FormatViolation"


@pytest.mark.parametrize("payload", [rb'{"vendorId":"a\u0000b"}', rb'{"vendorId":"\\\u0000"}'])
def test_a_nul_in_a_text_is_refused(payload: bytes) -> None:
    assert refused("1.6", "DataTransfer", payload).code == "PropertyConstraintViolation"


@pytest.mark.parametrize("payload", [rb'{"vendorId":"a\\u0000b"}', rb'{"vendorId":"\\\\u0000"}'])
def test_an_escaped_backslash_is_no_nul(payload: bytes) -> None:
    validate_call("1.6", "DataTransfer", payload)


def nested(depth: int) -> bytes:
    return b'{"vendorId":"x","data":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_free_data_may_be_nested_only_so_deep() -> None:
    validate_call("2.0.1", "DataTransfer", nested(DEPTH_LIMIT))

    for depth in (DEPTH_LIMIT + 1, 500, 100_000):
        assert refused("2.0.1", "DataTransfer", nested(depth)).code == "FormatViolation"


def test_many_brackets_are_not_deep() -> None:
    reading = EVENT["meterValue"][0]  # type: ignore[index]

    validate_call("2.0.1", "TransactionEvent", json.dumps({**EVENT, "meterValue": [reading] * 200}).encode())


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*EVENT]) | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
PAYLOADS = st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode())


@given(st.sampled_from(ACTIONS), PAYLOADS)
def test_whatever_comes_is_valid_or_an_ocpp_error(action: Action, payload: bytes) -> None:
    error = fault(action, payload)

    assert error is None or error.code in RPC_ERROR_CODES[error.version]
    assert error is None or len(error.description) <= DESCRIPTION_LIMIT


def fault(action: Action, payload: bytes) -> OcppError | None:
    try:
        validate_call(action.versions[-1], action.name, payload)
    except OcppError as error:
        return error
    return None
