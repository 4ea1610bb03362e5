"""What speaks against setting a variable, by what is known of it."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Final, Literal

import msgspec

from chargebus_device.variables.domain.names import name_of
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.variable import READ_ONLY, Reported, is_secret, shown

Kind = Literal["secret", "read_only", "unknown", "value"]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_TEXTS: Final = frozenset({"string", "OptionList", "SequenceList", "MemberList"})


class Objection(msgspec.Struct, frozen=True):
    """Why a variable cannot be set; what, in words for who wants it set."""

    kind: Kind
    what: str


def objection(place: Place, value: str, known: Reported | None, *, is_read: bool) -> Objection | None:
    """Return what speaks against a value, None if nothing does.

    Args:
        place: in the words of the station's version.
        value: what it is to be.
        known: what the station told of the variable; None: nothing.
        is_read: the station has told all that it has, so what it did not tell it does not have.

    Spec: OCPP 1.6 5.3, 9; OCPP 2.0.1 B05.FR.04 to FR.09, VariableCharacteristicsType
    """
    if is_secret(place, known.mutability if known else None):
        what = "holds a secret: /v1/credentials changes stations' passwords, /v1/stations/{id}/commands sends others"
        return Objection("secret", what)
    if shown(value) != value:
        what = "is an address with a login or a signed query, or a private key: /v1/stations/{id}/commands sends those"
        return Objection("secret", what)
    if known is None or not known.is_known:
        if not is_read and known is None:
            return _unlike(place, value, known)
        return Objection("unknown", "the station says that it has no such variable; `force` sends it all the same")
    if known.mutability == READ_ONLY:
        return Objection("read_only", "the station says that it is read-only; `force` sends it all the same")
    return _unlike(place, value, known)


def _unlike(place: Place, value: str, known: Reported | None) -> Objection | None:
    name = name_of(place)
    data_type = (known.data_type if known else None) or (name.data_type if name else "")
    said = known or Reported(place=place)
    checked = _CHECKS.get(data_type, _no_matter)(value, said)
    what = checked or (_longer(value, said) if data_type in _TEXTS else "")
    return Objection("value", what) if what else None


def _integer(value: str, said: Reported) -> str:
    return _within(int(value), said) if _INTEGER.fullmatch(value) else "must be a whole number"


def _decimal(value: str, said: Reported) -> str:
    try:
        number = float(value)
    except ValueError:
        return "must be a number"
    return _within(number, said) if isfinite(number) else "must be a number"


def _boolean(value: str, _said: Reported) -> str:
    return "" if value.lower() in ("true", "false") else "must be true or false"


def _time(value: str, _said: Reported) -> str:
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return "must be a time such as 2026-05-01T12:00:00Z"
    return ""


def _option(value: str, said: Reported) -> str:
    allowed = members(said.values_list)
    return "" if not allowed or value in allowed else f"must be one of {', '.join(allowed)}"


def _list(value: str, said: Reported) -> str:
    allowed = members(said.values_list)
    other = [each for each in members(value) if each not in allowed] if allowed else []
    return f"must be made of {', '.join(allowed)}, not {', '.join(other)}" if other else ""


def _no_matter(_value: str, _said: Reported) -> str:
    return ""


_CHECKS: Final[Mapping[str, Callable[[str, Reported], str]]] = {
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "dateTime": _time,
    "OptionList": _option,
    "SequenceList": _list,
    "MemberList": _list,
}


def _within(number: float, said: Reported) -> str:
    if said.min_limit is not None and number < said.min_limit:
        return f"must be at least {said.min_limit:g}"
    if said.max_limit is not None and number > said.max_limit:
        return f"must be at most {said.max_limit:g}"
    return ""


def _longer(value: str, said: Reported) -> str:
    """Spec: OCPP 2.0.1 VariableCharacteristicsType.maxLimit (of texts and lists: their length)."""
    return (
        "" if said.max_limit is None or len(value) <= said.max_limit else f"has more than {said.max_limit:g} characters"
    )


def members(text: str | None) -> list[str]:
    """Return the members of a list with commas between."""
    return [word for part in (text or "").split(",") if (word := part.strip())]


def same(one: str | None, other: str | None, data_type: str | None) -> bool:
    """Tell whether two values mean the same: numbers and truths however they are written, lists in any order."""
    if one is None or other is None:
        return one is other
    if one == other:
        return True
    plain = _SAME.get(data_type or "", str.strip)
    return plain(one) == plain(other)


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _truth(text: str) -> object:
    return text.strip().lower()


def _members(text: str) -> object:
    return frozenset(members(text))


_SAME: Final[Mapping[str, Callable[[str], object]]] = {
    "integer": _number,
    "decimal": _number,
    "boolean": _truth,
    "MemberList": _members,
}
