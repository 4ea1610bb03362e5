from datetime import UTC, datetime

import pytest
from chargebus_ocppj.errors import NotImplementedRpcError
from chargebus_ocppj.schemas import encode_call, encode_result, validate_call

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_members_are_written_in_the_order_of_the_schema() -> None:
    answer = {"interval": 300, "currentTime": NOW, "status": "Accepted"}

    assert (
        encode_result("1.6", "BootNotification", answer)
        == b'{"status":"Accepted","currentTime":"2024-05-01T12:00:00.000Z","interval":300}'
    )


def test_members_of_lists_and_references_are_ordered_too() -> None:
    request = {
        "setVariableData": [
            {"variable": {"instance": "i", "name": "Enabled"}, "component": {"name": "C"}, "attributeValue": "1"}
        ]
    }

    assert encode_call("2.0.1", "SetVariables", request) == (
        b'{"setVariableData":[{"attributeValue":"1","component":{"name":"C"},'
        b'"variable":{"name":"Enabled","instance":"i"}}]}'
    )


def test_members_that_are_none_are_left_out() -> None:
    answer = {"idTagInfo": {"status": "Accepted", "parentIdTag": None, "expiryDate": None}}

    assert encode_result("1.6", "Authorize", answer) == b'{"idTagInfo":{"status":"Accepted"}}'


def test_members_that_the_schema_does_not_name_come_last_as_they_are() -> None:
    request = {"data": {"z": 1, "a": [{"y": 2, "b": 3}]}, "vendorId": "v", "x": 1}

    assert encode_call("2.1", "DataTransfer", request).endswith(b'"x":1}')
    assert b'{"z":1,"a":[{"y":2,"b":3}]}' in encode_call("2.1", "DataTransfer", request)


def test_what_is_written_passes_its_schema() -> None:
    request = {"type": "Immediate", "evseId": None}

    validate_call("2.0.1", "Reset", encode_call("2.0.1", "Reset", request))


def test_a_send_is_written_like_a_call_and_has_no_result() -> None:
    assert encode_call("2.1", "NotifyPeriodicEventStream", {"pending": 0, "id": 1}) == b'{"id":1,"pending":0}'
    with pytest.raises(NotImplementedRpcError):
        encode_result("2.1", "NotifyPeriodicEventStream", {})
