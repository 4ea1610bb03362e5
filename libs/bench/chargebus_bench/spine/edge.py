"""The spine's edge: puts every frame of its stations into Kafka, and brings them their answers."""

import sys
import time
from asyncio import Future
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from zlib import crc32

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidState
from websockets.typing import Subprotocol

from chargebus_bench.spine.road import (
    ACTION,
    DOWN,
    MESSAGE_ID,
    PARTITIONS,
    TIME,
    TO_NOBODY,
    TO_SESSION,
    producer,
    say_ready,
)

_HOST = "127.0.0.1"
_SUBPROTOCOL = Subprotocol("ocpp1.6")
_DECIDED_BY_SESSION = frozenset({"Authorize", "BootNotification", "StartTransaction", "StopTransaction"})

_decode = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw]).decode


class _Edge:
    """The connected stations, and the way of their frames."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._connections: dict[bytes, ServerConnection] = {}

    async def serve(self, connection: ServerConnection) -> None:
        """Take a station's frames until it is gone."""
        station = connection.request.path.rpartition("/")[2].encode() if connection.request else b""
        partition = crc32(station) % PARTITIONS[TO_SESSION]
        self._connections[station] = connection
        try:
            while True:
                await self._take(connection, station, partition, await connection.recv(decode=False))
        except ConnectionClosed:
            del self._connections[station]

    async def _take(self, connection: ServerConnection, station: bytes, partition: int, frame: bytes) -> None:
        _, message_id, action, payload = _decode(frame)
        decided_by_session = action in _DECIDED_BY_SESSION
        key = message_id.encode()
        headers = [(MESSAGE_ID, key), (ACTION, action.encode()), (TIME, b"%f" % time.time())]
        topic = TO_SESSION if decided_by_session else TO_NOBODY
        sent = await self._producer.send(topic, bytes(payload), station, partition=partition, headers=headers)
        if not decided_by_session:
            sent.add_done_callback(partial(_acknowledged, connection, key, action))

    def answer(self, record: ConsumerRecord) -> None:
        """Bring a station the answer of session, if the station is still there."""
        connection = self._connections.get(record.key)
        if connection is not None:
            _send(connection, record.headers[0][1], record.value)


def _acknowledged(connection: ServerConnection, message_id: bytes, action: str, sent: "Future[object]") -> None:
    """Answer a frame that is safe in Kafka; one that is not stays without an answer, and the station asks again."""
    if sent.exception() is None:
        _send(connection, message_id, _time() if action == "Heartbeat" else b"{}")


def _time() -> bytes:
    return b'{"currentTime":"%b"}' % datetime.now(UTC).isoformat(timespec="seconds").encode()


def _send(connection: ServerConnection, message_id: bytes, body: bytes) -> None:
    """Write an answer at once: `connection.send` would be a coroutine and two locks for each."""
    try:
        connection.protocol.send_text(b'[3,"%b",%b]' % (message_id, body))
    except InvalidState:  # the station is just leaving
        return
    connection.send_data()


@asynccontextmanager
async def _answers(bootstrap_servers: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a reader of all answers from now on."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        partition = TopicPartition(DOWN, 0)
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        await consumer.position(partition)
        yield consumer


async def _main(bootstrap_servers: str, port: int) -> None:
    sender = producer(bootstrap_servers)
    async with sender, _answers(bootstrap_servers) as answers:
        edge = _Edge(sender)
        async with serve(
            edge.serve,
            _HOST,
            port,
            compression=None,
            subprotocols=[_SUBPROTOCOL],
            ping_interval=None,
        ):
            say_ready()
            while True:
                for records in (await answers.getmany(timeout_ms=1000)).values():
                    for record in records:
                        edge.answer(record)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2])))
