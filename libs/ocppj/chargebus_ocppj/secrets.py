"""What is secret in a payload: a table of action and path, for all versions, and what is shown in its place.

A secret is sent to the station as it is; whatever keeps or shows a payload takes it `masked`.

| what | why |
|---|---|
| settings whose name says so: `AuthorizationKey`, `BasicAuthPassword`, a vendor's `WifiKey` | they let in |
| network profiles: the passwords of station, APN and VPN, the SIM's PIN | the same |
| addresses of files: user and password in front of the host, the query (signed links) | they open somebody's server |
| parts of their paths that nobody can guess (our own links to files) | they let in whoever knows them |
| private keys in PEM, wherever | never meant to travel |
| DataTransfers that an operator names | what they mean is the vendor's secret |
| of which customer a station is asked what it knows | that somebody asks is between the customer and us |

Other tokens, certificates and signing requests are not in it: they are identities, or public.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from chargebus_ocppj.masking import (
    MASK,
    PRIVATE_KEY,
    SHORTEST_FOUND,
    Json,
    decoded_or_none,
    mapped,
    mask_private_keys,
    masked_address,
    texts_of,
    without,
)

_TELLING: Final = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|credential|privatekey|authorizationkey|authkey|apikey|accesskey|sharedkey|vpnkey"
    r"|wifikey|wpakey|psk|(access|auth|api|bearer)token|(pin|puk)$"
)
_NO_WORD: Final = re.compile(r"[\W_]+")

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
        if action == "DataTransfer" and not self._is_secret_transfer(decoded_or_none(request)):
            rows = ()
        return self.purged(action, request, self._masked(rows, payload))

    def purged(self, action: str, request: bytes, payload: bytes) -> bytes:
        """Return JSON that came of a CALL without the secrets of that CALL."""
        found = self.in_call(action, request)
        return mapped(payload, lambda text: without(text, found)) if found else payload

    def purged_text(self, action: str, request: bytes, text: str, answer: bytes = b"") -> str:
        """Return words about a CALL, or its answer, without the secrets of either."""
        return without(text, (*self.in_call(action, request), *self._found(_RESULTS.get(action, ()), answer)))

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
        if not rows and PRIVATE_KEY.encode() not in payload:
            return None, found
        decoded = decoded_or_none(payload)
        for row in rows:
            row.apply(self, decoded, found)
        mask_private_keys(decoded, found)
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
        found.update(texts_of(value, shown))


_SETTINGS: Final = (Row("value", _by_key),)
_FIRMWARE: Final = (Row("location", _address), Row("firmware/location", _address))
_LOG: Final = (Row("location", _address), Row("log/remoteLocation", _address))

_CALLS: Final[Mapping[str, Sequence[Row]]] = {
    "ChangeConfiguration": _SETTINGS,
    "CustomerInformation": (
        Row("customerIdentifier", _always),
        Row("idToken/idToken", _always),
        Row("customerCertificate/serialNumber", _always),
    ),
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


def _plain(name: str) -> str:
    return _NO_WORD.sub("", name).lower()
