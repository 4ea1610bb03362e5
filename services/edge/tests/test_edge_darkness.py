"""Light, stall and dark: what decides between them, and what is done about it."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from chargebus_edge.counts import Counts
from chargebus_edge.log.darkness import Darkness
from chargebus_edge.log.kafka_health import HealthLimits, KafkaHealth
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.uplink import Uplink
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent

LIMITS = HealthLimits(stall_s=3, dark_s=8, steady_s=60, first_pause_s=5, longest_pause_s=60)


# The health


def test_the_watch_goes_from_light_to_stalled_to_dark_and_back():
    health = KafkaHealth(LIMITS)
    assert health.look(10, None) == "light"
    assert health.look(10, 7) == "light"
    assert health.look(10, 6.9) == "stalled"
    assert health.look(11, 10) == "light"
    assert health.look(20, 11) == "dark"
    assert health.look(21, None) == "dark"
    health.acknowledged()
    assert health.look(22, None) == "light"


def test_a_heartbeat_does_not_end_a_stall_that_frames_are_in():
    health = KafkaHealth(LIMITS)
    health.look(10, 5)
    health.acknowledged()
    assert health.look(10, 5) == "stalled"


def test_a_heartbeat_from_before_the_dark_does_not_end_it():
    health = KafkaHealth(LIMITS)
    health.acknowledged()
    assert [health.look(now, 10) for now in (19, 20)] == ["dark", "dark"]


def dark_s(health, now):
    """Go dark, with a heartbeat acknowledged each second; return how long it lasted."""
    assert health.look(now, now - 9) == "dark"
    for seconds in range(1, 200):
        health.acknowledged()
        if health.look(now + seconds, None) == "light":
            return seconds
    return None


def test_the_dark_after_a_short_light_lasts_longer_each_time_within_a_bound():
    health, now, lasted = KafkaHealth(LIMITS), 1000, []
    for _ in range(7):
        lasted.append(dark_s(health, now))
        now += lasted[-1] + 10
    assert lasted == [1, 5, 10, 20, 40, 60, 60]


def test_after_a_steady_light_the_dark_is_as_short_as_the_first():
    health, now, lasted = KafkaHealth(LIMITS), 1000, []
    for light_s in (10, 59, 60, 10):
        lasted.append(dark_s(health, now))
        now += lasted[-1] + light_s
    assert lasted == [1, 5, 10, 1]


def test_a_heartbeat_that_was_acknowledged_before_the_pause_was_over_does_not_end_the_dark():
    health = KafkaHealth(LIMITS)
    dark_s(health, 1000)
    health.look(1010, 1001)
    health.acknowledged()
    assert [health.look(now, None) for now in (1012, 1015, 1016)] == ["dark", "dark", "dark"]
    health.acknowledged()
    assert health.look(1017, None) == "light"


# What is done


class PlayedProducer:
    """Acknowledges what it is handed, but for some topics: those it keeps, or refuses."""

    def __init__(self):
        self.kept = {}
        self.refused = set()

    async def hand_over(self, records):
        for outgoing in records:
            topic = outgoing.record.topic
            if topic in self.kept:
                self.kept[topic].append(outgoing)
            elif topic in self.refused:
                asyncio.get_running_loop().call_soon(outgoing.told, TopicAuthorizationFailedError(topic))
            else:
                asyncio.get_running_loop().call_soon(outgoing.told, Sent(0, 0))


class PlayedConnections(list):
    quiet = False

    def __init__(self):
        super().__init__()
        self.holds = []

    def hold(self, reason):
        self.holds.append(reason)

    def release(self, reason):
        self.holds.clear()


@pytest.fixture
async def world():
    now, producer = [0.0], PlayedProducer()
    uplink = Uplink(producer, lambda: now[0], SimpleNamespace(record=lambda amount: None))
    slot = SimpleNamespace(number=3, waiting_since=None)
    health, obstacles = KafkaHealth(LIMITS), Obstacles(10)
    obstacles.remove("starting")
    counts = Counts(lambda: now[0])
    connections = PlayedConnections()
    darkness = Darkness(health, connections, uplink, slot, obstacles, counts, lambda: now[0], spread_s=1)
    handing = asyncio.create_task(uplink.run())

    async def pass_s(seconds, *, heartbeats=True):
        """Let time pass in steps of half a second; a heartbeat is acknowledged at each."""
        for _ in range(seconds * 2):
            now[0] += 0.5
            if heartbeats:
                health.acknowledged()
            for _ in range(5):
                await asyncio.sleep(0)
            darkness.look()

    yield SimpleNamespace(
        now=now,
        producer=producer,
        uplink=uplink,
        slot=slot,
        health=health,
        obstacles=obstacles,
        connections=connections,
        darkness=darkness,
        pass_s=pass_s,
    )
    handing.cancel()
    await asyncio.gather(handing, return_exceptions=True)


def frame(name="CP1"):
    return Record("frames", name, b"")


async def test_an_edge_reads_nothing_from_the_stall_to_the_light(world):
    world.slot.waiting_since = 0.0
    await world.pass_s(4, heartbeats=False)
    assert (world.health.state, set(world.connections.holds)) == ("stalled", {"kafka"})
    await world.pass_s(6, heartbeats=False)
    assert (world.health.state, set(world.connections.holds)) == ("dark", {"kafka"})
    world.slot.waiting_since = None
    await world.pass_s(1)
    assert (world.health.state, world.connections.holds) == ("light", [])


async def test_an_edge_that_looks_up_late_and_goes_dark_at_once_reads_nothing_either(world):
    world.slot.waiting_since = 0.0
    world.now[0] = 20.0
    world.darkness.look()
    assert (world.health.state, world.connections.holds) == ("dark", ["kafka"])


async def test_a_report_that_kafka_does_not_take_does_not_darken_the_edge(world):
    world.producer.kept = {"deliveries": []}
    world.uplink.post(Record("deliveries", "CP1", b""))
    await world.pass_s(20)
    assert world.health.state == "light"
    assert world.obstacles.first is None


async def test_a_report_that_kafka_does_not_take_does_not_keep_the_edge_dark(world):
    world.producer.kept = {"deliveries": [], "frames": []}
    world.uplink.post(Record("deliveries", "CP1", b""))
    world.uplink.publish(frame(), lambda sent: None)
    await world.pass_s(9, heartbeats=False)
    assert world.obstacles.first == "dark"
    del world.producer.kept["frames"]
    await world.pass_s(1)
    assert world.obstacles.first is None
    assert len(world.uplink) == 1


async def test_a_report_that_kafka_refuses_does_not_darken_the_edge(world):
    world.producer.refused = {"deliveries"}
    world.uplink.post(Record("deliveries", "CP1", b""))
    await world.pass_s(20)
    assert world.obstacles.first is None


async def test_a_frame_that_is_read_in_the_dark_is_given_up_and_does_not_prolong_it(world):
    world.producer.kept = {"frames": []}
    world.uplink.publish(frame(), lambda sent: None)
    await world.pass_s(9, heartbeats=False)
    told = []
    world.uplink.publish(frame(), told.append)
    await world.pass_s(10, heartbeats=False)
    assert told == [None]
    await world.pass_s(1)
    assert world.obstacles.first is None


async def test_a_partition_that_stays_away_closes_the_stations_ever_more_seldom(world):
    world.producer.kept = {"frames": []}
    darks = 0
    for _ in range(300):
        was = world.health.state
        if was == "light" and world.uplink.oldest() is None:
            world.uplink.publish(frame(), lambda sent: None)
        await world.pass_s(1)
        darks += (was, world.health.state) in {("stalled", "dark"), ("light", "dark")}
    assert 4 <= darks <= 8


async def test_the_log_says_what_it_was_that_kafka_did_not_acknowledge(world, caplog):
    world.producer.kept = {"frames": []}
    world.slot.waiting_since = 5.0
    world.uplink.publish(frame("CP7"), lambda sent: None)
    await world.pass_s(9, heartbeats=False)
    assert "missed: a record for frames with the key 'CP7'" in caplog.text
    assert "slot 3" not in caplog.text


async def test_the_log_says_so_if_it_was_the_heartbeat(world, caplog):
    world.slot.waiting_since = 0.0
    await world.pass_s(9, heartbeats=False)
    assert "missed: the heartbeat of slot 3" in caplog.text
