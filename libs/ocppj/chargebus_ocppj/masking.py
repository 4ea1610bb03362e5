"""How a secret is put out of sight: in an address, in what repeats it, in what nobody looks into."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import msgspec

from chargebus_ocppj.schemas import DEPTH_LIMIT

MASK: Final = "***"
SHORTEST_FOUND: Final = 4
"""A secret of fewer characters is not looked for in other texts: they would lose too much."""

PRIVATE_KEY: Final = "PRIVATE KEY-----"

_USER: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?(?P<user>.*)@(?P<rest>.*)", re.DOTALL)
_LINK: Final = re.compile(r"(?<=/)[A-Za-z0-9_-]{40,}(?=/|$)")
"""A part of a path that nobody can guess: whoever knows it is let in, as by our own links to files."""
_CUT: Final = "…"

Json: TypeAlias = Any
"""What JSON may be: a payload that breaks its schema, too."""


def masked_address(address: str) -> str:
    """Return a URL without user, password, query, and what of its path nobody can guess."""
    match = _USER.fullmatch(address)  # up to the last @: a password may hold one, and a slash
    if match is not None:
        address = f"{match['scheme'] or ''}{MASK}@{match['rest']}"
    head, mark, query = address.partition("?")
    head = _LINK.sub(MASK, head)
    return f"{head}?{MASK}" if mark and query else f"{head}{mark}"


def texts_of(value: Json, shown: Json) -> Iterable[str]:
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
    head, _, query = text.partition("?")
    yield from _LINK.findall(head)
    yield query
    yield from (each.partition("=")[2] for each in query.split("&"))


def without(text: str, found: Iterable[str]) -> str:
    """Return words without the secrets that were found, the longest first."""
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


def mask_private_keys(decoded: Json, found: set[str], depth: int = DEPTH_LIMIT) -> None:
    """Mask private keys in place, wherever they stand, and what is nested deeper than anybody looks."""
    members = decoded.items() if isinstance(decoded, dict) else enumerate(decoded) if isinstance(decoded, list) else ()
    for name, value in list(members):
        if isinstance(value, str) and PRIVATE_KEY in value:
            decoded[name] = MASK
            found.update(value.splitlines())
        elif depth == 0 and isinstance(value, dict | list):
            decoded[name] = MASK
            found.add(MASK)
        else:
            mask_private_keys(value, found, depth - 1)


def mapped(payload: bytes, change: Callable[[str], str]) -> bytes:
    """Return JSON with each of its texts changed; what is nested deeper than anybody looks is masked."""
    decoded = decoded_or_none(payload)
    now = _each(decoded, change, DEPTH_LIMIT)
    return payload if now == decoded else msgspec.json.encode(now)


def _each(value: Json, change: Callable[[str], str], depth: int) -> Json:
    if isinstance(value, str):
        return change(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, dict):
        return {name: _each(each, change, depth - 1) for name, each in value.items()}
    return [_each(each, change, depth - 1) for each in value]


def decoded_or_none(payload: bytes) -> Json:
    """Return what JSON says; None for what is none."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
