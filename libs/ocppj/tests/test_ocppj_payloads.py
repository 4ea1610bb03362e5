"""Payloads are read as JSON Schema means them, and their texts can be stored."""

import msgspec
import pytest
from chargebus_ocppj.payloads import Payload, clean, reader


class Reported(Payload, frozen=True):
    connector_id: int
    vendor_id: str = ""


@pytest.mark.parametrize("number", [b"1", b"1.0", b"1e0"])
def test_a_whole_number_may_be_written_as_any_json_number(number):
    assert reader(Reported)(b'{"connectorId":%s,"unknown":[1]}' % number) == Reported(1)


def test_what_is_no_whole_number_is_refused():
    with pytest.raises(msgspec.ValidationError):
        reader(Reported)(b'{"connectorId":1.5}')


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (None, ""),
        ("", ""),
        (" plain ", "plain"),
        ("NUL\x00in\x1fside\x7f", "NULinside"),
        ("line\nbreak\t", "linebreak"),
        ("Ladesäule", "Ladesäule"),
        ("zero\u200bwidth", "zero\u200bwidth"),
    ],
)
def test_texts_lose_their_control_characters_and_nothing_else(written, kept):
    assert clean(written) == kept
