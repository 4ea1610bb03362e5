"""What is sent arrives once, in order, where Kafka's own clients would put it; failures reach who sent it."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber, UnknownTopicOrPartitionError
from chargebus_events.record import Record
from chargebus_events.topics import MAX_RECORD_BYTES, Topic
from chargebus_runtime import producer as producer_module
from chargebus_runtime.partition_sender import PartitionSender, Sent
from chargebus_runtime.producer import Producer
from chargebus_runtime.topics import ensure_topics

PARTITIONS = 3


@pytest.fixture
async def topic(kafka_connection) -> str:
    topic = Topic(f"sent{uuid.uuid4().hex[:8]}", "key", "test", (), PARTITIONS, "delete")
    await ensure_topics(kafka_connection, [topic], 1)
    return topic.name


async def log_of(kafka, topic):
    """Return each partition's records, from its beginning."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        log = {tp.partition: [] for tp in partitions}
        while sum(map(len, log.values())) < sum(ends.values()):
            for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                log[tp.partition] += records
    return log


class Noting:
    """An outgoing record that keeps what it is told."""

    def __init__(self, record):
        self.record = record
        self.results = []

    def told(self, result):
        self.results.append(result)


async def until_told(records):
    async with asyncio.timeout(180):
        while not all(outgoing.results for outgoing in records):
            await asyncio.sleep(0.01)


async def test_records_lie_where_they_were_told_to_be_once_and_in_order(kafka, topic, producer):
    records = [Noting(Record(topic, f"k{i % 7}", b"%d" % i, (("n", b"%d" % i),))) for i in range(500)]
    for start in range(0, 500, 20):  # some go while others wait, some start a batch
        await producer.hand_over(records[start : start + 20])
        await asyncio.sleep(0)
    await until_told(records)

    log = await log_of(kafka, topic)
    assert sum(map(len, log.values())) == 500
    for outgoing in records:
        (sent,) = outgoing.results
        (there,) = (each for each in log[sent.partition] if each.offset == sent.offset)
        assert (there.value, there.key.decode()) == (outgoing.record.value, outgoing.record.key)
        assert there.headers == outgoing.record.headers
    for partition in log.values():
        by_key = {}
        for each in partition:
            by_key.setdefault(each.key, []).append(int(each.value))
        assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def test_a_key_goes_where_kafkas_own_clients_put_it(kafka, topic, producer):
    keys = [f"station-{i}" for i in range(20)]
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as other:
        theirs = [(await other.send_and_wait(topic, b"", key.encode())).partition for key in keys]
    assert [(await producer.send(Record(topic, key, b""))).partition for key in keys] == theirs
    assert len(set(theirs)) > 1


async def test_an_address_is_kept(topic, producer):
    assert [(await producer.send(Record(topic, "k", b"", partition=n))).partition for n in range(3)] == [0, 1, 2]


async def test_records_larger_than_a_batch_go_out_alone(kafka, topic, producer):
    sizes = [10, 300_000, 10, 200_000, 200_000, 1_000_000]
    await producer.publish([Record(topic, "k", b"x" * size) for size in sizes])
    log = await log_of(kafka, topic)
    assert [len(each.value) for records in log.values() for each in records] == sizes


async def test_a_record_that_no_broker_takes_does_not_hold_up_its_neighbours(topic, producer):
    records = [Noting(Record(topic, "k", value)) for value in (b"1", b"x" * MAX_RECORD_BYTES, b"2")]
    await producer.hand_over(records)
    await until_told(records)
    first, refused, second = (outgoing.results[0] for outgoing in records)
    assert isinstance(refused, MessageSizeTooLargeError)
    assert (first, second) == (Sent(first.partition, 0), Sent(first.partition, 1))


async def test_an_address_that_is_not_there_is_told(topic, producer):
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send(Record(topic, "k", b"", partition=PARTITIONS))


@pytest.mark.real_broker
async def test_a_topic_that_is_missing_holds_up_no_record_of_another(kafka, kafka_connection, topic, producer):
    missing = f"missing{uuid.uuid4().hex[:8]}"
    records = [Noting(Record(name, "k", b"handed over")) for name in (topic, missing, topic)]
    handing_over = asyncio.create_task(producer.hand_over(records))
    await until_told([records[0], records[2]])
    assert records[1].results == []
    await asyncio.wait_for(handing_over, 180)
    assert isinstance(records[1].results[0], UnknownTopicOrPartitionError)

    publishing = asyncio.create_task(producer.publish([Record(name, "k", b"published") for name in (missing, topic)]))
    async with asyncio.timeout(180):
        while b"published" not in await values_of(kafka, topic):
            await asyncio.sleep(0.05)
    assert not publishing.done()
    await ensure_topics(kafka_connection, [Topic(missing, "key", "test", (), PARTITIONS, "delete")], 1)
    await asyncio.wait_for(publishing, 180)
    assert await values_of(kafka, topic) == [b"handed over", b"handed over", b"published"]
    assert await values_of(kafka, missing) == [b"published"]


async def values_of(kafka, topic):
    return [each.value for records in (await log_of(kafka, topic)).values() for each in records]


async def test_stopping_sends_what_was_handed_over(kafka_connection, kafka, topic):
    producer = Producer(kafka_connection)
    await producer.start()
    records = [Noting(Record(topic, f"k{i}", b"")) for i in range(50)]
    await producer.hand_over(records)
    await producer.stop()
    assert all(isinstance(outgoing.results[0], Sent) for outgoing in records)
    assert sum(map(len, (await log_of(kafka, topic)).values())) == 50


class Failing:
    """A client of which every batch fails with the same error, or that breaks itself."""

    def __init__(self, error):
        self.error = error

    async def send_batch(self, _batch, _topic, *, partition):
        if not isinstance(self.error, KafkaError):
            raise self.error
        future = asyncio.get_running_loop().create_future()
        future.set_exception(self.error)
        return future


async def test_records_that_come_at_any_moment_of_a_batchs_life_arrive_once(kafka, topic, producer):
    """A steady stream, one record at each turn of the event loop: some come just as a batch is being sent."""
    records = [Noting(Record(topic, f"k{i % 3}", b"%d" % i)) for i in range(5000)]
    for outgoing in records:
        await producer.hand_over([outgoing])
        await asyncio.sleep(0)
    await until_told(records)

    log = await log_of(kafka, topic)
    arrived = {(number, each.offset): each.value for number, records in log.items() for each in records}
    assert {outgoing.results[0]: outgoing.record.value for outgoing in records} == arrived


async def test_a_client_that_the_broker_refuses_is_replaced_and_the_records_go_out(kafka, topic, producer):
    await producer.send(Record(topic, "k", b"0"))
    used = producer._client
    for sender in used._senders.values():
        sender._client = Failing(OutOfOrderSequenceNumber())

    await producer.publish([Record(topic, "k", b"1")])

    assert producer._client is not used
    log = await log_of(kafka, topic)
    assert [each.value for records in log.values() for each in records] == [b"0", b"1"]


@pytest.mark.parametrize("error", [UnknownTopicOrPartitionError(), RuntimeError("broken")])
async def test_every_record_of_a_failed_batch_is_told(error):
    errors = []
    sender = PartitionSender(Failing(error), TopicPartition("topic", 0), errors.append)
    for _ in range(2):  # it lives on
        records = [Noting(Record("topic", "k", b"")) for _ in range(3)]
        for outgoing in records:
            sender.add(outgoing.record, outgoing)
        await until_told(records)
        assert [isinstance(outgoing.results[0], KafkaError) for outgoing in records] == [True] * 3
    assert len(errors) == 2


async def test_a_sender_that_fails_when_it_is_told_keeps_nobody_else_from_being_told(topic, producer, caplog):
    class Clumsy(Noting):
        def told(self, result):
            super().told(result)
            raise ValueError("not now")

    records = [Clumsy(Record(topic, "k", b"1")), Noting(Record(topic, "k", b"2"))]
    await producer.hand_over(records)
    await until_told(records)
    assert isinstance(records[1].results[0], Sent)
    assert "not now" in caplog.text


class Stuck:
    """A client that waits for ever for the leader of a partition."""

    async def send_batch(self, _batch, _topic, *, partition):
        await asyncio.Event().wait()


async def test_a_partition_without_a_leader_holds_up_no_other(topic, producer, monkeypatch):
    monkeypatch.setattr(producer_module, "_STOP_WITHIN_S", 0.1)
    for partition in range(PARTITIONS):
        await producer.send(Record(topic, "k", b"", partition=partition))
    producer._client._senders[topic, 0]._client = Stuck()

    records = [Noting(Record(topic, "k", b"", partition=partition)) for partition in (0, 1, 0, 2)]
    await producer.hand_over(records)
    await until_told([records[1], records[3]])
    await producer.publish([Record(topic, "k", b"", partition=1)])

    assert records[0].results == records[2].results == []


async def test_who_gives_up_waiting_takes_nothing_from_others_who_wait_for_the_same_batch(topic, producer, monkeypatch):
    monkeypatch.setattr(producer_module, "_STOP_WITHIN_S", 0.1)
    await producer.send(Record(topic, "k", b"", partition=0))
    producer._client._senders[topic, 0]._client = Stuck()
    patient = asyncio.create_task(producer.publish([Record(topic, "k", b"1", partition=0)]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(producer.publish([Record(topic, "k", b"2", partition=0)]), 0.1)

    assert not patient.done()
    patient.cancel()


async def test_what_a_replaced_client_never_answers_goes_out_through_the_next(kafka, topic, producer):
    for partition in (0, 1):
        await producer.send(Record(topic, "k", b"0", partition=partition))
    senders = producer._client._senders
    senders[topic, 0]._client = Stuck()
    waiting = asyncio.create_task(producer.publish([Record(topic, "k", b"1", partition=0)]))
    await asyncio.sleep(0.1)

    senders[topic, 1]._client = Failing(OutOfOrderSequenceNumber())
    await producer.publish([Record(topic, "k", b"1", partition=1)])

    await asyncio.wait_for(waiting, 180)
    log = await log_of(kafka, topic)
    assert [each.value for each in log[0]] == [each.value for each in log[1]] == [b"0", b"1"]
