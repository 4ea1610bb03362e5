"""What is sent arrives once, in order, where Kafka's own clients would put it; failures reach who sent it."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber, UnknownTopicOrPartitionError
from chargebus_events.record import Record
from chargebus_events.topics import MAX_RECORD_BYTES, Topic
from chargebus_runtime import producer as producer_module
from chargebus_runtime.lanes import Lane, Sent
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
    """A parcel that keeps what it is told."""

    def __init__(self, record):
        self.record = record
        self.results = []

    def told(self, result):
        self.results.append(result)


async def until_told(parcels):
    async with asyncio.timeout(20):
        while not all(parcel.results for parcel in parcels):
            await asyncio.sleep(0.01)


async def test_records_lie_where_they_were_told_to_be_once_and_in_order(kafka, topic, producer):
    parcels = [Noting(Record(topic, f"k{i % 7}", b"%d" % i, (("n", b"%d" % i),))) for i in range(500)]
    for start in range(0, 500, 20):  # some go while others wait, some start a batch
        await producer.hand_over(parcels[start : start + 20])
        await asyncio.sleep(0)
    await until_told(parcels)

    log = await log_of(kafka, topic)
    assert sum(map(len, log.values())) == 500
    for parcel in parcels:
        (sent,) = parcel.results
        (there,) = (each for each in log[sent.partition] if each.offset == sent.offset)
        assert (there.value, there.key.decode()) == (parcel.record.value, parcel.record.key)
        assert there.headers == parcel.record.headers
    for records in log.values():
        by_key = {}
        for each in records:
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
    parcels = [Noting(Record(topic, "k", value)) for value in (b"1", b"x" * MAX_RECORD_BYTES, b"2")]
    await producer.hand_over(parcels)
    await until_told(parcels)
    first, refused, second = (parcel.results[0] for parcel in parcels)
    assert isinstance(refused, MessageSizeTooLargeError)
    assert (first, second) == (Sent(first.partition, 0), Sent(first.partition, 1))


async def test_an_address_that_is_not_there_is_told(topic, producer):
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send(Record(topic, "k", b"", partition=PARTITIONS))


async def test_stopping_sends_what_was_handed_over(kafka_connection, kafka, topic):
    producer = Producer(kafka_connection)
    await producer.start()
    parcels = [Noting(Record(topic, f"k{i}", b"")) for i in range(50)]
    await producer.hand_over(parcels)
    await producer.stop()
    assert all(isinstance(parcel.results[0], Sent) for parcel in parcels)
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
    parcels = [Noting(Record(topic, f"k{i % 3}", b"%d" % i)) for i in range(5000)]
    for parcel in parcels:
        await producer.hand_over([parcel])
        await asyncio.sleep(0)
    await until_told(parcels)

    log = await log_of(kafka, topic)
    arrived = {(number, each.offset): each.value for number, records in log.items() for each in records}
    assert {parcel.results[0]: parcel.record.value for parcel in parcels} == arrived


async def test_a_client_that_the_broker_refuses_is_replaced_and_the_records_go_out(kafka, topic, producer):
    await producer.send(Record(topic, "k", b"0"))
    used = producer._client
    for lane in used._lanes.values():
        lane._client = Failing(OutOfOrderSequenceNumber())

    await producer.publish([Record(topic, "k", b"1")])

    assert producer._client is not used
    log = await log_of(kafka, topic)
    assert [each.value for records in log.values() for each in records] == [b"0", b"1"]


@pytest.mark.parametrize("error", [UnknownTopicOrPartitionError(), RuntimeError("broken")])
async def test_every_record_of_a_failed_batch_is_told(error):
    errors = []
    lane = Lane(Failing(error), TopicPartition("topic", 0), errors.append)
    for _ in range(2):  # the lane lives on
        parcels = [Noting(Record("topic", "k", b"")) for _ in range(3)]
        for parcel in parcels:
            lane.add(parcel.record, parcel)
        await until_told(parcels)
        assert [isinstance(parcel.results[0], KafkaError) for parcel in parcels] == [True] * 3
    assert len(errors) == 2


async def test_a_sender_that_fails_when_it_is_told_keeps_nobody_else_from_being_told(topic, producer, caplog):
    class Clumsy(Noting):
        def told(self, result):
            super().told(result)
            raise ValueError("not now")

    parcels = [Clumsy(Record(topic, "k", b"1")), Noting(Record(topic, "k", b"2"))]
    await producer.hand_over(parcels)
    await until_told(parcels)
    assert isinstance(parcels[1].results[0], Sent)
    assert "not now" in caplog.text


class Stuck:
    """A client that waits for ever for the leader of a partition."""

    async def send_batch(self, _batch, _topic, *, partition):
        await asyncio.Event().wait()


async def test_a_partition_without_a_leader_holds_up_no_other(topic, producer, monkeypatch):
    monkeypatch.setattr(producer_module, "_STOP_WITHIN_S", 0.1)
    for partition in range(PARTITIONS):
        await producer.send(Record(topic, "k", b"", partition=partition))
    producer._client._lanes[topic, 0]._client = Stuck()

    parcels = [Noting(Record(topic, "k", b"", partition=partition)) for partition in (0, 1, 0, 2)]
    await producer.hand_over(parcels)
    await until_told([parcels[1], parcels[3]])
    await producer.publish([Record(topic, "k", b"", partition=1)])

    assert parcels[0].results == parcels[2].results == []


async def test_who_gives_up_waiting_takes_nothing_from_others_who_wait_for_the_same_batch(topic, producer, monkeypatch):
    monkeypatch.setattr(producer_module, "_STOP_WITHIN_S", 0.1)
    await producer.send(Record(topic, "k", b"", partition=0))
    producer._client._lanes[topic, 0]._client = Stuck()
    patient = asyncio.create_task(producer.publish([Record(topic, "k", b"1", partition=0)]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(producer.publish([Record(topic, "k", b"2", partition=0)]), 0.1)

    assert not patient.done()
    patient.cancel()


async def test_what_a_replaced_client_never_answers_goes_out_through_the_next(kafka, topic, producer):
    for partition in (0, 1):
        await producer.send(Record(topic, "k", b"0", partition=partition))
    lanes = producer._client._lanes
    lanes[topic, 0]._client = Stuck()
    waiting = asyncio.create_task(producer.publish([Record(topic, "k", b"1", partition=0)]))
    await asyncio.sleep(0.1)

    lanes[topic, 1]._client = Failing(OutOfOrderSequenceNumber())
    await producer.publish([Record(topic, "k", b"1", partition=1)])

    await asyncio.wait_for(waiting, 10)
    log = await log_of(kafka, topic)
    assert [each.value for each in log[0]] == [each.value for each in log[1]] == [b"0", b"1"]
