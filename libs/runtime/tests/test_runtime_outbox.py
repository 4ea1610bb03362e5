"""What a transaction sends goes out once and in order; what cannot be written to holds up only what goes there."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from chargebus_events.record import Record
from chargebus_events.topics import Topic
from chargebus_runtime import outbox as outbox_module
from chargebus_runtime import partition_sender
from chargebus_runtime.clock import utc_now
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.outbox import pack
from chargebus_runtime.producer import Sending
from chargebus_runtime.telemetry import Tracing
from chargebus_runtime.topics import ensure_topics
from chargebus_testkit.servers import execute
from chargebus_testkit.waiting import eventually, until

MIGRATIONS = Path(__file__).parent / "counter_migrations"


class Bed:
    """A database whose transactions send to topics that are there, or not yet."""

    def __init__(self, kafka, kafka_connection, database, producer):
        self.kafka = kafka
        self.kafka_connection = kafka_connection
        self.database = database
        self.producer = producer
        self.good = self.name()
        self.missing = self.name()

    @property
    def outbox(self):
        return self.database.outbox

    def name(self):
        return f"outbox{uuid.uuid4().hex[:8]}"

    async def make(self, name):
        await ensure_topics(self.kafka_connection, [Topic(name, "key", "test", (), 1, "delete")], 1)

    async def commit(self, *records):
        """Send records in a transaction of their own, as (topic, value)."""
        async with self.database.transaction() as tx:
            for topic, value in records:
                tx.send(Record(topic, "key", value))
        return tx

    async def insert(self, source, *records):
        """Leave a row, as a copy that crashed long ago would."""
        await self.database.pool.execute(
            "INSERT INTO outbox (source_topic, source_partition, records, created_at) "
            "VALUES ($1, $2, $3, now() - interval '1 hour')",
            *source,
            pack([Record(topic, "key", value) for topic, value in records]),
        )

    async def rows(self):
        await self.database.tend_outbox()
        return await self.database.pool.fetchval("SELECT count(*) FROM outbox")

    async def until_empty(self):
        await eventually(self.rows, lambda rows: rows == 0, what="the outbox is empty")

    async def values(self, topic):
        """Return what stands in a topic."""
        tp = TopicPartition(topic, 0)
        async with AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers, auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            await consumer.seek_to_beginning(tp)
            found = []
            while len(found) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
        return found

    async def until_there(self, topic, values):
        await eventually(lambda: self.values(topic), lambda seen: seen == values, what=f"{values} stand in {topic}")


@pytest.fixture
async def database(postgres, producer) -> AsyncIterator[Database]:
    options = DatabaseOptions(f"chargebus_outbox_{uuid.uuid4().hex[:8]}", postgres.url, MIGRATIONS)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    await database.migrate()
    await database.start()
    yield database
    await database.stop()
    await execute(postgres.url, f'DROP DATABASE "{options.name}" WITH (FORCE)')


@pytest.fixture
async def bed(kafka, kafka_connection, database, producer) -> Bed:
    bed = Bed(kafka, kafka_connection, database, producer)
    await bed.make(bed.good)
    return bed


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(outbox_module, "PATIENCE_S", 0.3)
    monkeypatch.setattr(partition_sender, "PATIENCE_S", 0.3)


class Held:
    """A Kafka client that takes no batch until it is let go."""

    def __init__(self, client):
        self.client = client
        self.free = asyncio.Event()

    async def send_batch(self, batch, topic, *, partition):
        await self.free.wait()
        return await self.client.send_batch(batch, topic, partition=partition)


class Refusing:
    """A Kafka client that may not write, until it may."""

    def __init__(self, client):
        self.client = client
        self.allowed = False
        self.asked = 0

    async def send_batch(self, batch, topic, *, partition):
        if self.allowed:
            return await self.client.send_batch(batch, topic, partition=partition)
        self.asked += 1
        future = asyncio.get_running_loop().create_future()
        future.set_exception(TopicAuthorizationFailedError(topic))
        return future


def put_before(producer, topic, kind):
    sender = producer._client._senders[topic, 0]
    sender._client = kind(sender._client)
    return sender._client


@pytest.mark.real_broker
async def test_a_missing_topic_holds_up_only_what_goes_there_and_gets_it_in_order_once_it_is_made(bed):
    numbers = [b"%d" % number for number in range(30)]
    for number in numbers:
        await bed.commit((bed.good, number), (bed.missing, number), (bed.good, number + b"+"))
    await bed.until_there(bed.good, [each for number in numbers for each in (number, number + b"+")])
    assert await bed.rows() == 30

    await bed.make(bed.missing)
    await bed.until_empty()
    await bed.commit((bed.missing, b"last"))
    await bed.until_there(bed.missing, [*numbers, b"last"])
    assert len(await bed.values(bed.good)) == 60


@pytest.mark.real_broker
async def test_what_an_earlier_owner_left_for_a_missing_topic_keeps_nobody_from_starting(bed):
    await bed.insert(("in", 0), (bed.missing, b"1"), (bed.good, b"1"))
    await bed.insert(("in", 1), (bed.missing, b"not ours"))
    await bed.insert(("in", 0), (bed.good, b"2"), (bed.missing, b"2"))

    await asyncio.wait_for(bed.outbox.send_left_behind([("in", 0)]), 180)

    assert await bed.values(bed.good) == [b"1", b"2"]
    await bed.make(bed.missing)
    await eventually(bed.rows, lambda rows: rows == 1, what="only the row of another copy is left")
    assert await bed.values(bed.missing) == [b"1", b"2"]
    assert await bed.values(bed.good) == [b"1", b"2"]


@pytest.mark.real_broker
async def test_what_waits_of_a_partition_that_another_copy_takes_over_is_left_to_it(bed):
    await bed.insert(("in", 0), (bed.missing, b"1"))
    await bed.outbox.send_left_behind([("in", 0)])
    bed.outbox.release([("in", 0)])
    await bed.make(bed.missing)
    for _ in range(3):
        assert await bed.rows() == 1
    assert await bed.values(bed.missing) == []


@pytest.mark.real_broker
async def test_what_other_copies_left_for_a_missing_topic_keeps_nothing_else_from_being_swept(bed):
    await bed.insert(("", 7), (bed.missing, b"1"), (bed.good, b"1"))
    await bed.insert(("", 7), (bed.good, b"2"))
    assert await bed.rows() == 1
    assert await bed.values(bed.good) == [b"1", b"2"]
    await bed.make(bed.missing)
    await bed.outbox.sweep(utc_now())
    assert await bed.values(bed.missing) == [b"1"]
    assert await bed.rows() == 0


async def test_a_forbidden_topic_is_asked_now_and_then_and_holds_up_nothing_else(bed):
    await bed.make(bed.missing)
    await bed.commit((bed.missing, b"0"), (bed.good, b"0"))
    await bed.until_there(bed.missing, [b"0"])
    client = put_before(bed.producer, bed.missing, Refusing)
    numbers = [b"%d" % number for number in range(1, 21)]
    for number in numbers:
        await bed.commit((bed.missing, number), (bed.good, number))
        await bed.outbox.settle()
    await bed.until_there(bed.good, [b"0", *numbers])
    assert client.asked == 1
    assert await bed.rows() == 20
    assert client.asked == 2

    client.allowed = True
    await bed.until_empty()
    assert await bed.values(bed.missing) == await bed.values(bed.good) == [b"0", *numbers]


async def test_what_kafka_answers_late_is_not_sent_twice_and_what_comes_meanwhile_waits_behind_it(bed, impatient):
    await bed.commit((bed.good, b"0"))
    await bed.until_there(bed.good, [b"0"])
    client = put_before(bed.producer, bed.good, Held)
    for number in (b"1", b"2"):
        await bed.commit((bed.good, number))
    await bed.outbox.settle()  # it is not waited for any more
    for number in (b"3", b"4"):
        await bed.commit((bed.good, number))
        await bed.outbox.settle()
    assert await bed.rows() == 4

    client.free.set()
    await bed.until_empty()
    await bed.commit((bed.good, b"5"))
    await bed.until_there(bed.good, [b"0", b"1", b"2", b"3", b"4", b"5"])


async def test_what_waits_in_memory_for_a_partition_is_bounded(bed, monkeypatch):
    monkeypatch.setattr(partition_sender, "MOST_BATCHES", 2)
    await bed.commit((bed.good, b"0"))
    await bed.until_there(bed.good, [b"0"])
    client = put_before(bed.producer, bed.good, Held)
    values = [b"%03d" % number + b"x" * 200_000 for number in range(10)]  # each fills a batch
    for value in values:
        await bed.commit((bed.good, value))
    await asyncio.sleep(0.1)
    assert len(bed.producer._client._senders[bed.good, 0]._on_the_way) == 2
    assert len(bed.outbox._tasks) <= 2

    client.free.set()
    await bed.until_empty()
    assert [value[:3] for value in await bed.values(bed.good)] == [b"0", *(value[:3] for value in values)]


@pytest.mark.real_broker
async def test_who_sent_may_wait_until_it_is_in_kafka_for_so_long(bed):
    sent = await bed.commit((bed.good, b"1"))
    assert await sent.published(within_s=180)
    assert await bed.values(bed.good) == [b"1"]
    assert await (await bed.commit()).published(within_s=0)

    waiting = await bed.commit((bed.good, b"2"), (bed.missing, b"2"))
    assert not await waiting.published(within_s=0.2)
    await bed.make(bed.missing)
    published = asyncio.create_task(waiting.published(within_s=180))
    await bed.until_empty()
    assert await published
    assert await bed.values(bed.missing) == [b"2"]


async def test_what_our_own_code_breaks_on_is_told_and_tried_again(bed, monkeypatch, caplog):
    async def break_down(_sending, _within_s):
        raise LookupError("not today")

    with monkeypatch.context() as broken:
        broken.setattr(Sending, "answered", break_down)
        await bed.commit((bed.good, b"1"))
        await bed.outbox.settle()
    assert "not today" in caplog.text
    await bed.until_empty()
    assert set(await bed.values(bed.good)) == {b"1"}


async def test_nothing_is_published_before_the_commit(bed):
    async with bed.database.transaction() as tx:
        with pytest.raises(RuntimeError):
            await tx.published(within_s=1)


@pytest.mark.real_broker
async def test_records_that_wait_for_too_long_are_told_with_the_topic_that_cannot_be_written(bed, monkeypatch):
    monkeypatch.setattr(outbox_module, "OLD_AFTER_S", 0.0)
    await bed.commit((bed.missing, b"1"))
    assert await bed.rows() == 1
    trouble = bed.outbox.trouble()
    assert trouble.startswith("records have waited for ")
    assert bed.missing in trouble
    await bed.make(bed.missing)
    await bed.until_empty()
    await bed.database.tend_outbox()
    assert bed.outbox.trouble() is None


@pytest.mark.parametrize("taken_over", [False, True])
async def test_a_row_that_nobody_was_told_of_goes_out_in_time(bed, taken_over):
    source = ("some.topic", 3) if taken_over else bed.outbox.from_http
    await bed.outbox.send_left_behind([("some.topic", 3)])
    await bed.insert(source, (bed.good, b"1"))
    await bed.until_empty()
    assert await bed.values(bed.good) == [b"1"]


@pytest.mark.real_broker
async def test_what_was_sent_again_is_not_sent_a_third_time_if_its_row_cannot_be_deleted_at_once(bed, monkeypatch):
    await bed.commit((bed.missing, b"1"))
    assert await bed.rows() == 1
    await bed.make(bed.missing)
    with monkeypatch.context() as broken:
        broken.setattr(outbox_module, "_DELETE", "DELETE FROM outbox WHERE no_column = ANY($1::bigint[])")
        await eventually(lambda: bed.values(bed.missing), what="it is sent again")
        with pytest.raises(asyncpg.UndefinedColumnError):
            await bed.database.tend_outbox()
    await bed.until_empty()
    assert await bed.values(bed.missing) == [b"1"]


async def test_a_row_that_is_just_being_deleted_is_not_sent_again(bed):
    await bed.commit((bed.good, b"1"))
    await bed.outbox.settle()
    async with bed.database.transaction() as tx:
        tx.send(Record(bed.good, "key", b"2"))
    await bed.until_there(bed.good, [b"1", b"2"])
    with bed.outbox.deleting() as sent:
        assert len(sent) == 1
        await bed.outbox.send_left_behind([bed.outbox.from_http])
    assert await bed.values(bed.good) == [b"1", b"2"]
    await bed.until_empty()


async def test_an_outbox_is_empty_once_its_rows_are_gone(bed):
    await bed.commit((bed.good, b"0"))
    await bed.until_empty()  # from now on the topic is known, and what goes there is sent from memory
    assert bed.outbox.empty
    await bed.commit((bed.good, b"1"))
    await until(lambda: not bed.outbox._tasks)
    assert not bed.outbox.empty
    with bed.outbox.deleting() as sent:
        assert not bed.outbox.empty
        await bed.database.pool.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", sent)
    assert bed.outbox.empty
