"""All that we take from inside asyncpg: how it tells a list from a value, made cheap.

Where these names are gone in another release of it, nothing is lost but speed; `test_runtime_asyncpg_private.py` tells.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from asyncpg.protocol import protocol

__all__ = ["CONTAINERS", "look_at_elements_cheaply"]

CONTAINERS: Final[tuple[type, ...]] = (
    list,
    tuple,
    set,
    frozenset,
    type({}.keys()),
    type({}.values()),
    range,
    deque,
)
"""What may be the value of an array; asyncpg takes any sized iterable."""

_NAME: Final = "IterableABC"


def look_at_elements_cheaply() -> None:
    """Let this process's connections take only `CONTAINERS` for arrays.

    asyncpg looks at each element of each array, whether it is an array itself, and asks the abstract base classes: for
    a set of rows with forty columns that took longer than to encode it.
    """
    if getattr(protocol, _NAME, None) is Iterable:
        setattr(protocol, _NAME, CONTAINERS)
