"""The shape that `unnest` takes: one array for each column."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows, at least one, into columns."""
    return [list(column) for column in zip(*rows, strict=True)]
