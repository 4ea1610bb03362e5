"""All that we take from inside asyncpg: how it tells a list from a value, made cheap.

Where these names are gone in another release of it, nothing is lost but speed; `test_runtime_asyncpg_private.py` tells.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sized
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

_ABSTRACT: Final[Mapping[str, tuple[type, type | tuple[type, ...]]]] = {
    "IterableABC": (Iterable, CONTAINERS),
    "SizedABC": (Sized, CONTAINERS),
    "MappingABC": (Mapping, dict),
}


def look_at_elements_cheaply() -> None:
    """Let this process's connections take only `CONTAINERS` for arrays.

    asyncpg looks at each array and each of its elements, whether it is one itself, and asks the abstract base classes:
    for a set of rows with forty columns that took longer than to encode it.
    """
    for name, (abstract, concrete) in _ABSTRACT.items():
        if getattr(protocol, name, None) is abstract:
            setattr(protocol, name, concrete)
