"""Owns new identities: session ids that sort by time, and the integers that OCPP 1.6 wants for transactions."""

import os
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Final

_RANDOM_BITS: Final = 74
_VARIANT_SHIFT: Final = 62


def session_id(now: datetime) -> str:
    """Return a new UUID of version 7: its first 48 bits are the time in milliseconds.

    Spec: RFC 9562 5.7
    """
    random = int.from_bytes(os.urandom(10)) >> (80 - _RANDOM_BITS)
    high, low = random >> _VARIANT_SHIFT, random & ((1 << _VARIANT_SHIFT) - 1)
    number = int(now.timestamp() * 1000) << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class TransactionIds:
    """The ids that this copy may hand out; those of a batch that was rolled back are never used."""

    def __init__(self) -> None:
        self._free: deque[int] = deque()

    @property
    def left(self) -> int:
        """How many can be taken."""
        return len(self._free)

    def add(self, ids: Iterable[int]) -> None:
        """Take ids from the database's sequence into stock."""
        self._free.extend(ids)

    def take(self) -> str:
        """Return one that nobody has.

        Raises:
            IndexError: none is left; the batch did not see to it.
        """
        return str(self._free.popleft())
