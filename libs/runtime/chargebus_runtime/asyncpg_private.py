"""All that we take from inside asyncpg: how it tells a list from a value, made cheap.

Its releases are pinned. Where these names are gone in another one, nothing is lost but speed;
`test_runtime_asyncpg_private.py` tells.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import wraps
from typing import Any, Final

import asyncpg
from asyncpg.protocol import protocol

__all__ = ["ARRAYS", "CONTAINERS", "look_at_elements_cheaply"]

ARRAYS: Final[tuple[type, ...]] = (list, tuple)
"""What asyncpg is left to take for an array: each element of each array is compared with each of these."""

CONTAINERS: Final[frozenset[type]] = frozenset(
    {set, frozenset, type({}.keys()), type({}.values()), range, deque},
)
"""What else may be the value of an array; it is made a list before asyncpg sees it."""

_ABSTRACT: Final[Mapping[str, tuple[type, type | tuple[type, ...]]]] = {
    "IterableABC": (Iterable, ARRAYS),
    "SizedABC": (Sized, ARRAYS),
    "MappingABC": (Mapping, dict),
}
_EXECUTE: Final = "_execute"


def look_at_elements_cheaply() -> None:
    """Let this process's connections take only `ARRAYS` and, as an argument of a statement, `CONTAINERS` for arrays.

    asyncpg looks at each array and each of its elements, whether it is one itself, and asks the abstract base classes:
    for a set of rows with forty columns that took longer than to encode it.
    """
    for name, (abstract, concrete) in _ABSTRACT.items():
        if getattr(protocol, name, None) is abstract:
            setattr(protocol, name, concrete)
    execute = getattr(asyncpg.Connection, _EXECUTE, None)
    if execute is not None and not hasattr(execute, "__wrapped__"):
        setattr(asyncpg.Connection, _EXECUTE, _with_lists(execute))


def _with_lists(execute: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(execute)
    def given_lists(
        connection: asyncpg.Connection, query: str, args: Sequence[object], *more: object, **options: object
    ) -> object:
        lists = tuple([list(each) if type(each) in CONTAINERS else each for each in args])  # type: ignore[call-overload]
        return execute(connection, query, lists, *more, **options)

    return given_lists
