"""What holds for every frame and for every message that is none."""

import json

from chargebus_ocppj.errors import DESCRIPTION_LIMIT, RPC_ERROR_CODES
from chargebus_ocppj.frames import (
    MESSAGE_ID_LIMIT,
    Call,
    CallError,
    CallResult,
    CallResultError,
    Frame,
    FrameError,
    Send,
    encode,
    parse,
)
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.versions import VERSIONS, Version
from hypothesis import example, given
from hypothesis import strategies as st

versions = st.sampled_from(VERSIONS)
texts = st.text(max_size=40)
message_ids = st.text(min_size=1, max_size=36).filter(str.isprintable)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
payloads = st.dictionaries(texts, json_values, max_size=4).map(lambda value: json.dumps(value).encode())

calls = st.builds(Call, message_ids, texts, payloads)
results = st.builds(CallResult, message_ids, payloads)
said = texts.map(clean)
errors = st.builds(CallError, message_ids, said, said, payloads)
sends = st.builds(Send, message_ids, texts, payloads)
result_errors = st.builds(CallResultError, message_ids, said, said, payloads)

near_frames = st.lists(st.integers(-1, 8) | texts | json_values, max_size=6).map(json.dumps)
mangled = st.tuples(calls.map(encode), st.integers(0, 60), texts).map(
    lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
)


@given(calls | results | errors, versions)
def test_a_frame_survives_the_wire(frame: Frame, version: Version) -> None:
    assert parse(encode(frame), version) == frame
    assert parse(encode(frame).encode(), version) == frame


@given(sends | result_errors)
def test_a_frame_of_2_1_survives_the_wire(frame: Frame) -> None:
    assert parse(encode(frame), "2.1") == frame


@given(st.text() | st.binary() | near_frames | mangled | mangled.map(str.encode), versions)
@example("[" * 100_000, "1.6")
@example('[2,"1","X",' * 100_000, "2.1")
@example(b'[4,"a","b","c","\xff"]', "2.0.1")
@example('[2,"\x7f"', "1.6")
@example("\ud800", "2.1")
@example('[2,"\ud800","X",{}]', "2.1")
def test_whatever_comes_is_a_frame_or_a_frame_error(message: str | bytes, version: Version) -> None:
    outcome = read(message, version)

    if isinstance(outcome, FrameError):
        assert outcome.code in RPC_ERROR_CODES[version]
        assert len(outcome.description) <= DESCRIPTION_LIMIT
        assert outcome.answer is None or is_readable(outcome.answer, version)
    else:
        assert 1 <= len(outcome.message_id) <= MESSAGE_ID_LIMIT


def read(message: str | bytes, version: Version) -> Frame | FrameError:
    try:
        return parse(message, version)
    except FrameError as error:
        return error


def is_readable(answer: Frame, version: Version) -> bool:
    """Whether an answer of ours is itself a frame; one that must repeat an id that is too long cannot be."""
    return len(answer.message_id) > MESSAGE_ID_LIMIT or read(encode(answer), version) == answer
