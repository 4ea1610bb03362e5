"""Whether a view has read all that stands in its topic, without a Kafka."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from chargebus_runtime import view as module
from chargebus_runtime.view import ASK_EVERY_S, View

PLACE = TopicPartition("access.keys", 0)


class PlayedClient:
    """Where the topic ends, and how far it was read; it counts the questions."""

    def __init__(self):
        self.end = 5
        self.read = 5
        self.questions = 0
        self.error = None

    def assignment(self):
        return {PLACE}

    async def end_offsets(self, places):
        self.questions += 1
        if self.error is not None:
            raise self.error
        return dict.fromkeys(places, self.end)

    async def position(self, _place):
        return self.read


@pytest.fixture
def client():
    return PlayedClient()


@pytest.fixture
def view(client):
    return View("access.keys", lambda _record: None, _client=client)


async def test_a_view_that_nobody_reads_has_nothing_to_catch_up_with():
    assert await View("access.keys", lambda _record: None).catch_up()


async def test_a_view_that_has_read_all_says_so(view):
    assert await view.catch_up()


async def test_what_stood_there_when_it_was_asked_is_waited_for(view, client):
    client.end = 7
    asking = asyncio.create_task(view.catch_up())
    while not client.questions:
        await asyncio.sleep(0)
    client.end, client.read = 9, 6
    await asyncio.sleep(0.05)
    assert not asking.done()
    client.read = 7
    assert await asking


async def test_any_number_of_questions_costs_kafka_few(view, client):
    began = asyncio.get_running_loop().time()
    for _ in range(3):
        assert all(await asyncio.gather(*(view.catch_up() for _ in range(500))))
    assert client.questions == 3
    assert asyncio.get_running_loop().time() - began >= 2 * ASK_EVERY_S


async def test_who_comes_after_kafka_was_asked_is_not_answered_with_that(view, client):
    client.end = 6
    first = asyncio.create_task(view.catch_up())
    while not client.questions:
        await asyncio.sleep(0)
    client.end = 8
    second = asyncio.create_task(view.catch_up())
    client.read = 6
    assert await first
    assert not second.done()
    client.read = 8
    assert await second


async def test_one_who_leaves_takes_the_answer_from_nobody(view, client):
    client.end = 6
    leaving, staying = asyncio.create_task(view.catch_up()), asyncio.create_task(view.catch_up())
    await asyncio.sleep(0)
    leaving.cancel()
    client.read = 6
    assert await staying


async def test_where_kafka_does_not_tell_nothing_is_known(view, client):
    client.error = KafkaConnectionError()
    assert not await view.catch_up()


async def test_what_is_not_read_in_time_is_not_known(view, client, monkeypatch):
    monkeypatch.setattr(module, "_CATCH_UP_WITHIN_S", 0.05)
    client.end = 6
    assert not await view.catch_up()


async def test_too_many_at_once_learn_nothing(view, client, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    client.end = 6
    waiting = [asyncio.create_task(view.catch_up()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not await view.catch_up()
    client.read = 6
    assert all(await asyncio.gather(*waiting))
