"""What can be understood of a payload that breaks its schema: one walk along it finds what is wrong and mends it.

Nothing that is right is touched. What is wrong and means something is mended where readers would stumble over it (a
number as text), and left as it is where they take it (a word that no enumeration has). What means nothing is left out
where the schema can do without it, be it a member or a part of a list; else the payload is not understood.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias, cast

import msgspec

from chargebus_ocppj.deviations import BY_RULE, Deviation, Kind, place
from chargebus_ocppj.errors import NotImplementedRpcError
from chargebus_ocppj.meanings import (
    ABSENT,
    ALONE,
    AMOUNTS,
    ANY_JSON,
    DECISIVE,
    MEANINGS,
    MEANINGS_BY_TYPE,
    NAMES,
    ONE_OF,
    READINGS,
)
from chargebus_ocppj.outline import Node, is_time, outline
from chargebus_ocppj.schemas import is_too_deep
from chargebus_ocppj.timestamps import format_timestamp, is_rfc3339
from chargebus_ocppj.versions import Version

Json: TypeAlias = Any
"""What JSON is decoded to."""

Accepts = Callable[[Kind], bool]
"""Whether a deviation of that kind may be read as it is meant."""


class Examined(msgspec.Struct, frozen=True):
    """What is wrong with a payload; `payload` is it as it is meant, None if that cannot be told."""

    deviations: tuple[Deviation, ...]
    payload: bytes | None


def by_default(kind: Kind) -> bool:
    """Accept what is accepted of every station."""
    return kind not in BY_RULE


def examine(version: Version, action: str, payload: bytes, accepts: Accepts = by_default) -> Examined:
    """Return what is wrong with a CALL's (or SEND's) payload that breaks its schema, and how it is meant.

    Of the kinds that are not accepted, those that a rule must accept are read as something else that is wrong; with any
    other the payload is not understood.
    """
    mending = _Mending(action, accepts)
    try:
        meant = _ENCODER.encode(mending.mend_payload(outline(version, action), payload))
    except _UnreadableError as error:
        return Examined((*mending.found, Deviation("unreadable", error.path, error.reason)), None)
    except (NotImplementedRpcError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Examined((*mending.found, Deviation("unreadable", "", f"not valid JSON: {error}")), None)
    understood = all(map(accepts, {each.kind for each in mending.found}))
    return Examined(tuple(mending.found), meant if understood else None)


def mended(version: Version, action: str, payload: bytes, deviations: Sequence[Deviation]) -> bytes:
    """Return a payload as it is meant that was found understandable before, with these deviations.

    Raises:
        ValueError: it cannot be understood.
    """
    kinds = {each.kind for each in deviations}
    meant = examine(version, action, payload, lambda kind: kind in kinds or by_default(kind)).payload
    if meant is None:
        raise ValueError(f"{action} cannot be understood")
    return meant


def without_controls(data: bytes) -> bytes:
    """Return JSON without what stands in none: raw control characters, a byte order mark, bytes that are not UTF-8."""
    data = data.removeprefix(b"\xef\xbb\xbf").translate(_SPACES, _RAW_CONTROLS)
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def without_nul(payload: bytes) -> bytes:
    """Return JSON without raw control characters and escaped NULs."""
    return _ESCAPED_NUL.sub(rb"\g<before>", without_controls(payload))


_TEXT_BYTES: Final = 1000
"""What of a text that is too long may be kept and looked up by everybody; more, where the schema allows for more."""


class _UnreadableError(Exception):
    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(reason)

    def within(self, path: str) -> str:
        """Return what cannot be read of the value at a path."""
        below = self.path.removeprefix(path).strip("/")
        return f"{below}: {self.reason}" if below else self.reason


class _Mending:
    """One payload's walk; `found` is what is wrong with it so far."""

    def __init__(self, action: str, accepts: Accepts) -> None:
        self.found: list[Deviation] = []
        self._action = action
        self._accepts = accepts
        self._sent_at = ""  # the message's own time

    def mend_payload(self, node: Node, payload: bytes) -> Json:
        """Return a payload as it is meant."""
        decoded = self._decoded(payload)
        if is_too_deep(payload, decoded):
            raise _UnreadableError("", "nested too deep")
        if isinstance(decoded, list) and len(decoded) == 1:
            self._note("wrong_type", "", "a list of one")
            decoded = decoded[0]
        if not isinstance(decoded, dict):
            raise _UnreadableError("", f"{_shown(decoded)} is no object")
        sent_at = decoded.get("timestamp")
        self._sent_at = sent_at if isinstance(sent_at, str) and is_time(sent_at) else ""
        meant = self._object(node, decoded, "")
        if not self._tells(decoded):
            raise _UnreadableError("", f"none of {', '.join(sorted(ONE_OF[self._action]))}")
        return meant

    def _tells(self, decoded: Mapping[str, Json]) -> bool:
        unreadable = {each.path for each in self.found if each.kind == "unreadable"}
        return self._action not in ONE_OF or not ONE_OF[self._action].isdisjoint(decoded.keys() - unreadable)

    def _decoded(self, payload: bytes) -> Json:
        clean = _ESCAPED_NUL.sub(rb"\g<before>", payload)
        try:
            decoded = _DECODER.decode(clean)
        except (msgspec.DecodeError, UnicodeDecodeError):
            clean = without_controls(clean)
            decoded = _DECODER.decode(clean)
        if clean != payload:
            self._note("control_character", "")
        return decoded

    def _note(self, kind: Kind, path: str, detail: str = "") -> None:
        self.found.append(Deviation(kind, path, detail))

    def _mend(self, node: Node, value: Json, path: str) -> Json:
        mend = _BY_TYPE.get(node.type)
        if mend is None or node.is_right(value):
            return value
        if isinstance(value, list) and len(value) == 1 and node.type != "array" and not self._any_json(path):
            self._note("wrong_type", path, "a list of one")
            value = value[0]
            if node.is_right(value):
                return value
        return mend(self, node, value, path)

    def _object(self, node: Node, value: Json, path: str) -> Json:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            value = self._alone(value, path)
        if not isinstance(value, dict):
            raise _UnreadableError(path, f"{_shown(value)} is no object")
        properties = node.properties
        named = value if properties.keys() >= value.keys() else self._named(node, value, path)
        meant: dict[str, Json] = {}
        for name, member in named.items():
            of = properties.get(name)
            if of is None or of.is_right(member):
                meant[name] = member
            elif member is None:
                self._note("null_member", _below(path, name))
            elif (mended := self._member(of, member, _below(path, name), required=name in node.required)) is not ABSENT:
                meant[name] = mended
        for name in node.required:
            if name not in meant and (absent := self._absent(node, name, path, value)) is not ABSENT:
                meant[name] = absent
        return meant if path == "" else self._timed(meant, path)

    def _alone(self, value: Json, path: str) -> Json:
        """Return the object that a value stands for, as the one member of it that matters; itself if it is none."""
        steps = place(path).split("/")
        member = ALONE.get(steps[-1]) or ALONE.get("/".join(steps[-2:]))
        if member is None or value == "":
            return value
        self._note("wrong_type", path, _shown(value))
        return {member: value}

    def _named(self, node: Node, value: Mapping[str, Json], path: str) -> Mapping[str, Json]:
        """Return the members of an object by the names that they are meant to have, without those that have none."""
        if not node.closed:
            return value
        properties = node.properties
        named = {name: member for name, member in value.items() if name in properties}
        in_any_case = {name.casefold(): name for name in properties}
        for name in value.keys() - properties.keys():
            meant = in_any_case.get(name.casefold().replace("_", ""))
            if meant is not None and meant not in value and self._accepts("misnamed_property"):
                self._note("misnamed_property", _below(path, name), meant)
                named[meant] = value[name]
            else:
                self._note("extra_property", _below(path, name), _shown(value[name]))
        return named

    def _member(self, node: Node, value: Json, path: str, *, required: bool) -> Json:
        """Return a member as it is meant, `ABSENT` for one that is unreadable where the object can do without it."""
        try:
            mended = self._mend(node, value, path)
        except _UnreadableError as error:
            if (required and self._meaning(node, path) is None) or _is_decisive(path):
                raise
            self._note("unreadable", path, error.within(path))
            return ABSENT
        says_nothing = mended == [] if node.type == "array" else mended == "" and bool(node.words)
        return ABSENT if says_nothing and not required else mended

    def _absent(self, node: Node, name: str, path: str, value: Mapping[str, Json]) -> Json:
        """Return what it means that a required member is not there, or not to be read."""
        below, of = _below(path, name), node.properties[name]
        meaning = self._meaning(of, below)
        if meaning is None:
            raise _UnreadableError(below, "it is missing")
        if name not in value:
            self._note("missing", below)
        return self._mend(of, meaning, below) if isinstance(meaning, dict) else meaning

    def _meaning(self, node: Node, path: str) -> Json:
        where = place(path)
        steps = where.split("/")
        for key in (f"{self._action}/{where}", steps[-1], "/".join(steps[-2:])):
            if key in MEANINGS:
                return MEANINGS[key]
        return MEANINGS_BY_TYPE.get(node.type)

    def _timed(self, meant: dict[str, Json], path: str) -> dict[str, Json]:
        """Give readings that came without a time that of their message: it is the same when that is sent again."""
        if self._sent_at and not is_time(meant.get("timestamp", self._sent_at)) and place(path) in READINGS:
            meant["timestamp"] = self._sent_at
        return meant

    def _list(self, node: Node, value: Json, path: str) -> Json:
        if not isinstance(value, list):
            self._note("not_a_list", path)
            value = [value]
        if len(value) < node.least:
            self._note("empty_list", path)
        if len(value) > node.most:
            self._note("too_many", path, f"{len(value)}")
        items: list[Json] = []
        for number, item in enumerate(value):
            below = f"{path}/{number}"
            if item is None:
                self._note("null_member", below)
                continue
            try:
                items.append(self._mend(cast(Node, node.items), item, below))
            except _UnreadableError as error:
                self._note("unreadable", below, error.within(below))
        return items

    def _string(self, node: Node, value: Json, path: str) -> Json:
        text = value if isinstance(value, str) else self._text(value, path)
        if node.words and text not in node.words:
            self._note("unknown_value", path, _shown(text))
            text = node.meant_word(text)
        if len(text) > node.limit:
            if len(text.encode("utf-8", "replace")) > max(_TEXT_BYTES, 4 * node.limit):
                raise _UnreadableError(path, f"a text of {len(text)} characters")
            self._note("too_long", path, f"{len(text)} characters")
        return text

    def _time(self, _node: Node, value: Json, path: str) -> Json:
        since_1970 = _since_1970(value) if self._accepts("epoch_time") else ""
        if since_1970:
            self._note("epoch_time", path, _shown(value))
            return since_1970
        text = value if isinstance(value, str) else self._text(value, path)
        if not (is_time(text) and is_rfc3339(text)):
            self._note("bad_time", path, _shown(text))
        return text

    def _text(self, value: Json, path: str) -> str:
        if isinstance(value, dict | list) and not self._any_json(path):
            raise _UnreadableError(path, f"{_shown(value)} is no text")
        self._note("wrong_type", path, _shown(value))
        return _ENCODER.encode(value).decode()

    def _any_json(self, path: str) -> bool:
        return f"{self._action}/{path}" in ANY_JSON

    def _integer(self, node: Node, value: Json, path: str) -> Json:
        number = self._number(node, value, path)
        if number == (whole := int(number)):
            return whole
        name = path.rpartition("/")[2]
        if name in NAMES:
            raise _UnreadableError(path, f"{number} is no whole number")
        self._note("fraction", path, f"{number}")
        return number if name in AMOUNTS else round(number)

    def _number(self, node: Node, value: Json, path: str) -> Json:
        number = _read_number(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | Decimal) or not math.isfinite(_float(number)):
            raise _UnreadableError(path, f"{_shown(value)} is no number")
        if isinstance(value, str):
            self._note("wrong_type", path, _shown(value))
        if not node.minimum <= number <= node.maximum:
            self._note("out_of_range", path, f"{number}")
        return number

    def _boolean(self, _node: Node, value: Json, path: str) -> bool:
        meant = _BOOLEANS.get(_shown(value).strip('" ').casefold())
        if meant is None:
            raise _UnreadableError(path, f"{_shown(value)} is neither true nor false")
        self._note("wrong_type", path, _shown(value))
        return meant


_BY_TYPE: Final[Mapping[str, Callable[[_Mending, Node, Json, str], Json]]] = {
    "object": _Mending._object,
    "array": _Mending._list,
    "string": _Mending._string,
    "time": _Mending._time,
    "integer": _Mending._integer,
    "number": _Mending._number,
    "boolean": _Mending._boolean,
}

_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,40})(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")


def _is_decisive(path: str) -> bool:
    steps = path.split("/")
    return "sampledValue" in steps[:-1] and steps[-1] in DECISIVE


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _read_number(text: str) -> int | Decimal | None:
    text = text.strip()
    try:
        number = Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        return None
    return number


def _float(number: int | Decimal) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _since_1970(value: Json) -> str:
    """Return seconds or milliseconds since 1970, of a year from 2001 to 2100, as a timestamp; else an empty text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ""
    seconds = float(value) / (1000 if value >= _FIRST_MS else 1)
    return format_timestamp(datetime.fromtimestamp(seconds, UTC)) if _FIRST_S <= seconds < _LAST_S else ""


def _shown(value: object) -> str:
    try:
        return _ENCODER.encode(value).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return "?"


_FIRST_S: Final = 1_000_000_000
_LAST_S: Final = 4_102_444_800
_FIRST_MS: Final = 1_000_000_000_000
_RAW_CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_SPACES: Final = bytes(0x20 if code in b"\t\n\r" else code for code in range(0x100))
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?P<before>(?:\\\\)*)\\u0000")
# Numbers keep their digits: a meter's 1.50 is not its 1.5.
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
