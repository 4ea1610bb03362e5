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
from chargebus_edge import uplink as uplink_module
from chargebus_edge.uplink import Uplink
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent


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


@pytest.fixture
async def uplink():
    producer, clock = Taking(), [0.0]
    uplink = Uplink(producer, lambda: clock[0], SimpleNamespace(record=lambda amount: None))
    task = asyncio.create_task(uplink.run())
    yield SimpleNamespace(link=uplink, producer=producer, clock=clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def record(name, topic="topic"):
    return Record(topic, name, b"")


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_records_are_handed_over_in_order_and_each_acknowledgement_is_told_once(uplink):
    told = []
    for name in "abc":
        uplink.link.publish(record(name), lambda sent, name=name: told.append((name, sent.offset)))
    await settle()
    assert uplink.producer.keys == ["a", "b", "c"]
    assert told == []
    for offset, outgoing in reversed(list(enumerate(uplink.producer.taken))):
        outgoing.told(Sent(0, offset))
    assert told == [("c", 2), ("b", 1), ("a", 0)]
    await asyncio.wait_for(uplink.link.settled(), 1)


async def test_the_record_that_kafka_has_been_given_for_longest_is_known(uplink):
    assert uplink.link.oldest() is None
    for at, name in enumerate("ab"):
        uplink.clock[0] = float(at)
        uplink.link.publish(record(name), lambda sent: None)
        await settle()
    assert uplink.link.oldest() == (0.0, "a record for topic with the key 'a'")
    uplink.producer.taken[0].told(Sent(0, 0))
    assert uplink.link.oldest().since == 1.0
    uplink.producer.taken[1].told(Sent(0, 1))
    assert uplink.link.oldest() is None


async def test_only_what_a_station_waits_for_and_kafka_has_been_given_has_an_age(uplink):
    uplink.producer.missing = {"missing"}
    uplink.link.post(record("report"))
    uplink.link.publish(record("frame", "missing"), lambda sent: None)
    await settle()
    assert uplink.link.oldest() is None
    uplink.clock[0] = 7.0
    uplink.producer.learned.set()
    await settle()
    assert uplink.link.oldest() == (7.0, "a record for missing with the key 'frame'")


async def test_what_is_given_up_is_told_and_a_late_acknowledgement_is_not(uplink):
    told = []
    uplink.link.publish(record("a"), told.append)
    uplink.link.post(record("b"))
    await settle()
    uplink.link.give_up()
    assert told == [None]
    uplink.producer.taken[0].told(Sent(0, 0))
    await settle()
    assert told == [None]
    assert len(uplink.link) == 1
    uplink.producer.taken[1].told(Sent(0, 1))
    await asyncio.wait_for(uplink.link.settled(), 1)


async def test_a_posted_record_is_sent_until_kafka_has_it_and_a_published_one_is_not(uplink):
    told = []
    uplink.link.publish(record("a"), told.append)
    uplink.link.post(record("b"))
    await settle()
    for outgoing in list(uplink.producer.taken):
        outgoing.told(KafkaConnectionError())
    assert told == [None]
    await until(lambda: uplink.producer.keys == ["a", "b", "b"])


async def test_the_pause_before_a_posted_record_is_sent_again_grows(uplink, monkeypatch):
    paused = []
    backoff = SimpleNamespace(delay_s=lambda attempt: paused.append(attempt) or 0.0)
    monkeypatch.setattr(uplink_module, "BACKOFF", backoff)
    uplink.link.post(record("a"))
    for attempt in range(3):
        await until(lambda attempt=attempt: len(uplink.producer.taken) > attempt)
        uplink.producer.taken[attempt].told(TopicAuthorizationFailedError("topic"))
    assert paused == [0, 1, 2]


async def test_a_record_that_the_client_does_not_take_is_tried_again_before_the_next(uplink, monkeypatch):
    uplink.producer.errors = [KafkaConnectionError()]
    for name in "ab":
        uplink.link.publish(record(name), lambda sent: None)
    await until(lambda: len(uplink.producer.taken) >= 2)
    assert uplink.producer.keys == ["a", "b"]


async def test_a_record_that_is_too_large_does_not_hold_up_the_others(uplink):
    told = []
    uplink.link.publish(record("a"), told.append)
    uplink.link.post(record("b"))
    await settle()
    for outgoing in list(uplink.producer.taken):
        outgoing.told(MessageSizeTooLargeError())
    assert told == [None]
    await asyncio.wait_for(uplink.link.settled(), 1)


# A topic that does not take what the others do


@pytest.mark.parametrize("how", ["missing", "refused"])
async def test_a_topic_that_does_not_take_records_holds_up_no_other(uplink, how):
    if how == "missing":
        uplink.producer.missing = {"bad"}
    else:
        uplink.producer.refused = {"bad": TopicAuthorizationFailedError("bad")}
    told = []
    uplink.link.publish(record("x", "bad"), told.append)
    uplink.link.publish(record("a", "good"), told.append)
    await settle()
    uplink.link.publish(record("y", "bad"), told.append)
    uplink.link.publish(record("b", "good"), told.append)
    await settle()
    assert uplink.producer.keys == ["a", "b"]
    assert told == []


async def test_each_topic_keeps_its_order_while_others_are_held_up(uplink):
    uplink.producer.missing = {"late"}
    for name in "ab":
        uplink.link.publish(record(name, "late"), lambda sent: None)
        await settle()
    uplink.link.post(record("c", "late"))
    uplink.link.post(record("d", "good"))
    await settle()
    uplink.producer.learned.set()
    await until(lambda: len(uplink.producer.taken) == 4)
    assert uplink.producer.keys == ["d", "a", "b", "c"]


async def test_a_topic_keeps_its_order_when_it_is_refused_while_more_comes(uplink):
    uplink.producer.missing = {"topic"}
    uplink.producer.errors = [KafkaConnectionError()]
    uplink.link.publish(record("a"), lambda sent: None)
    await settle()
    uplink.link.publish(record("b"), lambda sent: None)
    uplink.producer.learned.set()
    await until(lambda: len(uplink.producer.taken) == 2)
    assert uplink.producer.keys == ["a", "b"]


async def test_a_topic_that_goes_on_refusing_gets_its_frames_given_up_and_its_reports_later(uplink, caplog):
    uplink.producer.refused = {"bad": UnknownTopicOrPartitionError()}
    told = []
    uplink.link.publish(record("frame", "bad"), told.append)
    uplink.link.post(record("report", "bad"))
    await until(lambda: len(uplink.producer.asked) >= 2)
    assert told == []
    uplink.clock[0] = uplink_module.PATIENCE_S
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
    uplink.link.publish(record("frame", "bad"), told.append)
    await settle()
    uplink.link.publish(record("next", "bad"), told.append)
    uplink.clock[0] = 30.0
    uplink.producer.learned.set()
    await settle()
    assert told == [None, None]
    await asyncio.wait_for(uplink.link.settled(), 1)


async def test_what_was_given_up_before_it_was_handed_over_is_not_handed_over(uplink):
    uplink.producer.errors = [KafkaConnectionError()]
    uplink.link.publish(record("a"), lambda sent: None)
    await until(lambda: uplink.producer.asked)
    uplink.link.give_up()
    uplink.link.publish(record("b"), lambda sent: None)
    await until(lambda: uplink.producer.taken)
    assert uplink.producer.keys == ["b"]
