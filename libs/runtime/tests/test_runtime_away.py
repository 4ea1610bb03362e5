"""What is waited for, and what is our own fault."""

import asyncio

import asyncpg
import pytest
from chargebus_runtime.away import CONFLICT, MAYBE_AWAY, is_away
from chargebus_runtime.retry import until_done

TORN = "cannot perform operation: connection is closed"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.IdleInTransactionSessionTimeoutError("terminating connection"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.InterfaceError(TORN),
        asyncpg.InterfaceError("cannot call Connection.fetch(): connection has been released back to the pool"),
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    ],
)
def test_a_database_that_is_away_is_told(error):
    assert is_away(error)
    assert isinstance(error, MAYBE_AWAY)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("tariffs.json"),
        TimeoutError("our own patience"),
        ValueError("no such connector"),
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 3 were passed"),
        asyncpg.InterfaceError("the number of query arguments cannot exceed 32767"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        asyncpg.DataError(f"invalid input for query argument $1: {TORN!r}"),
        asyncpg.InternalClientError("no encoder for OID 600"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.InsufficientPrivilegeError("permission denied for table session"),
        asyncpg.UndefinedColumnError('column "energy_wh" does not exist'),
    ],
)
def test_an_error_of_our_code_is_not_away(error):
    assert not is_away(error)


def test_two_that_are_in_each_others_way_are_not_away():
    assert not any(is_away(kind("try again")) for kind in CONFLICT)


@pytest.mark.parametrize("url", ["postgresql://nobody@/db?host=/nowhere", "postgresql://nobody@127.0.0.1:9/db"])
async def test_a_server_that_cannot_be_reached_is_away_whatever_the_system_calls_it(url):
    with pytest.raises(OSError) as raised:  # noqa: PT011 - which one is the question
        await asyncpg.connect(url)
    assert is_away(raised.value)


async def test_a_server_that_does_not_answer_in_time_is_away_and_a_handler_that_gives_up_is_not(postgres):
    connection = await asyncpg.connect(postgres.url)
    try:
        with pytest.raises(TimeoutError) as raised:
            await connection.execute("SELECT pg_sleep(5)", timeout=0.05)
        assert is_away(raised.value)
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.05):
                await connection.execute("SELECT pg_sleep(5)")
        assert not is_away(raised.value)
    finally:
        await connection.close()


async def test_wrong_arguments_as_the_driver_tells_them_are_not_away(postgres):
    connection = await asyncpg.connect(postgres.url)
    try:
        for arguments in ((), ("a", "b"), ("not a number",)):
            with pytest.raises((asyncpg.InterfaceError, asyncpg.DataError)) as raised:
                await connection.fetch("SELECT $1::int", *arguments)
            assert not is_away(raised.value)
    finally:
        await connection.close()


async def test_until_done_waits_for_what_passes_and_raises_the_rest():
    errors = [ConnectionResetError("away"), KeyError("of a class"), FileNotFoundError("our own")]

    async def act() -> None:
        raise errors.pop(0)

    with pytest.raises(FileNotFoundError):
        await until_done("acting", act, is_away, KeyError)
    assert errors == []
