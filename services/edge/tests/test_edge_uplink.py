"""The uplink: what is handed over, told, given up and tried again, topic by topic."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from chargebus_edge.log import topic_queue
from chargebus_edge.log import uplink as uplink_module
from chargebus_edge.log.topic_queue import RECORD_BYTES
from chargebus_edge.log.uplink import Uplink
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent
from chargebus_testkit.waiting import until


class Taking:
    """A producer that takes records when told to, and acknowledges when told to."""

    def __init__(self):
        self.taken = []
        self.errors = []
        self.refused = {}
        self.asked = []
        self.missing = set()
        self.learned = asyncio.Event()

    async def hand_over(self, records):
        topics = {outgoing.record.topic for outgoing in records}
        self.asked.append(topics)
        if topics & self.missing:
            await self.learned.wait()
        for topic in topics & self.refused.keys():
            raise self.refused[topic]
        if self.errors:
            raise self.errors.pop(0)
        self.taken += records

    @property
    def keys(self):
        return [outgoing.record.key for outgoing in self.taken]


MOST = 8 * RECORD_BYTES


@pytest.fixture
async def uplink():
    producer, clock = Taking(), [0.0]
    uplink = Uplink(producer, lambda: clock[0], SimpleNamespace(record=lambda amount: None), MOST)
    task = asyncio.create_task(uplink.run())
    yield SimpleNamespace(uplink=uplink, producer=producer, clock=clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def record(name, topic="topic"):
    return Record(topic, name, b"")


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_records_are_handed_over_in_order_and_each_acknowledgement_is_told_once(uplink):
    told = []
    for name in "abc":
        uplink.uplink.publish(record(name), lambda sent, name=name: told.append((name, sent.offset)))
    await settle()
    assert uplink.producer.keys == ["a", "b", "c"]
    assert told == []
    for offset, outgoing in reversed(list(enumerate(uplink.producer.taken))):
        outgoing.told(Sent(0, offset))
    assert told == [("c", 2), ("b", 1), ("a", 0)]
    await asyncio.wait_for(uplink.uplink.settled(), 180)


async def test_the_record_that_kafka_has_been_given_for_longest_is_known(uplink):
    assert uplink.uplink.oldest() is None
    for at, name in enumerate("ab"):
        uplink.clock[0] = float(at)
        uplink.uplink.publish(record(name), lambda sent: None)
        await settle()
    assert uplink.uplink.oldest() == (0.0, "a record for topic with the key 'a'")
    uplink.producer.taken[0].told(Sent(0, 0))
    assert uplink.uplink.oldest().since == 1.0
    uplink.producer.taken[1].told(Sent(0, 1))
    assert uplink.uplink.oldest() is None


async def test_only_what_a_station_waits_for_and_kafka_has_been_given_has_an_age(uplink):
    uplink.producer.missing = {"missing"}
    uplink.uplink.post(record("report"))
    uplink.uplink.publish(record("frame", "missing"), lambda sent: None)
    await settle()
    assert uplink.uplink.oldest() is None
    uplink.clock[0] = 7.0
    uplink.producer.learned.set()
    await settle()
    assert uplink.uplink.oldest() == (7.0, "a record for missing with the key 'frame'")


async def test_what_is_given_up_is_told_and_a_late_acknowledgement_is_not(uplink):
    told = []
    uplink.uplink.publish(record("a"), told.append)
    uplink.uplink.post(record("b"))
    await settle()
    uplink.uplink.give_up()
    assert told == [None]
    uplink.producer.taken[0].told(Sent(0, 0))
    await settle()
    assert told == [None]
    assert len(uplink.uplink) == 1
    uplink.producer.taken[1].told(Sent(0, 1))
    await asyncio.wait_for(uplink.uplink.settled(), 180)


async def test_a_posted_record_is_sent_until_kafka_has_it_and_a_published_one_is_not(uplink):
    told = []
    uplink.uplink.publish(record("a"), told.append)
    uplink.uplink.post(record("b"))
    await settle()
    for outgoing in list(uplink.producer.taken):
        outgoing.told(KafkaConnectionError())
    assert told == [None]
    await until(lambda: uplink.producer.keys == ["a", "b", "b"])


async def test_the_pause_before_a_posted_record_is_sent_again_grows(uplink, monkeypatch):
    paused = []
    backoff = SimpleNamespace(delay_s=lambda attempt: paused.append(attempt) or 0.0)
    monkeypatch.setattr(uplink_module, "BACKOFF", backoff)
    uplink.uplink.post(record("a"))
    for attempt in range(3):
        await until(lambda attempt=attempt: len(uplink.producer.taken) > attempt)
        uplink.producer.taken[attempt].told(TopicAuthorizationFailedError("topic"))
    assert paused == [0, 1, 2]


async def test_a_record_that_the_client_does_not_take_is_tried_again_before_the_next(uplink, monkeypatch):
    uplink.producer.errors = [KafkaConnectionError()]
    for name in "ab":
        uplink.uplink.publish(record(name), lambda sent: None)
    await until(lambda: len(uplink.producer.taken) >= 2)
    assert uplink.producer.keys == ["a", "b"]


async def test_a_record_that_is_too_large_does_not_hold_up_the_others(uplink):
    told = []
    uplink.uplink.publish(record("a"), told.append)
    uplink.uplink.post(record("b"))
    await settle()
    for outgoing in list(uplink.producer.taken):
        outgoing.told(MessageSizeTooLargeError())
    assert told == [None]
    await asyncio.wait_for(uplink.uplink.settled(), 180)


# A topic that does not take what the others do


@pytest.mark.parametrize("how", ["missing", "refused"])
async def test_a_topic_that_does_not_take_records_holds_up_no_other(uplink, how):
    if how == "missing":
        uplink.producer.missing = {"bad"}
    else:
        uplink.producer.refused = {"bad": TopicAuthorizationFailedError("bad")}
    told = []
    uplink.uplink.publish(record("x", "bad"), told.append)
    uplink.uplink.publish(record("a", "good"), told.append)
    await settle()
    uplink.uplink.publish(record("y", "bad"), told.append)
    uplink.uplink.publish(record("b", "good"), told.append)
    await settle()
    assert uplink.producer.keys == ["a", "b"]
    assert told == []


async def test_each_topic_keeps_its_order_while_others_are_held_up(uplink):
    uplink.producer.missing = {"late"}
    for name in "ab":
        uplink.uplink.publish(record(name, "late"), lambda sent: None)
        await settle()
    uplink.uplink.post(record("c", "late"))
    uplink.uplink.post(record("d", "good"))
    await settle()
    uplink.producer.learned.set()
    await until(lambda: len(uplink.producer.taken) == 4)
    assert uplink.producer.keys == ["d", "a", "b", "c"]


async def test_a_topic_keeps_its_order_when_it_is_refused_while_more_comes(uplink):
    uplink.producer.missing = {"topic"}
    uplink.producer.errors = [KafkaConnectionError()]
    uplink.uplink.publish(record("a"), lambda sent: None)
    await settle()
    uplink.uplink.publish(record("b"), lambda sent: None)
    uplink.producer.learned.set()
    await until(lambda: len(uplink.producer.taken) == 2)
    assert uplink.producer.keys == ["a", "b"]


async def test_a_topic_that_goes_on_refusing_gets_its_frames_given_up_and_its_reports_later(uplink, caplog):
    uplink.producer.refused = {"bad": UnknownTopicOrPartitionError()}
    told = []
    uplink.uplink.publish(record("frame", "bad"), told.append)
    uplink.uplink.post(record("report", "bad"))
    await until(lambda: len(uplink.producer.asked) >= 2)
    assert told == []
    uplink.clock[0] = topic_queue.PATIENCE_S
    await until(lambda: told)
    assert told == [None]
    uplink.producer.refused = {}
    await until(lambda: uplink.producer.taken)
    assert uplink.producer.keys == ["report"]
    said = [entry.getMessage() for entry in caplog.records]
    assert said == [
        "Kafka does not take records for bad: UnknownTopicOrPartitionError()",
        "Kafka takes records for bad again",
    ]


async def test_frames_that_waited_long_for_their_topic_are_given_up_when_that_is_refused(uplink):
    uplink.producer.missing = {"bad"}
    uplink.producer.refused = {"bad": UnknownTopicOrPartitionError()}
    told = []
    uplink.uplink.publish(record("frame", "bad"), told.append)
    await settle()
    uplink.uplink.publish(record("next", "bad"), told.append)
    uplink.clock[0] = 30.0
    uplink.producer.learned.set()
    await settle()
    assert told == [None, None]
    await asyncio.wait_for(uplink.uplink.settled(), 180)


async def test_what_was_given_up_before_it_was_handed_over_is_not_handed_over(uplink):
    uplink.producer.errors = [KafkaConnectionError()]
    uplink.uplink.publish(record("a"), lambda sent: None)
    await until(lambda: uplink.producer.asked)
    uplink.uplink.give_up()
    uplink.uplink.publish(record("b"), lambda sent: None)
    await until(lambda: uplink.producer.taken)
    assert uplink.producer.keys == ["b"]


# What waits is bounded


@pytest.fixture
def reading(uplink):
    """Whether stations are read."""
    reading = [True]
    uplink.uplink.follow(lambda: reading.append(False), lambda: reading.append(True))
    return reading


async def test_stations_are_read_no_further_while_too_much_waits_until_half_of_it_is_gone(uplink, reading):
    for number in range(8):
        uplink.uplink.publish(record(f"{number}"), lambda sent: None)
    assert reading == [True]
    uplink.uplink.publish(Record("topic", "8", b"x"), lambda sent: None)
    uplink.uplink.publish(record("9"), lambda sent: None)
    assert reading == [True, False]
    assert uplink.uplink.waiting_bytes == 10 * RECORD_BYTES + 1
    await settle()
    for outgoing in uplink.producer.taken[:5]:
        outgoing.told(Sent(0, 0))
    assert reading == [True, False]
    uplink.producer.taken[5].told(Sent(0, 0))
    uplink.producer.taken[8].told(Sent(0, 0))
    assert reading == [True, False, True]


async def test_what_is_given_up_in_the_dark_makes_room(uplink, reading):
    for number in range(9):
        uplink.uplink.publish(record(f"{number}"), lambda sent: None)
    uplink.uplink.give_up()
    assert reading == [True, False, True]
    assert uplink.uplink.waiting_bytes == 0


async def test_what_waits_elsewhere_counts_too(uplink, reading):
    uplink.uplink.buffer(MOST + 1)
    assert reading == [True, False]
    uplink.uplink.buffer(-MOST - 1)
    assert reading == [True, False, True]


@pytest.mark.parametrize("how", ["missing", "refused"])
async def test_a_topic_that_alone_takes_nothing_costs_what_goes_there_and_not_the_reading(uplink, reading, how, caplog):
    if how == "missing":
        uplink.producer.missing = {"bad"}
    else:
        uplink.producer.refused = {"bad": TopicAuthorizationFailedError("bad")}
    told = []
    for _ in range(3):
        uplink.uplink.post(record("report", "bad"))
        uplink.uplink.publish(record("frame", "bad"), told.append)
    await settle()
    uplink.clock[0] = 2.0
    for _ in range(3):
        uplink.uplink.publish(record("good", "good"), lambda sent: None)
        await settle()
    assert reading == [True]
    assert told == [None] * 3
    assert uplink.producer.keys == ["good"] * 3
    assert "gave up 6 records for {'bad'}" in caplog.text


async def test_reports_that_kafka_refuses_again_and_again_do_not_stop_the_reading_either(uplink, reading, monkeypatch):
    monkeypatch.setattr(uplink_module, "BACKOFF", SimpleNamespace(delay_s=lambda attempt: 0.0))
    for _ in range(8):
        uplink.uplink.post(record("report", "bad"))
    for _ in range(4):
        await until(lambda: len(uplink.producer.taken) == 8)
        taken, uplink.producer.taken = uplink.producer.taken, []
        for outgoing in taken:
            outgoing.told(TopicAuthorizationFailedError("bad"))
    uplink.uplink.publish(record("good", "good"), lambda sent: None)
    assert reading == [True]
    assert uplink.uplink.waiting_bytes == RECORD_BYTES


async def test_where_kafka_takes_nothing_at_all_reading_stops_and_nothing_is_given_up(uplink, reading):
    uplink.producer.missing = {"a", "b"}
    told = []
    for _ in range(5):
        uplink.uplink.publish(record("x", "a"), told.append)
        uplink.uplink.publish(record("x", "b"), told.append)
        await settle()
        uplink.clock[0] += 2.0
    assert reading == [True, False]
    assert told == []
