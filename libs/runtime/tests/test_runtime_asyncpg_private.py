"""What we take from inside asyncpg is there in the release that is installed, and does what it is there for."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime

import asyncpg
import pytest
from asyncpg.protocol import protocol
from chargebus_runtime import database
from chargebus_runtime.asyncpg_private import ARRAYS, CONTAINERS


@pytest.fixture
async def connection(postgres):
    connection = await asyncpg.connect(postgres.url)
    yield connection
    await connection.close()


def test_the_names_that_are_replaced_are_there():
    assert database.look_at_elements_cheaply
    assert protocol.IterableABC is protocol.SizedABC is ARRAYS
    assert protocol.MappingABC is dict
    assert asyncpg.Connection._execute.__wrapped__
    assert all(issubclass(container, Iterable) for container in (*ARRAYS, *CONTAINERS))


def test_elements_are_compared_with_few_types_only():
    assert set(ARRAYS) == {list, tuple}


@pytest.mark.parametrize(
    "values",
    [
        ["a", "{}", "", None],
        ("a", "b"),
        {"a"},
        frozenset({"a"}),
        {"a": 1, "b": 2}.keys(),
        {1: "a"}.values(),
        deque(["a"]),
    ],
)
async def test_whatever_holds_values_may_be_an_array(connection, values):
    assert await connection.fetchval("SELECT $1::text[]", values) == list(values)


async def test_numbers_of_a_range_may_be_an_array(connection):
    assert await connection.fetchval("SELECT $1::int[]", range(3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "value"), [("text", "a"), ("bytea", b"a"), ("int", 7), ("timestamptz", datetime(2024, 5, 1, tzinfo=UTC))]
)
async def test_what_is_no_container_is_an_element(connection, kind, value):
    assert await connection.fetchval(f"SELECT ($1::{kind}[])[2]", [None, value]) == value
    with pytest.raises(asyncpg.DataError, match="a sized iterable container expected"):
        await connection.fetchval(f"SELECT $1::{kind}[]", value)


async def test_lists_within_lists_are_arrays_of_more_dimensions(connection):
    assert await connection.fetchval("SELECT $1::int[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
    assert await connection.fetchval("SELECT $1::int[]", []) == []
