"""Lists, page by page: a page names where the next one begins, by a cursor that only its own list reads."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel

from chargebus_runtime.http.problems import FieldError, Problem

T = TypeVar("T")
K = TypeVar("K")
R = TypeVar("R")


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following page, absent on the last."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True)
class PageQuery:
    """The paging parameters of a list; a dependency: `Annotated[PageQuery, Depends()]`."""

    limit: Annotated[int, Query(ge=1, le=500, description="how many items at most")] = 50
    cursor: Annotated[str | None, Query(description="the `next` of the page before, as it stands")] = None


class Listing(Generic[K]):
    """A list in the order of a key: its cursor carries the key of the last item of a page.

    Args:
        name: tells its cursors from those of other lists.
        key: the type of the key: text, a whole number, a UUID.
    """

    def __init__(self, name: str, key: type[K]) -> None:
        self._name = name
        self._decoder = msgspec.json.Decoder(tuple[str, key])  # type: ignore[valid-type]

    def after(self, paging: PageQuery) -> K | None:
        """Return the key after which the page begins; None: at the beginning.

        Raises:
            Problem: 422: the cursor is not one that this list gave.
        """
        if paging.cursor is None:
            return None
        try:
            padded = paging.cursor + "=" * (-len(paging.cursor) % 4)
            name, key = self._decoder.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError):  # msgspec's errors and UnicodeError are ValueErrors
            raise _unreadable() from None
        if name != self._name or self._cursor(key) != paging.cursor or not _storable(key):
            raise _unreadable()
        return key

    def page(self, rows: Sequence[R], limit: int, key: Callable[[R], K]) -> Page[R]:
        """Cut `limit` + 1 fetched rows to a page."""
        more = len(rows) > limit
        items = list(rows[:limit])
        return Page(items=items, next=self._cursor(key(items[-1])) if more else None)

    def _cursor(self, key: K) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode((self._name, key))).decode().rstrip("=")


def _storable(key: object) -> bool:
    """Tell whether a database could hold it: a forged cursor may carry anything of the key's type."""
    if isinstance(key, int):
        return -(2**63) <= key < 2**63
    return not isinstance(key, str) or "\0" not in key


def _unreadable() -> Problem:
    error = FieldError(
        "query.cursor", "is not one that this list gave: take the `next` of the page before as it stands"
    )
    return Problem(422, "invalid request", errors=[error])
