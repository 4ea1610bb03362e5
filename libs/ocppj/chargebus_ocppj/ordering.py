"""The order in which a payload's members are written: the one of its schema."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from chargebus_ocppj.official import Part, read_schema
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import Version

Order: TypeAlias = dict[str, "Order"]
"""Member names in order, each with the order of its own members; a list has the order of its items."""

_NO_ORDER: Order = {}


@cache
def order_of(version: Version, action: str, part: Part) -> Order:
    """Return the order of an action's request or response.

    Raises:
        NotImplementedRpcError: the version does not have the action, or the action no such part.
    """
    schema = read_schema(version, action, part)
    return _read(schema, schema.get("definitions", {}), {})


def ordered(value: object, order: Order) -> object:
    """Return a JSON value with its members in order.

    Members that the schema does not name come last, as they are. A member that is None is left out: OCPP has no
    null. A datetime becomes a timestamp.
    """
    if isinstance(value, Mapping):
        names = [name for name in order if name in value] + [name for name in value if name not in order]
        return {name: ordered(value[name], order.get(name, _NO_ORDER)) for name in names if value[name] is not None}
    if isinstance(value, list | tuple):
        return [ordered(item, order) for item in value]
    if isinstance(value, datetime):
        return format_timestamp(value)
    return value


def _read(node: Mapping[str, Any], definitions: Mapping[str, Any], known: dict[str, Order]) -> Order:
    reference = node.get("$ref")
    if reference is not None:
        name = reference.removeprefix("#/definitions/")
        if name not in known:
            known[name] = {}  # in place before it is filled: a definition may contain itself
            known[name].update(_read(definitions[name], definitions, known))
        return known[name]
    if "items" in node:
        return _read(node["items"], definitions, known)
    return {name: _read(member, definitions, known) for name, member in node.get("properties", {}).items()}
