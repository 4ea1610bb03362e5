"""Views hold whole topics, tails begin at the end, waiters are woken from any copy."""

import asyncio
import uuid
from itertools import pairwise

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from chargebus_events.record import Received, Record
from chargebus_events.topics import Topic
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import utc_now
from chargebus_runtime.consumer import ConsumerSpec, tell_nobody
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.kafka import DeadClientError
from chargebus_runtime.readers import Readers
from chargebus_runtime.telemetry import Tracing
from chargebus_runtime.topics import TopicsReport, ensure_topics
from chargebus_runtime.view import Tail, View
from chargebus_runtime.waiters import Waiters
from chargebus_testkit.waiting import until


@pytest.fixture
async def topic(kafka_connection) -> Topic:
    topic = Topic(f"view{uuid.uuid4().hex[:8]}", "key", "test", (), 3, "compact")
    assert (await ensure_topics(kafka_connection, [topic], 1)).created == (topic.name,)
    return topic


@pytest.fixture
async def readers(kafka_connection):
    readers = Readers(kafka_connection, "test")
    await readers.start()
    yield readers
    await readers.stop()


async def test_members_of_a_group_have_the_same_partitions_of_topics_that_have_as_many(kafka_connection):
    group = f"group{uuid.uuid4().hex[:8]}"
    topics = [Topic(f"{group}.{name}", "key", "test", (), count) for name, count in (("a", 3), ("b", 2), ("c", 3))]
    await ensure_topics(kafka_connection, topics, 1)
    spec = ConsumerSpec(tuple(topic.name for topic in topics), nothing, tell_nobody)
    members = [Readers(kafka_connection, f"member-{number}") for number in range(2)]
    clients: list[AIOKafkaConsumer] = []

    async def join(client: AIOKafkaConsumer) -> None:
        clients.append(client)

    for member in members:
        await member.start()
        await member.group(join, group, spec, NoListener())
    try:
        await until(lambda: sum(len(each.assignment()) for each in clients if len(clients) == 2) == 8)
        for client in clients:
            a, c = ({tp.partition for tp in client.assignment() if tp.topic == topics[n].name} for n in (0, 2))
            assert a == c != set()
    finally:
        for member in members:
            await member.stop()


async def nothing(_batch: Batch) -> None:
    pass


class NoListener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        pass


async def end(task: asyncio.Task) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_existing_topics_are_kept_and_their_differences_told(kafka_connection, topic):
    wider = Topic(topic.name, "key", "test", (), 5, "compact")
    assert await ensure_topics(kafka_connection, [topic], 1) == TopicsReport((), ())
    report = await ensure_topics(kafka_connection, [wider], 1)
    assert report == TopicsReport((), (f"{topic.name} has 3 partitions, declared are 5",))


@pytest.mark.real_broker
async def test_with_three_replicas_two_have_to_have_what_is_acknowledged(kafka_connection, topic):
    report = await ensure_topics(kafka_connection, [topic], 3)
    assert report == TopicsReport((), (f"{topic.name} has min.insync.replicas=1, declared is 2",))


async def test_a_view_is_ready_once_it_holds_what_stood_in_the_topic(topic, producer, readers):
    await producer.publish([Record(topic.name, f"k{i}", b"old") for i in range(20)])
    table: dict[str, bytes | None] = {}
    changed = asyncio.Event()

    def apply(record: Received) -> None:
        table[record.key] = record.value
        changed.set()

    view = View(topic.name, apply)
    task = await readers.view(view)
    await asyncio.wait_for(view.ready.wait(), 180)
    assert len(table) == 20
    changed.clear()
    await producer.publish([Record(topic.name, "k3", None)])
    await asyncio.wait_for(changed.wait(), 180)
    assert table["k3"] is None
    await end(task)


async def test_a_view_that_caught_up_holds_all_that_was_acknowledged_before(topic, producer, readers):
    table: set[str] = set()
    view = View(topic.name, lambda record: table.add(record.key), pace_s=0.3)
    task = await readers.view(view)
    await asyncio.wait_for(view.ready.wait(), 180)
    for number in range(5):
        await producer.publish([Record(topic.name, f"k{number}", b"new")])
        assert await view.catch_up()
        assert f"k{number}" in table
    await end(task)


async def test_a_view_with_a_pace_takes_what_comes_in_larger_pieces(topic, producer, readers):
    applied: list[float] = []
    view = View(topic.name, lambda _record: applied.append(asyncio.get_running_loop().time()), pace_s=0.5)
    task = await readers.view(view)
    await asyncio.wait_for(view.ready.wait(), 180)
    async with asyncio.timeout(180):
        while len(applied) < 200:
            await producer.publish([Record(topic.name, f"k{number}", b"new") for number in range(5)])
            await asyncio.sleep(0.01)
    pauses = sum(later - earlier >= 0.5 for earlier, later in pairwise(applied))
    assert 1 <= pauses <= len(applied) // 10
    await end(task)


async def test_a_view_whose_client_lost_a_task_ends_even_while_kafka_answers_with_errors(kafka_connection):
    class Dying(AIOKafkaConsumer):
        async def getmany(self, *_partitions, **_options):
            self._fetcher._fetch_task.cancel()
            raise KafkaError

    client = Dying(**kafka_connection.client_options())
    await client.start()
    try:
        with pytest.raises(DeadClientError):
            await asyncio.wait_for(View("any", lambda record: None)._take(client), 180)
    finally:
        await client.stop()


async def test_a_view_passes_over_what_it_cannot_read_and_says_so(topic, producer, readers):
    table: dict[str, int] = {}
    closed: list[str] = []

    def apply(record: Received) -> None:
        table[record.key] = int(record.value or b"0")

    records = [("a", b"1"), ("b", b"of a later version"), ("c", b"3"), ("c", b"?"), ("d", b"4")]
    await producer.publish([Record(topic.name, key, value, partition=0) for key, value in records])
    view = View(topic.name, apply, unreadable=lambda record: closed.append(record.key))
    task = await readers.view(view)
    await asyncio.wait_for(view.ready.wait(), 180)
    assert (table, closed) == ({"a": 1, "c": 3, "d": 4}, ["b", "c"])
    assert view.trouble() == (
        f"{topic.name}: 2 keys have a record that cannot be read, such as 'b' (ValueError at [0]@1)"
    )
    await producer.publish([Record(topic.name, key, b"5", partition=0) for key in ("b", "c")])
    async with asyncio.timeout(180):
        while view.trouble() is not None:
            await asyncio.sleep(0.01)
    assert not task.done()
    await end(task)


async def test_a_tail_goes_on_after_records_that_its_reader_fails_at(topic, producer, readers):
    seen: list[bytes | None] = []
    arrived = asyncio.Event()

    def apply(records: list[Received]) -> None:
        if records[0].value == b"bad":
            raise ValueError("not now")
        seen.extend(record.value for record in records)
        arrived.set()

    tail = Tail(topic.name, 1, apply)
    task = await readers.tail(tail)
    await asyncio.wait_for(tail.ready.wait(), 180)
    for value in (b"bad", b"good"):
        await producer.publish([Record(topic.name, "s", value, partition=1)])
        await asyncio.sleep(0.2)
    await asyncio.wait_for(arrived.wait(), 180)
    assert seen == [b"good"]
    await end(task)


async def test_an_empty_view_is_ready_too(topic, readers):
    view = View(topic.name, lambda _record: None)
    task = await readers.view(view)
    await asyncio.wait_for(view.ready.wait(), 180)
    await end(task)


async def test_a_tail_sees_only_what_comes_after_it_is_ready(topic, producer, readers):
    await producer.publish([Record(topic.name, "s", b"before", partition=1)])
    seen: list[Received] = []
    arrived = asyncio.Event()

    def apply(records: list[Received]) -> None:
        seen.extend(records)
        arrived.set()

    tail = Tail(topic.name, 1, apply)
    task = await readers.tail(tail)
    await asyncio.wait_for(tail.ready.wait(), 180)
    await producer.publish([Record(topic.name, "s", b"elsewhere", partition=2)])
    await producer.publish([Record(topic.name, "s", b"after", partition=1)])
    await asyncio.wait_for(arrived.wait(), 180)
    assert [record.value for record in seen] == [b"after"]
    await end(task)


async def test_a_waiter_is_woken_by_the_commit_and_not_before(make_database, postgres, producer, tmp_path):
    url = await make_database("waiters")
    name = url.split("?")[0].rsplit("/", 1)[1]
    database = Database(DatabaseOptions(name, postgres.url, tmp_path), producer, utc_now, Tracing(enabled=False))
    await database.start()
    waiters = Waiters(database, "outcomes")
    other = await asyncpg.connect(url)
    async with waiters.waiting("c1") as first, waiters.waiting("c2") as second:
        task = asyncio.create_task(waiters.run())
        assert await first.wait(60)  # woken once as listening began: something may have been missed
        async with waiters.waiting("c1") as third:
            transaction = other.transaction()
            await transaction.start()
            await waiters.notify(other, "c1")
            assert not await third.wait(0.2)
            await transaction.commit()
            assert await third.wait(60)
        assert await second.wait(60)
    await end(task)
    await other.close()
    await database.stop()
