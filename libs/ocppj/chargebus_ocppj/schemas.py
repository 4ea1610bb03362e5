"""Payloads against the official schemas: compiled when first needed, and kept."""

import re
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple

import jsonschema_rs
import msgspec

from chargebus_ocppj.errors import FormatError, PropertyConstraintError
from chargebus_ocppj.official import Part, read_schema
from chargebus_ocppj.ordering import order_of, ordered
from chargebus_ocppj.timestamps import is_rfc3339, parse_timestamp
from chargebus_ocppj.versions import Version
from chargebus_ocppj.violations import violation

DEPTH_LIMIT: Final = 64
"""How deep a payload may be nested; the schemas' own parts go no deeper than 10, only custom data could."""


def validate_call(version: Version, action: str, payload: bytes) -> None:
    """Check a CALL's (or SEND's) payload against the schema of its action.

    Raises:
        OcppError: the action is not one of the version's, or the payload breaks its schema.

    Spec: OCPP-J 1.6 4.2.3; OCPP 2.0.1 and 2.1 Part 4, 4.1.7, 4.3
    """
    _validate(version, action, "request", payload)


def check_call(version: Version, action: str, payload: bytes) -> bool:
    """Check a CALL's (or SEND's) payload like `validate_call`; return whether each of its times has a zone, and so on.

    A time that is read although RFC 3339 has it otherwise breaks the schema, and nobody is refused for it.

    Raises:
        OcppError: the action is not one of the version's, or the payload breaks its schema.
    """
    times = _validator(version, action, "request").times
    times.odd = False
    _validate(version, action, "request", payload)
    return not times.odd


def validate_result(version: Version, action: str, payload: bytes) -> None:
    """Check a CALLRESULT's payload against the schema of the action that it answers.

    Raises:
        OcppError: the action is not one of the version's, or the payload breaks its schema.
    """
    _validate(version, action, "response", payload)


def decode(payload: bytes) -> dict[str, Any]:
    """Return a valid payload as a dict; a whole number is an int however it was written (`1.0`).

    Raises:
        ValueError: the payload is not a JSON object.
    """
    return _OBJECT.decode(payload)


def encode_call(version: Version, action: str, payload: Mapping[str, object]) -> bytes:
    """Return a CALL's (or SEND's) payload as compact JSON, members in the order of the schema.

    Members that are None are left out; datetimes become timestamps. Nothing is checked: see `validate_call`.

    Raises:
        NotImplementedRpcError: the action is not one of the version's.
    """
    return msgspec.json.encode(ordered(payload, order_of(version, action, "request")))


def encode_result(version: Version, action: str, payload: Mapping[str, object]) -> bytes:
    """Return a CALLRESULT's payload as compact JSON; otherwise like `encode_call`.

    Raises:
        NotImplementedRpcError: the action is not one of the version's, or is never answered.
    """
    return msgspec.json.encode(ordered(payload, order_of(version, action, "response")))


def _validate(version: Version, action: str, part: Part, payload: bytes) -> None:
    validator = _validator(version, action, part)
    try:
        decoded = _ANY.decode(payload)
        validator.schema.validate(decoded)
    except jsonschema_rs.ValidationError as error:
        raise violation(version, error) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(version, f"payload: not valid JSON: {error}") from None
    # What the schemas leave open and would break those who store it: both are cheap to rule out for most frames.
    if is_too_deep(payload, decoded):
        raise FormatError(version, f"payload: nested more than {DEPTH_LIMIT} deep")
    if b"\\u0000" in payload and _NUL.search(payload) is not None:
        raise PropertyConstraintError(version, "payload: a text has a NUL character")


def is_too_deep(payload: bytes, decoded: object) -> bool:
    """Return whether a payload is nested deeper than anybody should have to follow."""
    return payload.count(b"{") + payload.count(b"[") > DEPTH_LIMIT and _is_deep(decoded)


def _is_deep(decoded: object) -> bool:
    level = [decoded]
    for _ in range(DEPTH_LIMIT):
        members = [node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list)]
        if not members:
            return False
        level = list(chain.from_iterable(members))
    return any(isinstance(node, dict | list) for node in level)


class _Times:
    """The times of the payload that is being checked; `odd`: one of them is read though RFC 3339 has it otherwise."""

    def __init__(self) -> None:
        self.odd = False

    def is_timestamp(self, text: str) -> bool:
        try:
            parse_timestamp(text)
        except ValueError:
            return False
        if not text.endswith("Z") and not is_rfc3339(text):
            self.odd = True
        return True


class _Validator(NamedTuple):
    schema: jsonschema_rs.Validator
    times: _Times


@cache
def _validator(version: Version, action: str, part: Part) -> _Validator:
    # Draft 6 for all: 1.6's draft 4 differs in what its schemas use only by refusing 1.0 as an integer.
    # A date-time is what parse_timestamp reads, so that no service meets a timestamp that it cannot.
    times = _Times()
    schema = jsonschema_rs.Draft6Validator(
        read_schema(version, action, part), formats={"date-time": times.is_timestamp}, validate_formats=True
    )
    return _Validator(schema, times)


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


_EXACT: Final = 2.0**53  # beyond it a float is not the number that was written
_ANY: Final = msgspec.json.Decoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any], float_hook=_number)
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # behind an even number of backslashes it is an escape
