"""One connection with a socket that the test plays: what is held back, and when it is given up."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from chargebus_edge.counts import Counts
from chargebus_edge.door.registry import Terms
from chargebus_edge.log.commands import StationCommand
from chargebus_edge.log.frames import Stamp
from chargebus_edge.log.stations import Ending, Station
from chargebus_edge.rpc.connection import ConnectionParts, OcppConnection
from chargebus_edge.rpc.limits import ConnectionLimits, ProtocolLimits
from chargebus_runtime.producer import Sent
from chargebus_runtime.telemetry import Tracing

LIMITS = ConnectionLimits(unacknowledged=4, ping_after_s=60, pong_within_s=30, silent_for_s=900, unseen_s=360)
BAD = b'[2,"a","Nonsense",{}]'
GOOD = b'[2,"a","Heartbeat",{}]'
AUTHORIZE = b'[2,"a","Authorize",{"idTag":"t"}]'
READING = (
    b'[2,"m","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2024-05-01T00:00:00Z",'
    b'"sampledValue":[{"value":"1"}]}]}]'
)


class PlayedSocket:
    def __init__(self):
        self.congested = False
        self.open = True
        self.did = []
        self.texts = []

    def write(self, text):
        self.texts.append(text)
        return self.open

    def __getattr__(self, name):
        return lambda *values: self.did.append((name, *values))


@pytest.fixture
def world():
    now = [0.0]
    published, posted = [], []
    buffered = []
    uplink = SimpleNamespace(
        publish=lambda record, done: published.append(done), post=posted.append, buffer=buffered.append
    )
    clock = lambda: datetime(2024, 5, 1, tzinfo=UTC)  # noqa: E731
    gone, there = [], []
    parts = ConnectionParts(
        slot=0,
        uplink=uplink,
        counts=Counts(lambda: now[0]),
        clock=clock,
        stamp=Stamp(clock),
        seal=None,
        monotonic=lambda: now[0],
        limits=LIMITS,
        tracing=Tracing(enabled=False),
        gone=gone.append,
        there=lambda connection, silence_s: there.append(silence_s),
    )
    socket = PlayedSocket()
    connection = OcppConnection(Station("CP1", "1.6"), Terms("", "accepted"), socket, parts)
    connection.announced(7)
    return SimpleNamespace(
        connection=connection,
        socket=socket,
        now=now,
        published=published,
        posted=posted,
        gone=gone,
        there=there,
        buffered=buffered,
        counts=parts.counts,
        parts=parts,
    )


def test_a_station_that_is_ahead_of_kafka_is_read_again_when_half_is_acknowledged(world):
    for _ in range(4):
        world.connection.received(GOOD)
    assert world.socket.did == [("hold",)]
    world.published.pop(0)(Sent(0, 1))
    assert world.socket.did == [("hold",)]
    world.published.pop(0)(Sent(0, 2))
    assert world.socket.did == [("hold",), ("release",)]


def behind(world):
    """Let a station have sent three calls that a service answers, where one may be open; Kafka has the first."""
    parts = replace(world.parts, limits=replace(LIMITS, protocol=ProtocolLimits(max_open_calls=1, forget_call_s=300)))
    connection = OcppConnection(Station("CP2", "1.6"), Terms("", "accepted"), world.socket, parts)
    connection.announced(8)
    for _ in range(3):
        connection.received(AUTHORIZE)
    world.published.pop(0)(Sent(0, 1))
    return connection


def test_a_station_whose_calls_wait_for_answers_is_not_read_until_none_waits(world):
    connection = behind(world)
    assert world.socket.did == [("hold",)]
    connection.answer(1, b"{}", None)
    assert world.socket.did == [("hold",)]
    connection.answer(2, b"{}", None)
    assert world.socket.did == [("hold",), ("release",)]
    assert len(world.published) == 2


def test_the_end_of_a_darkness_does_not_let_a_station_send_more_while_its_calls_wait(world):
    connection = behind(world)
    connection.hold()
    connection.release()
    assert world.socket.did[-1] == ("hold",)


def test_a_dark_edge_reads_nothing_whatever_is_acknowledged_or_given_up_meanwhile(world):
    for _ in range(4):
        world.connection.received(GOOD)
    world.connection.hold()
    for done in world.published:
        done(None)
    world.connection.tick(1.0)
    assert ("release",) not in world.socket.did
    world.connection.release()
    assert world.socket.did[-1] == ("release",)


def test_a_station_of_which_the_edge_does_not_read_is_neither_pinged_nor_dropped(world):
    world.connection.hold()
    for now in (60.0, 90.0, 900.0):
        world.connection.tick(now)
    assert world.socket.did == [("hold",)]


def test_what_waits_for_the_epoch_or_for_its_turn_is_counted_until_it_is_on_its_way_or_the_connection_ends(world):
    early = OcppConnection(Station("CP2", "1.6"), Terms("", "accepted"), world.socket, world.parts)
    early.received(GOOD)
    early.received(GOOD)
    assert sum(world.buffered) == 2 * len(GOOD)
    early.announced(8)
    assert sum(world.buffered) == 0
    connection = behind(world)
    assert sum(world.buffered) == 2 * len(b'{"idTag":"t"}')
    connection.answer(1, b"{}", None)
    assert sum(world.buffered) == len(b'{"idTag":"t"}')
    connection.end()
    assert sum(world.buffered) == 0


def test_the_silence_of_a_station_that_is_not_read_is_not_its_own(world):
    connection = behind(world)
    for now in (60.0, 90.0, 200.0):
        world.now[0] = now
        connection.tick(now)
    assert world.socket.did == [("hold",)]
    connection.answer(1, b"{}", None)
    connection.answer(2, b"{}", None)
    connection.tick(259.0)
    assert world.socket.did == [("hold",), ("release",)]
    connection.tick(260.0)
    assert world.socket.did[-1] == ("poke",)


def test_what_comes_before_the_epoch_is_known_costs_each_frame_the_same(world):
    connection = OcppConnection(Station("CP2", "1.6"), Terms("", "accepted"), world.socket, world.parts)
    before = time.process_time()
    for _ in range(43_000):
        connection.received(GOOD)
    assert time.process_time() - before < 0.8


def test_what_comes_in_one_read_before_the_epoch_is_known_is_taken_to_the_last_frame(world):
    connection = OcppConnection(Station("CP2", "1.6"), Terms("", "accepted"), world.socket, world.parts)
    for number in range(500):
        connection.received(b'[2,"%d","Heartbeat",{}]' % number)
    connection.announced(8)
    for _ in range(500):
        world.published.pop(0)(Sent(0, 1))
    assert [json.loads(text)[:2] for text in world.socket.texts] == [[3, str(number)] for number in range(500)]
    assert world.socket.did == [("hold",), ("release",)]


def test_a_command_for_a_socket_that_closes_was_not_written(world):
    world.connection.received(GOOD)
    world.socket.open = False
    at = datetime(2024, 5, 1, tzinfo=UTC)
    world.connection.command(StationCommand("c-1", "ClearCache", b"{}", 30.0, at, 1000.0, 1000.0))
    assert [json.loads(record.value)["result"] for record in world.posted] == ["undeliverable"]


def test_a_station_that_does_not_read_its_answers_is_not_read_either(world):
    world.socket.congested = True
    world.connection.received(BAD)
    assert world.socket.did == [("hold",)]
    world.socket.congested = False
    world.connection.tick(1.0)
    assert world.socket.did == [("hold",), ("release",)]


def test_a_station_that_goes_on_not_reading_is_dropped(world):
    world.socket.congested = True
    world.connection.received(BAD)
    world.connection.tick(29.0)
    assert not world.connection.ended
    world.connection.tick(30.0)
    assert world.connection.ended
    assert world.socket.did[-1] == ("cut",)
    assert world.counts.drops == {"not reading": 1}


def test_a_silent_station_is_pinged_and_in_the_end_dropped(world):
    for now in (59.0, 60.0, 899.0):
        world.connection.tick(now)
    assert world.socket.did == [("poke",)]
    world.connection.tick(900.0)
    assert world.counts.drops == {"silent": 1}
    assert world.gone == [world.connection]


def hear(world, now, message):
    world.now[0] = now
    world.connection.received(message)


def test_the_log_learns_that_a_station_is_there_that_sends_device_nothing(world):
    hear(world, 300.0, READING)
    world.connection.tick(359.0)
    assert world.there == []
    world.connection.tick(360.0)
    assert world.there == [60.0]
    hear(world, 700.0, READING)
    world.connection.tick(719.0)
    assert world.there == [60.0]
    world.connection.tick(720.0)
    assert world.there == [60.0, 20.0]


def test_what_device_gets_tells_it_that_a_station_is_there(world):
    hear(world, 300.0, GOOD)
    world.connection.tick(659.0)
    assert world.there == []
    hear(world, 659.0, READING)
    world.connection.tick(660.0)
    assert world.there == [1.0]


def test_the_log_is_not_told_of_a_station_that_said_nothing_since(world):
    world.connection.tick(360.0)
    world.connection.tick(720.0)
    assert world.there == []
    hear(world, 721.0, READING)
    world.connection.tick(722.0)
    assert world.there == [1.0]


def test_the_log_is_not_told_of_a_connection_that_is_not_announced_or_has_ended(world):
    early = OcppConnection(Station("CP2", "1.6"), Terms("", "accepted"), world.socket, world.parts)
    hear(world, 300.0, READING)
    early.received(READING)
    early.tick(360.0)
    world.connection.end()
    world.connection.tick(360.0)
    assert world.there == []


def test_what_is_acknowledged_after_the_end_is_not_answered(world):
    world.connection.received(GOOD)
    world.connection.close(Ending.EDGE_STOPS)
    world.published.pop()(Sent(0, 1))
    world.connection.received(GOOD)
    assert world.socket.texts == []
    assert world.published == []
    assert world.gone == [world.connection]


def test_frames_are_counted_by_what_became_of_them_under_names_that_we_know(world):
    world.connection.received(GOOD)
    world.connection.received(b'[2,"b","Authorize",{}]')
    world.connection.received(b'[2,"c","\\u0000whatever",{}]')
    assert world.counts.frames == {
        ("1.6", "Heartbeat", "published"): 1,
        ("1.6", "Authorize", "refused"): 1,
        ("1.6", "unknown", "refused"): 1,
    }
