"""A column is declared once: what is written through `Rows` is what is read back, by the declaration alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from chargebus_runtime.rows import ColumnTypeError, Rows
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

TEXTS: Any = ARRAY(sa.String)
TIME: Any = sa.DateTime(timezone=True)
AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
ID = UUID(int=7)


class Tables(SQLModel, registry=registry()):
    pass


class Thing(Tables, table=True):
    __tablename__ = "thing"

    thing_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=sa.BigInteger)
    name: str = Field(sa_type=sa.String(collation="C"))
    weight: float | None
    active: bool
    words: list[str] = Field(sa_type=TEXTS)
    numbers: list[int] = Field(sa_type=ARRAY(sa.BigInteger))
    pairs: list[tuple[int, int]] = Field(sa_type=JSON)
    extra: dict[str, str] | None = Field(sa_type=JSONB)
    raw: bytes
    at: datetime | None = Field(sa_type=TIME)


def thing(**members):
    values = {
        "thing_id": ID,
        "number": 1,
        "name": "a",
        "weight": 1.5,
        "active": True,
        "words": [],
        "numbers": [],
        "pairs": [],
        "extra": None,
        "raw": b"",
        "at": None,
    }
    return SimpleNamespace(**(values | members))


CREATE = """
CREATE TABLE thing (thing_id uuid, number bigint, name text, weight float8, active bool, words text[],
    numbers bigint[], pairs json, extra jsonb, raw bytea, at timestamptz, PRIMARY KEY (thing_id, number))
"""


@pytest.fixture
async def connection(make_database):
    connection = await asyncpg.connect(await make_database("rows"))
    await connection.execute(CREATE)
    yield connection
    await connection.close()


async def stored(connection):
    rows = Rows(Thing)
    found = await connection.fetch(f"SELECT {rows.select()} FROM thing ORDER BY number")
    return [rows.read(row).model_dump() for row in found]


async def test_every_kind_of_column_comes_back_as_it_was_written(connection):
    rows = Rows(Thing)
    words = ["plain", "", "NULL", "a,b", 'quo"te', "back\\slash", "{brace}", "line\nbreak", "é"]
    full = thing(words=words, numbers=[1, -2], pairs=[(1, 2), (3, 4)], extra={"a": "b"}, raw=b"\x00\xff", at=AT)
    bare = thing(number=2, weight=None)
    await connection.execute(rows.insert(), *rows.arguments([full, bare]))
    assert await stored(connection) == [vars(full), vars(bare)]


async def test_an_upsert_replaces_all_but_the_key_and_what_it_is_told_to_keep(connection):
    rows = Rows(Thing)
    await connection.execute(rows.insert(), *rows.arguments([thing(name="first", weight=1.0)]))
    await connection.execute(rows.upsert(keep=["name"]), *rows.arguments([thing(name="second", weight=2.0)]))
    [after] = await stored(connection)
    assert (after["name"], after["weight"]) == ("first", 2.0)


async def test_insert_new_leaves_alone_what_is_there_and_tells_what_was_new(connection):
    rows = Rows(Thing)
    await connection.execute(rows.insert(), *rows.arguments([thing(name="first")]))
    both = rows.arguments([thing(name="second"), thing(number=2)])
    new = await connection.fetch(f"{rows.insert_new()} RETURNING number", *both)
    assert [row["number"] for row in new] == [2]
    assert [each["name"] for each in await stored(connection)] == ["first", "a"]


async def test_an_update_writes_only_the_columns_it_is_made_of_after_other_parameters(connection):
    rows = Rows(Thing)
    await connection.execute(rows.insert(), *rows.arguments([thing(), thing(number=2)]))
    some = Rows(Thing, only=("thing_id", "number", "words"))
    changed = some.arguments([thing(number=2, words=["x"], name="not written")])
    await connection.execute(f"{some.update(first=2)} AND t.active = $1", True, *changed)
    assert [(each["words"], each["name"]) for each in await stored(connection)] == [([], "a"), (["x"], "a")]


async def test_no_rows_are_no_arguments_and_write_nothing(connection):
    rows = Rows(Thing)
    await connection.execute(rows.insert(), *rows.arguments([]))
    assert await stored(connection) == []


def test_a_row_is_put_together_of_its_sources():
    @dataclass
    class Named:
        name: str

    rows = Rows(Thing, only=("number", "name"), sources={"inner": Named})
    value = SimpleNamespace(number=3, name="outer", inner=Named("inner"))
    assert rows.arguments([value]) == [[3], ["inner"]]


def test_one_column_is_a_list_of_one():
    assert Rows(Thing, only=("name",)).arguments([thing(name="x"), thing(name="y")]) == [["x", "y"]]


def test_a_type_that_no_parameter_can_carry_is_named_at_once():
    class Odd(Tables, table=True):
        __tablename__ = "odd"

        key: str = Field(primary_key=True)
        span: str = Field(sa_type=sa.Numeric)

    with pytest.raises(ColumnTypeError, match=r"odd\.span"):
        Rows(Odd).insert()
