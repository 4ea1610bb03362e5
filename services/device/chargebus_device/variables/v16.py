"""OCPP 1.6: configuration keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chargebus_ocppj.payloads import clean

from chargebus_device.variables.domain.names import KEYS
from chargebus_device.variables.domain.place import NAME_LIMIT, Place
from chargebus_device.variables.domain.request import Item
from chargebus_device.variables.domain.variable import READ_ONLY, READ_WRITE, VALUE_LIMIT, Reported

MOST_KEYS: Final = Place(variable="GetConfigurationMaxKeys")
LONGEST: Final = 500
"""Spec: OCPP 1.6 5.3 (CiString500Type)."""

_STATUSES: Final = {"NotSupported": "UnknownVariable"}
_UNKNOWN: Final = "UnknownVariable"


def own(place: Place) -> Place | None:
    """Return a place in the words of 1.6, None: it has none for it."""
    from_2 = place.component or place.evse_id or place.variable_instance or place.attribute != "Actual"
    return None if from_2 else place


def get_all() -> dict[str, object]:
    """Return GetConfiguration of all keys. Spec: OCPP 1.6 5.8."""
    return {}


def expected() -> list[Place]:
    """Return where the keys stand that 1.6 names."""
    return [Place(variable=key) for key in KEYS]


def get(items: Sequence[Item]) -> dict[str, object]:
    """Return GetConfiguration of some keys. Spec: OCPP 1.6 5.8."""
    return {"key": [item.place.variable for item in items]}


def change(items: Sequence[Item]) -> dict[str, object]:
    """Return ChangeConfiguration, which takes one key. Spec: OCPP 1.6 5.3."""
    [item] = items
    return {"key": item.place.variable, "value": item.value}


def told(members: Mapping[str, Any]) -> list[tuple[Reported, str]]:
    """Return what a station says of its keys, each with a status in the words of 2.x."""
    found = []
    for each in _list(members.get("configurationKey")):
        if isinstance(each, dict) and isinstance(each.get("key"), str) and (key := clean(each["key"])[:NAME_LIMIT]):
            value = each.get("value")
            mutability = READ_ONLY if each.get("readonly") is True else READ_WRITE
            text = None if value is None else clean(str(value))[:VALUE_LIMIT]
            found.append((Reported(place=Place(variable=key), value=text, mutability=mutability), "Accepted"))
    found.extend(
        (Reported(place=Place(variable=key), is_known=False), _UNKNOWN)
        for name in _list(members.get("unknownKey"))
        if isinstance(name, str) and (key := clean(name)[:NAME_LIMIT])
    )
    return found


def unread(members: Mapping[str, Any]) -> int:
    """Return how much of what a station says of its keys cannot be read."""
    given = [members[name] for name in ("configurationKey", "unknownKey") if members.get(name) is not None]
    return sum(len(each) if isinstance(each, list) else 1 for each in given) - len(told(members))


def changed(members: Mapping[str, Any], items: Sequence[Item]) -> list[tuple[Place, str, str]]:
    """Return what became of a key that was set, in the words of 2.x."""
    status = clean(str(members.get("status", "")))[:NAME_LIMIT]
    return [(item.place, _STATUSES.get(status, status) or "NoAnswer", "") for item in items]


def _list(given: object) -> Iterable[Any]:
    return given if isinstance(given, list) else ()
