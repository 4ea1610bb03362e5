"""Light, stall and dark: what decides between them, and what is done about it."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from chargebus_edge.darkness import Darkness
from chargebus_edge.gate import Gate
from chargebus_edge.tally import Tally
from chargebus_edge.uplink import Uplink
from chargebus_edge.watch import KafkaWatch, WatchLimits
from chargebus_events.record import Record
from chargebus_runtime.producer import Sent

LIMITS = WatchLimits(stall_s=3, dark_s=8, steady_s=60, first_pause_s=5, longest_pause_s=60)


# The watch


def test_the_watch_goes_from_light_to_stalled_to_dark_and_back():
    watch = KafkaWatch(LIMITS)
    assert watch.look(10, None) == "light"
    assert watch.look(10, 7) == "light"
    assert watch.look(10, 6.9) == "stalled"
    assert watch.look(11, 10) == "light"
    assert watch.look(20, 11) == "dark"
    assert watch.look(21, None) == "dark"
    watch.acknowledged()
    assert watch.look(22, None) == "light"


def test_a_heartbeat_does_not_end_a_stall_that_frames_are_in():
    watch = KafkaWatch(LIMITS)
    watch.look(10, 5)
    watch.acknowledged()
    assert watch.look(10, 5) == "stalled"


def test_a_heartbeat_from_before_the_dark_does_not_end_it():
    watch = KafkaWatch(LIMITS)
    watch.acknowledged()
    assert [watch.look(now, 10) for now in (19, 20)] == ["dark", "dark"]


def dark_s(watch, now):
    """Go dark, with a heartbeat acknowledged each second; return how long it lasted."""
    assert watch.look(now, now - 9) == "dark"
    for seconds in range(1, 200):
        watch.acknowledged()
        if watch.look(now + seconds, None) == "light":
            return seconds
    return None


def test_the_dark_after_a_short_light_lasts_longer_each_time_within_a_bound():
    watch, now, lasted = KafkaWatch(LIMITS), 1000, []
    for _ in range(7):
        lasted.append(dark_s(watch, now))
        now += lasted[-1] + 10
    assert lasted == [1, 5, 10, 20, 40, 60, 60]


def test_after_a_steady_light_the_dark_is_as_short_as_the_first():
    watch, now, lasted = KafkaWatch(LIMITS), 1000, []
    for light_s in (10, 59, 60, 10):
        lasted.append(dark_s(watch, now))
        now += lasted[-1] + light_s
    assert lasted == [1, 5, 10, 1]


def test_a_heartbeat_that_was_acknowledged_before_the_pause_was_over_does_not_end_the_dark():
    watch = KafkaWatch(LIMITS)
    dark_s(watch, 1000)
    watch.look(1010, 1001)
    watch.acknowledged()
    assert [watch.look(now, None) for now in (1012, 1015, 1016)] == ["dark", "dark", "dark"]
    watch.acknowledged()
    assert watch.look(1017, None) == "light"


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


@pytest.fixture
async def world():
    now, producer = [0.0], PlayedProducer()
    uplink = Uplink(producer, lambda: now[0], SimpleNamespace(record=lambda amount: None))
    slot = SimpleNamespace(number=3, waiting_since=None)
    watch, gate = KafkaWatch(LIMITS), Gate(10)
    gate.clear("starting")
    tally = Tally(lambda: now[0])
    darkness = Darkness(watch, PlayedConnections(), uplink, slot, gate, tally, lambda: now[0], spread_s=1)
    handing = asyncio.create_task(uplink.run())

    async def pass_s(seconds, *, heartbeats=True):
        """Let time pass in steps of half a second; a heartbeat is acknowledged at each."""
        for _ in range(seconds * 2):
            now[0] += 0.5
            if heartbeats:
                watch.acknowledged()
            for _ in range(5):
                await asyncio.sleep(0)
            darkness.look()

    yield SimpleNamespace(now=now, producer=producer, uplink=uplink, slot=slot, watch=watch, gate=gate, pass_s=pass_s)
    handing.cancel()
    await asyncio.gather(handing, return_exceptions=True)


def frame(name="CP1"):
    return Record("frames", name, b"")


async def test_a_report_that_kafka_does_not_take_does_not_darken_the_edge(world):
    world.producer.kept = {"deliveries": []}
    world.uplink.post(Record("deliveries", "CP1", b""))
    await world.pass_s(20)
    assert world.watch.light == "light"
    assert world.gate.obstacle is None


async def test_a_report_that_kafka_does_not_take_does_not_keep_the_edge_dark(world):
    world.producer.kept = {"deliveries": [], "frames": []}
    world.uplink.post(Record("deliveries", "CP1", b""))
    world.uplink.publish(frame(), lambda sent: None)
    await world.pass_s(9, heartbeats=False)
    assert world.gate.obstacle == "dark"
    del world.producer.kept["frames"]
    await world.pass_s(1)
    assert world.gate.obstacle is None
    assert len(world.uplink) == 1


async def test_a_report_that_kafka_refuses_does_not_darken_the_edge(world):
    world.producer.refused = {"deliveries"}
    world.uplink.post(Record("deliveries", "CP1", b""))
    await world.pass_s(20)
    assert world.gate.obstacle is None


async def test_a_frame_that_is_read_in_the_dark_is_given_up_and_does_not_prolong_it(world):
    world.producer.kept = {"frames": []}
    world.uplink.publish(frame(), lambda sent: None)
    await world.pass_s(9, heartbeats=False)
    told = []
    world.uplink.publish(frame(), told.append)
    await world.pass_s(10, heartbeats=False)
    assert told == [None]
    await world.pass_s(1)
    assert world.gate.obstacle is None


async def test_a_partition_that_stays_away_closes_the_stations_ever_more_seldom(world):
    world.producer.kept = {"frames": []}
    darks = 0
    for _ in range(300):
        was = world.watch.light
        if was == "light" and world.uplink.oldest() is None:
            world.uplink.publish(frame(), lambda sent: None)
        await world.pass_s(1)
        darks += (was, world.watch.light) in {("stalled", "dark"), ("light", "dark")}
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
