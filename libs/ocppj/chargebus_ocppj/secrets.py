"""What is secret in a payload: a table of action and path, for all versions, and what is shown in its place.

A secret is sent to the station as it is; whatever keeps or shows a payload takes it `masked`.

| what | why |
|---|---|
| settings whose name says so: `AuthorizationKey`, `BasicAuthPassword`, a vendor's `WifiKey` | they let in |
| network profiles: the passwords of station, APN and VPN, the SIM's PIN | the same |
| addresses of files: user and password in front of the host, the query (signed links) | they open somebody's server |
| private keys in PEM, wherever | never meant to travel |
| DataTransfers that an operator names | what they mean is the vendor's secret |

Tokens, certificates and signing requests are not in it: they are identities, or public.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from chargebus_ocppj.schemas import DEPTH_LIMIT

MASK: Final = "***"
SHORTEST_FOUND: Final = 4
"""A secret of fewer characters is not looked for in other texts: they would lose too much."""

_TELLING: Final = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|credential|privatekey|authorizationkey|authkey|apikey|accesskey|sharedkey|vpnkey"
    r"|wifikey|wpakey|psk|(access|auth|api|bearer)token|(pin|puk)$"
)
_NO_WORD: Final = re.compile(r"[\W_]+")
_USER: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?(?P<user>.*)@(?P<rest>.*)", re.DOTALL)
_PRIVATE_KEY: Final = "PRIVATE KEY-----"
_CUT: Final = "…"

Json: TypeAlias = Any
"""What JSON may be: a payload that breaks its schema, too."""

Way = Sequence[Json]
"""The objects and lists from the payload down to the one that holds a value."""

Rule = Callable[["Secrets", Json, Way], Json]
"""What is shown in the place of a value."""


@dataclass(frozen=True)
class Secrets:
    """The table, and what an operator adds to it.

    Attributes:
        settings: names of further settings: keys of OCPP 1.6, variables of 2.x; compared without case.
        transfers: `vendorId/messageId` of DataTransfers whose data is secret, `vendorId` for all of a vendor's.
    """

    settings: frozenset[str] = frozenset()
    transfers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str]) -> "Secrets":
        """Return the table with more names: those with a slash are DataTransfers, `Acme/` all of that vendor's."""
        given = [name.strip().lower() for name in names]
        transfers = frozenset(name.rstrip("/") for name in given if "/" in name)
        return cls(frozenset(_plain(name) for name in given if name and "/" not in name), transfers)

    def masked_call(self, action: str, payload: bytes) -> bytes:
        """Return a CALL's payload as it may be kept and shown; masked again, it is the same."""
        return self._masked(_CALLS.get(action, ()), payload)

    def masked_result(self, action: str, request: bytes, payload: bytes) -> bytes:
        """Return the answer to a CALL as it may be kept and shown: without what the request was to keep secret, too."""
        rows = _RESULTS.get(action, ())
        if action == "DataTransfer" and not self._is_secret_transfer(_decoded(request)):
            rows = ()
        return self.purged(action, request, self._masked(rows, payload))

    def purged(self, action: str, request: bytes, payload: bytes) -> bytes:
        """Return JSON that came of a CALL without the secrets of that CALL."""
        found = self.in_call(action, request)
        return _mapped(payload, lambda text: _without(text, found)) if found else payload

    def purged_text(self, action: str, request: bytes, text: str, answer: bytes = b"") -> str:
        """Return words about a CALL, or its answer, without the secrets of either."""
        return _without(text, (*self.in_call(action, request), *self._found(_RESULTS.get(action, ()), answer)))

    def in_call(self, action: str, payload: bytes) -> tuple[str, ...]:
        """Return the secrets of a CALL as texts, the longest first."""
        return self._found(_CALLS.get(action, ()), payload)

    def is_secret_setting(self, name: object) -> bool:
        """Tell whether a setting of this name holds a secret."""
        if not isinstance(name, str):
            return False
        plain = _plain(name)
        return plain in self.settings or _TELLING.search(plain) is not None

    def _is_secret_transfer(self, request: object) -> bool:
        if not self.transfers or not isinstance(request, dict):
            return False
        vendor, message = (str(request.get(name, "")).strip().lower() for name in ("vendorId", "messageId"))
        return vendor in self.transfers or f"{vendor}/{message}" in self.transfers

    def _found(self, rows: Sequence["Row"], payload: bytes) -> tuple[str, ...]:
        _, found = self._mask(rows, payload)
        return tuple(sorted((each for each in found if len(each) >= SHORTEST_FOUND), key=len, reverse=True))

    def _masked(self, rows: Sequence["Row"], payload: bytes) -> bytes:
        shown, found = self._mask(rows, payload)
        return msgspec.json.encode(shown) if found else payload

    def _mask(self, rows: Sequence["Row"], payload: bytes) -> tuple[Json, set[str]]:
        """Return a payload as it is shown, decoded, and the secrets that it has; neither, if it cannot have any."""
        found: set[str] = set()
        if not rows and _PRIVATE_KEY.encode() not in payload:
            return None, found
        decoded = _decoded(payload)
        for row in rows:
            row.apply(self, decoded, found)
        _apply_to_keys(decoded, found)
        return decoded, found


def _always(_secrets: Secrets, _value: Json, _way: Way) -> Json:
    return MASK


def _address(_secrets: Secrets, value: Json, _way: Way) -> Json:
    return masked_address(value) if isinstance(value, str) else MASK


def _by_key(secrets: Secrets, value: Json, way: Way) -> Json:
    """Spec: OCPP 1.6 9 (keys are compared without case)."""
    return _setting(secrets, way[-1].get("key"), value)


def _by_variable(secrets: Secrets, value: Json, way: Way) -> Json:
    """Spec: OCPP 2.0.1 and 2.1 Part 2, referenced components and variables."""
    described = next((each for each in reversed(way) if isinstance(each, dict) and "variable" in each), {})
    variable = described.get("variable")
    names = variable.values() if isinstance(variable, dict) else (variable,)  # an instance may be the telling one
    return next((MASK for name in names if secrets.is_secret_setting(name)), _setting(secrets, None, value))


def _by_transfer(secrets: Secrets, value: Json, way: Way) -> Json:
    return MASK if secrets._is_secret_transfer(way[0]) else value


def _setting(secrets: Secrets, name: object, value: Json) -> Json:
    if secrets.is_secret_setting(name):
        return MASK
    return masked_address(value) if isinstance(value, str) and "://" in value else value


@dataclass(frozen=True)
class Row:
    """A place in a payload that may hold a secret: members by name, `*` for each item of a list."""

    path: str
    rule: Rule

    def apply(self, secrets: Secrets, payload: Json, found: set[str]) -> None:
        """Mask what the path names, in place, and add what stood there."""
        self._walk(secrets, (payload,), self.path.split("/"), found)

    def _walk(self, secrets: Secrets, way: Way, steps: Sequence[str], found: set[str]) -> None:
        here, step, rest = way[-1], steps[0], steps[1:]
        if step == "*":
            for each in here if isinstance(here, list) else (here,):  # one that stands where a list belongs
                self._walk(secrets, (*way, each), rest, found)
        elif isinstance(here, dict) and step in here:
            if rest:
                self._walk(secrets, (*way, here[step]), rest, found)
            else:
                self._mask(secrets, way, step, found)

    def _mask(self, secrets: Secrets, way: Way, member: str, found: set[str]) -> None:
        value = way[-1][member]
        shown = self.rule(secrets, value, way)
        if value is None or shown == value:
            return
        way[-1][member] = shown
        found.update(_texts(value, shown))


_SETTINGS: Final = (Row("value", _by_key),)
_FIRMWARE: Final = (Row("location", _address), Row("firmware/location", _address))
_LOG: Final = (Row("location", _address), Row("log/remoteLocation", _address))

_CALLS: Final[Mapping[str, Sequence[Row]]] = {
    "ChangeConfiguration": _SETTINGS,
    "DataTransfer": (Row("data", _by_transfer),),
    "GetDiagnostics": _LOG,
    "GetLog": _LOG,
    "PublishFirmware": _FIRMWARE,
    "SetNetworkProfile": (
        Row("connectionData/ocppCsmsUrl", _address),
        Row("connectionData/basicAuthPassword", _always),
        Row("connectionData/apn/apnPassword", _always),
        Row("connectionData/apn/simPin", _always),
        Row("connectionData/vpn/password", _always),
        Row("connectionData/vpn/key", _always),
    ),
    "SetVariables": (Row("setVariableData/*/attributeValue", _by_variable),),
    "SignedUpdateFirmware": _FIRMWARE,
    "UpdateFirmware": _FIRMWARE,
    # What stations tell of their settings.
    "NotifyEvent": (Row("eventData/*/actualValue", _by_variable),),
    "NotifyReport": (Row("reportData/*/variableAttribute/*/value", _by_variable),),
}
_RESULTS: Final[Mapping[str, Sequence[Row]]] = {
    "DataTransfer": (Row("data", _always),),
    "GetConfiguration": (Row("configurationKey/*/value", _by_key),),
    "GetVariables": (Row("getVariableResult/*/attributeValue", _by_variable),),
}

STANDARD: Final = Secrets()
"""The table as it stands."""

TELLS_SETTINGS: Final = frozenset({"NotifyEvent", "NotifyReport"})
"""The station's calls that are in the table."""


def masked_address(address: str) -> str:
    """Return a URL without user, password and query."""
    match = _USER.fullmatch(address)  # up to the last @: a password may hold one, and a slash
    if match is not None:
        address = f"{match['scheme'] or ''}{MASK}@{match['rest']}"
    head, mark, query = address.partition("?")
    return f"{head}?{MASK}" if mark and query else address


def _texts(value: Json, shown: Json) -> Iterable[str]:
    """Yield in which words a secret may come back."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if shown == MASK:
        yield text
        return
    match = _USER.fullmatch(text)
    if match is not None:
        yield match["user"]
        yield match["user"].partition(":")[2]
        text = match["rest"]
    query = text.partition("?")[2]
    yield query
    yield from (each.partition("=")[2] for each in query.split("&"))


def _without(text: str, found: Iterable[str]) -> str:
    for each in found:
        for written in {each, msgspec.json.encode(each).decode()[1:-1]}:  # it may stand there as JSON has it
            text = _cut_without(text.replace(written, MASK), written)
    return text


def _cut_without(text: str, secret: str) -> str:
    """Return words that were cut, it may be amid a secret, without what is left of that."""
    kept = text.removesuffix(_CUT)
    longest = min(len(kept), len(secret)) if kept != text else 0
    left = next((size for size in range(longest, SHORTEST_FOUND - 1, -1) if kept.endswith(secret[:size])), 0)
    return f"{kept[:-left]}{MASK}{_CUT}" if left else text


def _apply_to_keys(decoded: Json, found: set[str], depth: int = DEPTH_LIMIT) -> None:
    """Mask private keys in place, wherever they stand, and what is nested deeper than anybody looks."""
    members = decoded.items() if isinstance(decoded, dict) else enumerate(decoded) if isinstance(decoded, list) else ()
    for name, value in list(members):
        if isinstance(value, str) and _PRIVATE_KEY in value:
            decoded[name] = MASK
            found.update(value.splitlines())
        elif depth == 0 and isinstance(value, dict | list):
            decoded[name] = MASK
            found.add(MASK)
        else:
            _apply_to_keys(value, found, depth - 1)


def _mapped(payload: bytes, change: Callable[[str], str]) -> bytes:
    """Return JSON with each of its texts changed."""

    def mapped(value: Json, depth: int) -> Json:
        if isinstance(value, str):
            return change(value)
        if not isinstance(value, dict | list):
            return value
        if depth == 0:
            return MASK
        if isinstance(value, dict):
            return {name: mapped(each, depth - 1) for name, each in value.items()}
        return [mapped(each, depth - 1) for each in value]

    decoded = _decoded(payload)
    now = mapped(decoded, DEPTH_LIMIT)
    return payload if now == decoded else msgspec.json.encode(now)


def _decoded(payload: bytes) -> Json:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _plain(name: str) -> str:
    return _NO_WORD.sub("", name).lower()
