"""An official schema as `mending` walks it: what each value may be, references resolved, checks that cost little."""

import math
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal

import msgspec

from chargebus_ocppj.official import read_schema
from chargebus_ocppj.timestamps import is_rfc3339, parse_timestamp
from chargebus_ocppj.versions import Version

Type = Literal["object", "array", "string", "time", "integer", "number", "boolean", "any"]

WORD_LIMIT: Final = 1000
"""Characters of a word that an enumeration lacks, in which no schema limits it."""


class Node(msgspec.Struct):
    """What a value may be. `words` are those of an enumeration; `closed`: only `properties` may stand in an object."""

    type: Type = "any"
    properties: dict[str, "Node"] = {}
    required: tuple[str, ...] = ()
    closed: bool = False
    items: "Node | None" = None
    least: int = 0
    most: float = math.inf
    words: frozenset[str] = frozenset()
    limit: float = math.inf
    minimum: float = -math.inf
    maximum: float = math.inf

    def is_right(self, value: object) -> bool:
        """Return whether a value that is no object and no list keeps to the schema; False where that is to be seen."""
        kind = self.type
        if kind == "string":
            if not isinstance(value, str) or len(value) > self.limit:
                return False
            return not self.words or value in self.words
        if kind == "time":
            return isinstance(value, str) and is_time(value) and is_rfc3339(value)
        if kind == "integer":
            return type(value) is int and self.minimum <= value <= self.maximum
        if kind == "number":
            return (type(value) is int or type(value) is Decimal) and self.minimum <= value <= self.maximum
        return kind == "boolean" and isinstance(value, bool)

    def meant_word(self, text: str) -> str:
        """Return the word of the enumeration that the text is in another case, else the text."""
        wanted = text.strip().casefold()
        return next((word for word in sorted(self.words) if word.casefold() == wanted), text)


def is_time(text: str) -> bool:
    """Return whether a text is a time that anybody can read."""
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return True


@cache
def outline(version: Version, action: str) -> Node:
    """Return the outline of an action's request.

    Raises:
        NotImplementedRpcError: the version does not have the action, or the action no request.
    """
    schema = read_schema(version, action, "request")
    return _node(schema, schema.get("definitions", {}), {})


def _node(schema: Mapping[str, Any], definitions: Mapping[str, Any], known: dict[str, Node]) -> Node:
    reference = schema.get("$ref")
    if reference is None:
        return _filled(Node(), schema, definitions, known)
    name = reference.removeprefix("#/definitions/")
    if name not in known:
        known[name] = Node()  # in place before it is filled: a definition may contain itself
        _filled(known[name], definitions[name], definitions, known)
    return known[name]


def _filled(node: Node, schema: Mapping[str, Any], definitions: Mapping[str, Any], known: dict[str, Node]) -> Node:
    node.type = "time" if schema.get("format") == "date-time" else schema.get("type", "any")
    node.properties = {name: _node(member, definitions, known) for name, member in schema.get("properties", {}).items()}
    node.required = tuple(schema.get("required", ()))
    node.closed = not schema.get("additionalProperties", True)
    node.items = _node(schema["items"], definitions, known) if "items" in schema else None
    node.least, node.most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    node.words = frozenset(schema.get("enum", ()))
    node.limit = schema.get("maxLength", WORD_LIMIT if node.words else math.inf)
    node.minimum, node.maximum = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return node
