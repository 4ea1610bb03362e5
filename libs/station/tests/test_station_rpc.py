"""The RPC state without a socket."""

import pytest
from chargebus_ocppj.frames import CallError, CallResultError
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.rpc import Answer, Concluded, Malformed, Refusal, Requested, ResultRejected, Rpc, StrayAnswer
from hypothesis import given
from hypothesis import strategies as st

ALL = pytest.mark.parametrize("version", VERSIONS)
BEAT = '[3,"m-1",{"currentTime":"2026-05-01T12:00:00Z"}]'


def waiting(version="1.6"):
    rpc = Rpc(version)
    rpc.call("m-1", "Heartbeat", {})
    return rpc


@ALL
def test_an_answer_concludes_the_call_in_flight(version):
    assert waiting(version).receive(BEAT) == Concluded(Answer({"currentTime": "2026-05-01T12:00:00Z"}))


@ALL
def test_a_call_error_concludes_it_too(version):
    text = '[4,"m-1","InternalError","later",{}]'
    assert waiting(version).receive(text) == Concluded(Refusal("InternalError", "later"))


def test_only_one_call_may_be_in_flight():
    rpc = waiting()
    with pytest.raises(RuntimeError, match="Heartbeat is in flight"):
        rpc.call("m-2", "Heartbeat", {})
    rpc.receive(BEAT)
    rpc.call("m-2", "Heartbeat", {})


def test_an_answer_that_comes_late_or_to_nothing_is_a_stray():
    rpc = waiting()
    rpc.give_up()
    assert rpc.receive(BEAT) == StrayAnswer("m-1")
    assert rpc.receive('[3,"never",{}]') == StrayAnswer("never")
    assert waiting().receive('[3,"m-0",{"currentTime":"2026-05-01T12:00:00Z"}]') == StrayAnswer("m-0")


@pytest.mark.parametrize(("version", "reply"), [("1.6", None), ("2.0.1", None), ("2.1", CallResultError)])
def test_an_answer_that_breaks_its_schema_is_a_refusal_and_2_1_says_so(version, reply):
    received = waiting(version).receive('[3,"m-1",{"currentTime":5}]')
    assert isinstance(received, Concluded)
    assert isinstance(received.outcome, Refusal)
    assert (None if received.reply is None else type(received.reply)) is reply


@ALL
def test_the_csms_may_call_while_a_call_is_in_flight(version):
    rpc = waiting(version)
    received = rpc.receive('[2,"c-1","ClearCache",{}]')
    assert isinstance(received, Requested)
    assert received.call.action == "ClearCache"
    assert isinstance(rpc.receive(BEAT), Concluded)


@ALL
def test_a_call_that_is_not_for_a_station_is_refused(version):
    received = Rpc(version).receive('[2,"c-1","Heartbeat",{}]')
    assert isinstance(received, Malformed)
    assert isinstance(received.reply, CallError)
    assert received.code == "NotSupported"


def test_2_1_the_csms_may_object_to_an_answer():
    assert Rpc("2.1").receive('[5,"c-1","FormatViolation","",{}]') == ResultRejected("c-1", "FormatViolation")


@ALL
@given(text=st.text() | st.binary())
def test_nothing_that_comes_breaks_the_state(version, text):
    rpc = waiting(version)
    rpc.receive(text)
    assert isinstance(rpc.receive(BEAT), Concluded)
