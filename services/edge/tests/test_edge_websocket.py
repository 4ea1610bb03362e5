"""A station's WebSocket on a real socket: what ends the conversation before TCP does, and what is a sign of life."""

import asyncio
import json
import socket as sockets
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_edge.rpc import websocket
from chargebus_events.commands import Command, Delivery
from chargebus_events.presence import Presence
from chargebus_testkit.waiting import until
from websockets.exceptions import ConnectionClosed

CLOSE, TEXT, BINARY, CONTINUATION, PING, PONG = 0x88, 0x81, 0x82, 0x80, 0x89, 0x8A
HEARTBEAT = b'[2,"hb","Heartbeat",{}]'


def frame(head, payload=b""):
    """Return a short frame as a client sends it."""
    return bytes([head, 0x80 | len(payload)]) + bytes(4) + payload


NORMAL = frame(CLOSE, b"\x03\xe8")
FRAGMENT = frame(0x01, b"[") + frame(0x00, b" ") * (websocket.MAX_FRAGMENTS + 1)
ENDINGS = {
    "a Close frame": NORMAL,
    "a compressed frame": frame(0xC1),
    "a frame that is too big": bytes([TEXT, 0xFF]) + (2**40).to_bytes(8, "big") + bytes(4),
    "a binary message": frame(BINARY, b"\x01"),
    "too many fragments": FRAGMENT,
}


class RawStation:
    """A station that writes what it likes and, once it is mute, reads nothing: not even that it is to go."""

    def __init__(self, edge, client):
        self.edge = edge
        self.client = client
        (self.connection,) = edge.connections.of("CP1")

    async def speak(self):
        """Say something, so that it may be called."""
        await self.client.send(HEARTBEAT.decode())
        await self.client.recv()

    def write(self, *frames):
        self.client.transport.pause_reading()
        self.client.transport.write(b"".join(frames))

    def command(self, command_id):
        sent_at = datetime.now(UTC)
        fields = (command_id, "CP1", "ClearCache", b"{}", 0, self.connection.epoch, 30.0, sent_at)
        self.edge.send_down(Command(*fields).record())

    async def outcomes(self, count):
        records = await self.edge.kafka.until("ocpp.deliveries", count)
        deliveries = [msgspec.json.decode(record.value, type=Delivery) for record in records]
        return {delivery.command_id: delivery.result for delivery in deliveries}

    async def ended_in_log(self):
        records = await self.edge.kafka.until("ocpp.presence", 2)
        end = msgspec.json.decode(records[1].value, type=Presence)
        return (end.connected, end.epoch) == (False, self.connection.epoch)


async def connected(edge):
    client = await edge.connect("CP1")
    await until(lambda: [connection.epoch for connection in edge.connections] == [0])
    return RawStation(edge, client)


@pytest.fixture
async def station(edge):
    station = await connected(edge)
    yield station
    station.client.transport.abort()
    await station.client.wait_closed()


@pytest.mark.parametrize("ending", ENDINGS)
async def test_who_ends_the_conversation_is_gone_at_once_and_cut_in_time(station, monkeypatch, ending):
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.3)
    await station.speak()
    station.write(ENDINGS[ending])
    assert await station.ended_in_log()
    station.command("c-1")
    assert await station.outcomes(1) == {"c-1": "undeliverable"}
    assert station.edge.edge.server._parts.counts.events["unreadable"] == (ENDINGS[ending] != NORMAL)
    await asyncio.wait_for(station.connection.socket.wait_closed(), 180)


async def test_what_came_before_the_close_in_one_read_counts_and_a_command_after_it_was_not_written(station):
    await station.speak()
    station.command("c-1")
    station.command("c-2")
    await station.client.recv()
    station.write(frame(TEXT, b'[3,"c-1",{"status":"Accepted"}]'), frame(TEXT, HEARTBEAT), NORMAL)
    assert await station.outcomes(2) == {"c-1": "answered", "c-2": "undeliverable"}
    assert len(await station.edge.published("device", 2)) == 2


async def test_what_comes_after_a_refused_message_does_not_count(station):
    station.write(frame(BINARY, b"\x01"), frame(TEXT, HEARTBEAT))
    assert await station.ended_in_log()
    assert station.edge.kafka.log["ocpp.frames.device"] == []


async def test_a_station_that_says_goodbye_while_it_is_not_read_any_further_is_not_cut(run_edge, monkeypatch):
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 120)
    async with run_edge(max_open_calls=1) as edge:
        edge.register("CP1")
        station = await connected(edge)
        edge.kafka.hold()
        station.write(frame(TEXT, HEARTBEAT), NORMAL)
        station.client.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await station.client.recv()
        await asyncio.wait_for(station.connection.socket.wait_closed(), websocket.CLOSE_TIMEOUT_S / 2)


# Signs of life


async def test_only_a_pong_shows_that_a_station_answers_pings(run_edge):
    async with run_edge(ping_after_s=0.3) as edge:
        edge.register("CP1")
        station = await connected(edge)
        client, liveness = station.client, station.connection._keepalive
        for others in (frame(PING), frame(0x01, b'[2,"hb",') + frame(0x00, b'"Heart')):
            client.transport.pause_reading()
            await until(lambda: liveness._pinged_at is not None)
            heard_at = liveness._silent_since
            station.write(others)
            await until(lambda before=heard_at: liveness._silent_since > before)
            assert not liveness._answers_pings
        await until(lambda: liveness._pinged_at is not None)
        station.write(frame(PONG))
        await until(lambda: liveness._answers_pings)
        client.transport.resume_reading()
        station.write(frame(CONTINUATION, b'beat",{}]'))
        client.transport.resume_reading()
        assert json.loads(await client.recv())[:2] == [3, "hb"]


# The door


async def test_a_fleet_that_comes_back_at_once_queues(edge):
    port = edge.edge.server.port
    with ExitStack() as fleet:
        for _ in range(120):  # nobody accepts meanwhile: this test does not let the edge run
            fleet.enter_context(sockets.create_connection(("127.0.0.1", port), timeout=0.5))
