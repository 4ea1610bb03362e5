"""One owner starts each server once, whoever asks and however many do; it ends them with itself."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from chargebus_testkit.session_servers import POSTGRES, ServerError, SessionServers, ask


@pytest.fixture
def owner():
    owner = SessionServers({"KAFKA": "no such thing"})
    owner.open()
    yield owner
    owner.close()


@pytest.mark.server
def test_whoever_asks_is_given_the_same_server_and_it_ends_with_its_owner():
    owner = SessionServers({})
    owner.open()
    with ThreadPoolExecutor() as workers:
        first, second = workers.map(lambda _: ask(owner.socket, POSTGRES), range(2))
    assert first.url == second.url
    assert asyncio.run(answers(first.url))

    owner.close()

    with pytest.raises(OSError, match=r".+"):
        asyncio.run(answers(first.url))
    assert not owner.socket.parent.exists()


async def answers(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SHOW fsync") == "off"
    finally:
        await connection.close()


def test_a_server_that_does_not_start_says_why_to_everyone(owner):
    for _ in range(2):
        with pytest.raises(ServerError, match="KAFKA=no such thing is not known"):
            ask(owner.socket, "kafka")
