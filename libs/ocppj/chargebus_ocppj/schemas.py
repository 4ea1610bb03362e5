"""Payloads against the official schemas: compiled when first needed, and kept."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from chargebus_ocppj.errors import FormatError, PropertyConstraintError
from chargebus_ocppj.official import Part, read_schema
from chargebus_ocppj.ordering import order_of, ordered
from chargebus_ocppj.timestamps import parse_timestamp
from chargebus_ocppj.versions import Version
from chargebus_ocppj.violations import violation


def validate_call(version: Version, action: str, payload: bytes) -> None:
    """Check a CALL's (or SEND's) payload against the schema of its action.

    Raises:
        OcppError: the action is not one of the version's, or the payload breaks its schema.

    Spec: OCPP-J 1.6 4.2.3; OCPP 2.0.1 and 2.1 Part 4, 4.1.7, 4.3
    """
    _validate(version, action, "request", payload)


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
        validator.validate(_ANY.decode(payload))
    except jsonschema_rs.ValidationError as error:
        raise violation(version, error) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(version, f"payload: not valid JSON: {error}") from None
    if _ESCAPED_NUL in payload and "\0" in msgspec.json.encode(_ANY.decode(payload)).decode():
        raise PropertyConstraintError(version, "payload: a text has a NUL character")


def _is_timestamp(text: str) -> bool:
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return True


@cache
def _validator(version: Version, action: str, part: Part) -> jsonschema_rs.Validator:
    # Draft 6 for all: 1.6's draft 4 differs in what its schemas use only by refusing 1.0 as an integer.
    # A date-time is what parse_timestamp reads, so that no service meets a timestamp that it cannot.
    return jsonschema_rs.Draft6Validator(
        read_schema(version, action, part), formats={"date-time": _is_timestamp}, validate_formats=True
    )


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() else number


_ANY: Final = msgspec.json.Decoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any], float_hook=_number)
_ESCAPED_NUL: Final = b"\\u0000"
