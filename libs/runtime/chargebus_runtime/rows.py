"""A table's columns out of its one declaration: for writing sets of rows, and for reading them back.

A column stands once, in the table's SQLModel class. What it is called in SQL, which array carries its values, how a
list or a structure becomes one value, and where a row's value comes from (the attribute of the same name) follows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlmodel import SQLModel

T = TypeVar("T", bound=SQLModel)

_PARAMETER_TYPES: Final[Mapping[type[Any], str]] = {
    sa.BigInteger: "bigint",
    sa.Boolean: "bool",
    sa.DateTime: "timestamptz",
    sa.Float: "float8",
    sa.Integer: "int",
    sa.LargeBinary: "bytea",
    sa.SmallInteger: "smallint",
    sa.String: "text",
    sa.Uuid: "uuid",
}

_encode_json = msgspec.json.Encoder().encode


class ColumnTypeError(TypeError):
    """A column has a type that rows cannot carry; the message names it."""


class Rows(Generic[T]):
    """The rows of one table, or some columns of them.

    SQL that is made here takes one array for each column, in the order of `names`; `first` is the first one's number.

    Args:
        table: the SQLModel class that declares the columns.
        only: the columns that are meant; all of them if empty.
        without: columns that are not.
        sources: attributes of a value in which its columns are looked up first, each with its type, for a value that is
            put together of several; a column that none of them has is an attribute of the value itself.
        encode: how a value's attribute becomes the column, for columns that hold something in a form of its own.
        in_given_order: rows are written in the order in which they come, and not in that of the primary key, which
            keeps two writers of the same rows from a deadlock.
    """

    def __init__(  # noqa: PLR0913 - one declaration, each part by its name
        self,
        table: type[T],
        *,
        only: Collection[str] = (),
        without: Collection[str] = (),
        sources: Mapping[str, type[Any]] | None = None,
        encode: Mapping[str, Callable[[Any], Any]] | None = None,
        in_given_order: bool = False,
    ) -> None:
        columns: Sequence[sa.Column[Any]] = list(table.__table__.columns)  # type: ignore[attr-defined]
        self._class = table
        meant = [column for column in columns if not only or column.name in only]
        self._columns = [column for column in meant if column.name not in without]
        self._key = [column.name for column in columns if column.primary_key]
        self._order = "" if in_given_order else f" ORDER BY {', '.join(self._key)}"
        self._conversions = [
            (number, convert)
            for number, column in enumerate(self._columns)
            if (convert := (encode or {}).get(column.name) or _conversion(column))
        ]
        self._decoders = {column.name: _decoder(table, column.name) for column in self._columns if _is_json(column)}
        self._paths = [_path(column.name, sources or {}) for column in self._columns]
        self.table = str(table.__tablename__)
        self.names = tuple(column.name for column in self._columns)

    def select(self, alias: str = "") -> str:
        """Return the columns, for a SELECT whose rows are given to `read`."""
        return ", ".join(f"{alias}.{name}" if alias else name for name in self.names)

    def given(self, first: int = 1) -> str:
        """Return the parameters as a table expression `n` with the columns' names, for a FROM."""
        arrays = ", ".join(f"${first + number}::{_array(column)}" for number, column in enumerate(self._columns))
        return f"unnest({arrays}) AS n ({', '.join(self.names)})"

    def insert(self, first: int = 1) -> str:
        """Return the INSERT of a set of rows."""
        names, values = ", ".join(self.names), ", ".join(map(_value, self._columns))
        return f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {self.given(first)}{self._order}"  # noqa: S608

    def insert_new(self, first: int = 1) -> str:
        """Return the INSERT that leaves alone what is there; add RETURNING to learn what was new."""
        return f"{self.insert(first)} ON CONFLICT ({', '.join(self._key)}) DO NOTHING"

    def upsert(self, *, keep: Collection[str] = (), first: int = 1) -> str:
        """Return the INSERT that replaces what is there, but for the columns to `keep`."""
        changes = ", ".join(f"{name} = excluded.{name}" for name in self._replaced(keep))
        return f"{self.insert(first)} ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {changes}"

    def update(self, first: int = 1) -> str:
        """Return the UPDATE of rows that are there, each found by its primary key; add conditions with AND."""
        values = {column.name: _value(column, "n.") for column in self._columns}
        changes = ", ".join(f"{name} = {values[name]}" for name in self._replaced())
        same = " AND ".join(f"t.{name} = n.{name}" for name in self._key)
        return f"UPDATE {self.table} AS t SET {changes} FROM {self.given(first)} WHERE {same}"  # noqa: S608

    def tuples(self, values: Iterable[object]) -> list[tuple[Any, ...]]:
        """Return values as tuples in the order of `names`, for a COPY."""
        if len(self._paths) == 1:
            get = attrgetter(self._paths[0])
            return [(get(value),) for value in values]
        return list(map(attrgetter(*self._paths), values))

    def arguments(self, values: Iterable[object]) -> list[list[Any]]:
        """Return the parameters for values: a list for each column."""
        arrays = [list(column) for column in zip(*self.tuples(values), strict=True)] or [[] for _ in self._paths]
        for number, convert in self._conversions:
            arrays[number] = [None if value is None else convert(value) for value in arrays[number]]
        return arrays

    def read(self, row: asyncpg.Record) -> T:
        """Return a row of `select` as its class; a column that is not meant is None there."""
        values = {name: row[name] for name in self.names}
        for name, decode in self._decoders.items():
            if values[name] is not None:
                values[name] = decode(values[name])
        return self._class(**values)

    def _replaced(self, keep: Collection[str] = ()) -> list[str]:
        return [name for name in self.names if name not in keep and name not in self._key]


def _path(name: str, sources: Mapping[str, type[Any]]) -> str:
    for attribute, kind in sources.items():
        if name in _attributes(kind):
            return f"{attribute}.{name}"
    return name


def _attributes(kind: type[Any]) -> Collection[str]:
    return {name for each in kind.__mro__ for name in getattr(each, "__annotations__", {})}


def _array(column: "sa.Column[Any]") -> str:
    if _is_json(column) or isinstance(column.type, ARRAY):
        return "text[]"
    plain = column.type.impl_instance if isinstance(column.type, sa.TypeDecorator) else column.type
    for kind, name in _PARAMETER_TYPES.items():
        if isinstance(plain, kind):
            return f"{name}[]"
    raise ColumnTypeError(f"{column.table.name}.{column.name} is a {column.type!r}")


def _value(column: "sa.Column[Any]", prefix: str = "") -> str:
    """Return how a parameter becomes the column: `unnest` takes arrays apart to the last level, so these go as text."""
    if isinstance(column.type, ARRAY):
        return f"{prefix}{column.name}::{_array(sa.Column(column.name, column.type.item_type))}"
    return f"{prefix}{column.name}::json" if _is_json(column) else f"{prefix}{column.name}"


def _is_json(column: "sa.Column[Any]") -> bool:
    return isinstance(column.type, (JSON, sa.JSON))


def _conversion(column: "sa.Column[Any]") -> Callable[[Any], Any] | None:
    if isinstance(column.type, ARRAY):
        return _array_literal
    return _json_text if _is_json(column) else None


def _array_literal(values: Collection[object]) -> str:
    """Return an array as PostgreSQL writes it; most are empty."""
    return "{" + ",".join(map(_quoted, values)) + "}" if values else "{}"


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json_text(value: object) -> str:
    return _encode_json(value).decode()


def _decoder(table: type[SQLModel], name: str) -> Callable[[str], Any]:
    return msgspec.json.Decoder(table.model_fields[name].annotation).decode
