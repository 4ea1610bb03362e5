"""Questions to stations that take no more than so many, or so long ones, at once: asked in pieces, answered as one."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

_AROUND: Final = 150
"""Bytes of a message beside what is asked in it: its frame, and the name of the list."""


class MessageLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many questions a station takes at once, and in how many bytes; None: it did not say."""

    items: int | None = None
    size_bytes: int | None = None


def pieces(asked: Sequence[Any], most: MessageLimit) -> list[list[Any]]:
    """Return what is asked in pieces that a station takes; one question by itself is never split."""
    found: list[list[Any]] = []
    size = 0
    for each in asked:
        length = len(msgspec.json.encode(each)) + 1
        full = most.items is not None and found and len(found[-1]) >= most.items
        too_long = most.size_bytes is not None and _AROUND + size + length > most.size_bytes
        if not found or full or too_long:
            found.append([])
            size = 0
        found[-1].append(each)
        size += length
    return found


def limit_of(items: int | None, size_bytes: int | None) -> MessageLimit:
    """Return the limit that a station says; what cannot be is as good as not said."""
    return MessageLimit(*(each if each is not None and each > 0 else None for each in (items, size_bytes)))


def halved(most: MessageLimit, asked: int) -> MessageLimit:
    """Return the limit of a station that has refused so many questions at once."""
    return msgspec.structs.replace(most, items=max(1, asked // 2))


def entries_of(members: object) -> tuple[dict[str, Any], ...]:
    """Return the entries of a list in an answer, those that are any."""
    return tuple(_dicts(members if isinstance(members, list) else ()))


def _dicts(members: Iterable[object]) -> Iterable[dict[str, Any]]:
    return (each for each in members if isinstance(each, dict))
