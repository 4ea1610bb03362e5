"""One connection with a socket that the test plays: what is held back, and when it is given up."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from chargebus_edge.connection import Connection, ConnectionParts, Station
from chargebus_edge.frame_records import Stamp
from chargebus_edge.limits import ConnectionLimits
from chargebus_edge.registry import Admission
from chargebus_edge.tally import Tally
from chargebus_runtime.producer import Sent
from chargebus_runtime.telemetry import Tracing

LIMITS = ConnectionLimits(unacknowledged=4, ping_after_s=60, pong_within_s=30, silent_for_s=900)
BAD = b'[2,"a","Nonsense",{}]'
GOOD = b'[2,"a","Heartbeat",{}]'


class PlayedSocket:
    def __init__(self):
        self.congested = False
        self.did = []
        self.texts = []

    def write(self, text):
        self.texts.append(text)

    def __getattr__(self, name):
        return lambda *values: self.did.append((name, *values))


@pytest.fixture
def world():
    now = [0.0]
    published = []
    uplink = SimpleNamespace(publish=lambda record, done: published.append(done), post=lambda record: None)
    clock = lambda: datetime(2024, 5, 1, tzinfo=UTC)  # noqa: E731
    gone = []
    parts = ConnectionParts(
        slot=0,
        uplink=uplink,
        tally=Tally(lambda: now[0]),
        clock=clock,
        stamp=Stamp(clock),
        monotonic=lambda: now[0],
        limits=LIMITS,
        tracing=Tracing(enabled=False),
        gone=gone.append,
    )
    socket = PlayedSocket()
    connection = Connection(Station("CP1", "1.6", Admission("", "accepted")), socket, parts)
    connection.announced(7)
    return SimpleNamespace(
        connection=connection, socket=socket, now=now, published=published, gone=gone, tally=parts.tally
    )


def test_a_station_that_is_ahead_of_kafka_is_read_again_when_half_is_acknowledged(world):
    for _ in range(4):
        world.connection.received(GOOD)
    assert world.socket.did == [("hold",)]
    world.published.pop(0)(Sent(0, 1))
    assert world.socket.did == [("hold",)]
    world.published.pop(0)(Sent(0, 2))
    assert world.socket.did == [("hold",), ("release",)]


def test_a_station_that_does_not_read_its_answers_is_not_read_either(world):
    world.socket.congested = True
    world.connection.received(BAD)
    assert world.socket.did == [("hold",)]
    world.socket.congested = False
    world.connection.sweep(1.0)
    assert world.socket.did == [("hold",), ("release",)]


def test_a_station_that_goes_on_not_reading_is_dropped(world):
    world.socket.congested = True
    world.connection.received(BAD)
    world.connection.sweep(29.0)
    assert not world.connection.ended
    world.connection.sweep(30.0)
    assert world.connection.ended
    assert world.socket.did[-1] == ("cut",)
    assert world.tally.drops == {"not reading": 1}


def test_a_silent_station_is_pinged_and_in_the_end_dropped(world):
    for now in (59.0, 60.0, 899.0):
        world.connection.sweep(now)
    assert world.socket.did == [("poke",)]
    world.connection.sweep(900.0)
    assert world.tally.drops == {"silent": 1}
    assert world.gone == [world.connection]


def test_what_is_acknowledged_after_the_end_is_not_answered(world):
    world.connection.received(GOOD)
    world.connection.close(1000, "enough")
    world.published.pop()(Sent(0, 1))
    world.connection.received(GOOD)
    assert world.socket.texts == []
    assert world.published == []
    assert world.gone == [world.connection]


def test_frames_are_counted_by_what_became_of_them_under_names_that_we_know(world):
    world.connection.received(GOOD)
    world.connection.received(b'[2,"b","Authorize",{}]')
    world.connection.received(b'[2,"c","\\u0000whatever",{}]')
    assert world.tally.frames == {
        ("1.6", "Heartbeat", "published"): 1,
        ("1.6", "Authorize", "refused"): 1,
        ("1.6", "unknown", "refused"): 1,
    }
