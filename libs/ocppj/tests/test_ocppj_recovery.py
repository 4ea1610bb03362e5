from typing import Any

import pytest
from chargebus_ocppj.frames import Call, CallError, CallResult, FrameError, Send, encode, parse
from chargebus_ocppj.recovery import Recovered, recover
from chargebus_ocppj.versions import VERSIONS, Version
from hypothesis import given
from hypothesis import strategies as st


def recovered(message: bytes, version: Version = "1.6") -> Any:
    with pytest.raises(FrameError):
        parse(message, version)
    found = recover(message, version)
    assert found is not None
    assert found.deviations
    return found.frame


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("number", ["17", "0", "1.5", "17.0", "1733000000.123"])
def test_a_call_with_a_number_as_its_id_is_answered_with_that_number(version: Version, number: str) -> None:
    call = recovered(f'[2,{number},"Heartbeat",{{}}]'.encode(), version)

    assert (call.action, call.payload) == ("Heartbeat", b"{}")
    assert encode(CallResult(call.message_id, b"{}")) == f"[3,{number},{{}}]"
    assert encode(CallError(call.message_id, "InternalError", "")) == f'[4,{number},"InternalError","",{{}}]'


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        (b'["2","a","Heartbeat",{}]', ("a", "Heartbeat", b"{}")),
        (b'[2,"a","Heartbeat"]', ("a", "Heartbeat", b"{}")),
        (b'[2,"a","Heartbeat",[]]', ("a", "Heartbeat", b"{}")),
        (b'[2,"a","Heartbeat",""]', ("a", "Heartbeat", b"{}")),
        (b'[2,"a","Heartbeat",{},{}]', ("a", "Heartbeat", b"{}")),
        (b'[2,"' + b"x" * 64 + b'","Heartbeat",{}]', ("x" * 64, "Heartbeat", b"{}")),
        (b'[2,"a","Authorize",{"idTag":"b\x00c"}]', ("a", "Authorize", b'{"idTag":"bc"}')),
        (b'[2,"a","Authorize",{"idTag":"b\nc"}]\x00', ("a", "Authorize", b'{"idTag":"b c"}')),
        (b'\xef\xbb\xbf[2,7,"Heartbeat",{}]', (7, "Heartbeat", b"{}")),
    ],
)
def test_a_call_whose_frame_is_wrong_is_read_as_it_is_meant(
    message: bytes, meant: tuple[str | int, str, bytes]
) -> None:
    call = recovered(message)

    assert isinstance(call, Call)
    assert call.deviations
    assert (call.message_id, call.action, call.payload) == meant


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (b'[3,"a",{"data":"b\x00\x01c"}]', b'{"data":"bc"}'),
        (b'[3,"a"]', b"{}"),
        (b'[3,"a",[]]', b"{}"),
        (b'[3,"a",{"status":"Accepted"},{}]', b'{"status":"Accepted"}'),
    ],
)
def test_an_answer_whose_frame_is_wrong_is_read_as_it_is_meant(message: bytes, payload: bytes) -> None:
    assert recovered(message) == CallResult("a", payload)


def test_a_send_is_recovered_where_the_version_has_it() -> None:
    message = b'[6,17,"NotifyPeriodicEventStream",{}]'

    assert isinstance(recovered(message, "2.1"), Send)
    assert recover(message, "2.0.1") is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        b"[]",
        b"[2]",
        b'[2,null,"Heartbeat",{}]',
        b'[2,true,"Heartbeat",{}]',
        b'[2,1e999,"Heartbeat",{}]',
        b'[2,"","Heartbeat",{}]',
        b'[2,"a",17,{}]',
        b'[2,"a","Heartbeat","x"]',
        b'[2,"a","StopTransaction",{"transactionId":,}]',
        b'[7,"a","Heartbeat",{}]',
        b"[3,17,{}]",
        b"\x00" * 100,
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_told_is_not_recovered(message: bytes) -> None:
    assert recover(message, "1.6") is None


@given(st.binary(), st.sampled_from(VERSIONS))
def test_recovering_never_fails(message: bytes, version: Version) -> None:
    assert isinstance(recover(message, version), Recovered | None)
