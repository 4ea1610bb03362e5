"""Which bytes a request asks for.

Spec: RFC 9110 14
"""

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Bytes:
    """The bytes from `start` up to, and without, `end`."""

    start: int
    end: int


class UnsatisfiableError(ValueError):
    """There are no such bytes."""


def wanted_bytes(range_header: str | None, size: int) -> Bytes | None:
    """Return the bytes that a Range header asks for; None: all, as for what is no range, or several.

    Raises:
        UnsatisfiableError: they begin past the end.

    Spec: RFC 9110 14.2 (a server may ignore a Range header)
    """
    found = _RANGE.fullmatch(range_header.replace(" ", "")) if range_header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if not int(last) or not size:
            raise UnsatisfiableError(range_header)
        return Bytes(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise UnsatisfiableError(range_header)
    return Bytes(int(first), min(int(last) + 1, size) if last else size)
