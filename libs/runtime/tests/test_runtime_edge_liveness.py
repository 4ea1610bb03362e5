"""Which edges live by what was heard of them, and what the time is by Kafka's clock, whatever hosts' clocks say."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.record import Received
from chargebus_events.topics import EDGES, TOPICS
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.kafka_clock import HEARTBEATS
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DEAD_AFTER_S = 10


class World:
    """A host whose clock is `ahead_s` of Kafka's, and what it reads of `ocpp.edges`."""

    def __init__(self):
        self.passed_s = 0.0
        self.ahead_s = 0.0
        self.offset = -1
        self.edges = EdgeLiveness("command", self.clock, lambda: 1000.0 + self.passed_s)
        self.edges.view.ready.set()

    @property
    def clock_of_kafka(self):
        return START + timedelta(seconds=self.passed_s)

    def clock(self):
        return self.clock_of_kafka + timedelta(seconds=self.ahead_s)

    def hear(self, slot=3, *, offset=None, value=b"", stamped=True, late_s=0.0, **more):
        """Hear a heartbeat that Kafka stamped `late_s` ago."""
        self.offset = self.offset + 1 if offset is None else offset
        stamp = self.clock_of_kafka - timedelta(seconds=late_s)
        heartbeat = EdgeHeartbeat(slot, "edge-a", **{"at": stamp, **more}).record()
        stamp_ms = round(stamp.timestamp() * 1000)
        self.edges.view.take(
            Received(EDGES, 0, self.offset, str(slot), value or heartbeat.value, {}, stamp_ms, stamped_by_kafka=stamped)
        )

    def life(self, epoch, slot=3):
        return self.edges.life(slot, epoch, DEAD_AFTER_S)


@pytest.fixture
def world():
    return World()


# Life


def test_an_edge_lives_for_as_long_as_it_is_heard_and_some_seconds_more(world):
    world.hear()
    world.passed_s = 10
    assert world.life(0) == "alive"
    world.passed_s = 10.1
    assert world.life(0) == "silent"
    world.hear(epoch=0)
    assert world.life(0) == "alive"


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_the_clock_of_an_edge_has_no_say_in_its_life(world, ahead_s):
    world.hear(at=START + timedelta(seconds=ahead_s))
    assert world.life(0) == "alive"
    world.passed_s = 11
    assert world.life(0) == "silent"


def test_a_step_of_our_own_clock_kills_nobody(world):
    world.hear()
    world.ahead_s = 3600
    assert world.life(0) == "alive"


def test_a_heartbeat_that_was_in_the_topic_counts_from_when_it_was_read(world):
    world.edges.view.ready.clear()
    world.hear(late_s=3600, at=START - timedelta(hours=1))
    assert [edge.live for edge in world.edges.newest()] == [False]
    assert world.life(0) == "alive"
    world.passed_s = 11
    assert world.life(0) == "silent"


def test_an_edge_that_stopped_or_whose_slot_was_taken_is_over(world):
    world.hear()
    world.hear(4)
    world.hear(4, epoch=1, stopped=True)
    world.hear()
    assert (world.life(0), world.life(1, slot=4), world.life(3)) == ("over", "over", "alive")


def test_the_heartbeat_of_an_edge_whose_slot_was_taken_counts_for_nothing(world):
    world.hear()
    world.hear()
    told = []
    world.edges.follow(told.append)
    world.hear(epoch=0)
    assert [edge.epoch for edge in world.edges.newest()] == [1]
    assert told == []


def test_an_edge_that_was_not_heard_yet_is_alive(world):
    assert world.life(5) == "alive"
    world.hear()
    assert world.life(5) == "alive"


def test_who_follows_is_told_of_each_life_and_its_end(world):
    told = []
    world.edges.follow(lambda edge: told.append((edge.slot, edge.epoch, edge.stopped)))
    world.hear()
    world.hear(epoch=0, stopped=True)
    assert told == [(3, 0, False), (3, 0, True)]


def test_a_record_that_is_no_heartbeat_is_passed_over(world):
    world.hear(value=b"?")
    world.hear(value=b'{"slot":"three"}')
    world.edges.view.take(Received(EDGES, 0, 2, "3", None, {}))
    assert world.edges.newest() == []


def test_a_log_that_starts_anew_is_a_new_world(world):
    world.hear(offset=700)
    world.hear(4, offset=0)
    assert [(edge.slot, edge.epoch) for edge in world.edges.newest()] == [(4, 0)]


# Kafka's clock


@pytest.mark.parametrize("ahead_s", [-10, 0, 10])
def test_the_time_is_that_of_kafka_whatever_our_own_clock_says(world, ahead_s):
    world.ahead_s = ahead_s
    world.hear()
    world.passed_s = 5
    clock = world.edges.kafka_clock
    assert abs(clock.now() - world.clock_of_kafka) < timedelta(milliseconds=1)
    assert clock.to_kafka(world.clock()) - clock.now() < timedelta(milliseconds=1)


def test_a_heartbeat_that_was_read_late_does_not_set_the_clock_back(world):
    for late_s in (0.002, 5, 0.3):
        world.hear(late_s=late_s)
        world.passed_s += 3
    assert abs(world.edges.kafka_clock.now() - world.clock_of_kafka) < timedelta(milliseconds=5)


def test_a_clock_that_kafka_set_back_is_followed_after_some_heartbeats(world):
    world.hear(late_s=-60)  # a leader whose clock was ahead
    for _ in range(HEARTBEATS):
        world.hear()
    assert abs(world.edges.kafka_clock.now() - world.clock_of_kafka) < timedelta(milliseconds=1)


def test_before_a_heartbeat_is_read_as_it_comes_our_clock_counts_but_not_against_what_was_read(world):
    clock = world.edges.kafka_clock
    world.edges.view.ready.clear()
    world.ahead_s = -10
    assert clock.now() == world.clock()
    world.hear(late_s=2)
    assert clock.now() == world.clock_of_kafka - timedelta(seconds=2)
    assert not clock.measured
    world.ahead_s = 0
    assert clock.now() == world.clock()


def test_where_kafka_does_not_stamp_our_clock_counts_and_health_says_so(world):
    world.ahead_s = -10
    world.hear()
    world.hear(stamped=False, at=world.clock() + timedelta(hours=1))
    assert world.edges.kafka_clock.now() == world.clock()
    (warning,) = world.edges.warnings()
    assert "message.timestamp.type" in warning


def test_the_topic_of_edges_is_declared_to_be_stamped_by_kafka():
    assert TOPICS[EDGES].config()["message.timestamp.type"] == "LogAppendTime"


# How far apart clocks are


def test_a_clock_that_is_off_by_more_than_two_seconds_is_named(world):
    world.ahead_s = -10
    world.hear(at=START + timedelta(seconds=7.5))
    world.hear(4, at=START + timedelta(seconds=1.9))
    assert world.edges.warnings() == [
        "the clock of command is 10.0 s behind Kafka's",
        "the clock of edge/3 is 7.5 s ahead of Kafka's",
    ]
    skews = {name: round(skew_s, 2) for name, skew_s in world.edges.skews_s().items()}
    assert skews == {"command": -10, "edge/3": 7.5, "edge/4": 1.9}


async def test_clocks_that_are_off_stand_in_the_health_of_the_process():
    process = Process(RuntimeSettings(), "command")
    assert await process._degraded() == {}
    at = process.clock() + timedelta(minutes=1)
    stamp_ms = int(process.clock().timestamp() * 1000)
    heartbeat = EdgeHeartbeat(3, "edge-a", at).record()
    process.edges.apply(Received(EDGES, 0, 0, "3", heartbeat.value, {}, stamp_ms, stamped_by_kafka=True))
    assert await process._degraded() == {"clocks": ["the clock of edge/3 is 60.0 s ahead of Kafka's"]}


def test_a_heartbeat_that_waited_for_kafka_is_no_slow_clock(world):
    world.hear()
    world.hear(epoch=0, at=START - timedelta(seconds=8))
    assert world.edges.warnings() == []


def test_an_edge_that_stopped_is_not_named_any_more(world):
    world.hear(at=START + timedelta(seconds=60))
    world.hear(epoch=0, stopped=True)
    assert world.edges.warnings() == []


def test_a_new_edge_on_a_slot_is_not_judged_by_the_clock_of_the_one_before(world):
    world.hear(at=START + timedelta(seconds=60))
    world.hear()
    assert world.edges.warnings() == []
