"""How a breach of a schema is told to the other side: what it means, where it is, and why."""

from collections.abc import Mapping, Sequence
from typing import Final

import jsonschema_rs

from chargebus_ocppj.errors import (
    FormatError,
    OccurrenceConstraintError,
    OcppError,
    PropertyConstraintError,
    TypeConstraintError,
)
from chargebus_ocppj.versions import Version

# By JSON Schema keyword. A cardinality that is broken is an occurrence, be it 1..1 (required) or 1..* (minItems);
# a member that the action does not have is not in the action's format.
ERRORS_BY_KEYWORD: Final[Mapping[str, type[OcppError]]] = {
    "required": OccurrenceConstraintError,
    "minItems": OccurrenceConstraintError,
    "maxItems": OccurrenceConstraintError,
    "additionalProperties": FormatError,
    "additionalItems": FormatError,
    "type": TypeConstraintError,
    "enum": PropertyConstraintError,
    "format": PropertyConstraintError,
    "maxLength": PropertyConstraintError,
    "minLength": PropertyConstraintError,
    "maximum": PropertyConstraintError,
    "minimum": PropertyConstraintError,
    "multipleOf": PropertyConstraintError,
}


def violation(version: Version, error: jsonschema_rs.ValidationError) -> OcppError:
    """Return the error that says where and why a payload breaks its schema.

    Spec: OCPP-J 1.6 table 7; OCPP 2.0.1 Part 4 table 8; OCPP 2.1 Part 4 table 9
    """
    kind = ERRORS_BY_KEYWORD.get(error.kind.name, FormatError)
    return kind(version, f"{_path(error.instance_path)}: {error.message}")


def _path(path: Sequence[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "payload"
