"""The spine's session: decides frames in batches, each in a database transaction, and then publishes the answers."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from chargebus_bench.spine.road import ACTION, DOWN, MESSAGE_ID, TO_SESSION, producer, say_ready
from chargebus_bench.spine.store import Store

_MOST_AT_ONCE = 2000

Batch = Mapping[TopicPartition, Sequence[ConsumerRecord]]

Answer = tuple[bytes, bytes, bytes]
"""Station, message id, body."""

_encode = msgspec.msgpack.encode


class _Payload(msgspec.Struct, rename="camel"):
    """What is read of a request; the fields that it has not keep their defaults."""

    id_tag: str | None = None
    meter_start: float = 0.0
    meter_stop: float = 0.0
    timestamp: str = ""
    transaction_id: int = 0


_decode_payload = msgspec.json.Decoder(_Payload).decode
_decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode


@dataclass(slots=True)
class _Request:
    station: bytes
    message_id: bytes
    action: bytes
    payload: _Payload


class _Session:
    """Takes batches of frames; each is handled once, however often it is read."""

    def __init__(self, store: Store, producer: AIOKafkaProducer) -> None:
        self._store = store
        self._producer = producer
        self._published: list[int] = []

    async def handle(self, batch: Batch) -> None:
        """Decide a batch in one database transaction, then publish its answers."""
        store = self._store
        async with store.transaction():
            positions = await store.positions([source.partition for source in batch])
            requests = _not_handled(batch, positions)
            if not requests:
                return
            answers = await self._decide(requests)
            letter = await store.keep(_encode(answers))
            await store.advance({source.partition: records[-1].offset + 1 for source, records in batch.items()})
            if self._published:
                await store.remove(self._published)
        self._published.clear()
        await self._publish(letter, answers)

    async def publish_kept(self) -> None:
        """Publish what a former process decided and perhaps did not come to publish."""
        for letter, answers in await self._store.kept():
            await self._publish(letter, _decode_answers(answers))

    async def _decide(self, requests: Sequence[_Request]) -> list[Answer]:
        tags = {tag for request in requests if (tag := request.payload.id_tag) is not None}
        known = await self._store.known(tags)
        started = iter(await self._start(requests))
        await self._stop(requests)
        now = datetime.now(UTC).isoformat(timespec="seconds").encode()
        answers: list[Answer] = []
        for request in requests:
            if request.action == b"BootNotification":
                body = b'{"status":"Accepted","currentTime":"%b","interval":300}' % now
            else:
                status = b"Accepted" if request.payload.id_tag in known else b"Invalid"
                issued = b'"transactionId":%d,' % next(started) if request.action == b"StartTransaction" else b""
                body = b'{%b"idTagInfo":{"status":"%b"}}' % (issued, status)
            answers.append((request.station, request.message_id, body))
        return answers

    async def _start(self, requests: Sequence[_Request]) -> list[int]:
        starts = [
            (request.station.decode(), payload.id_tag or "", payload.meter_start, payload.timestamp)
            for request in requests
            if request.action == b"StartTransaction" and (payload := request.payload)
        ]
        return await self._store.start(starts) if starts else []

    async def _stop(self, requests: Sequence[_Request]) -> None:
        stops = [
            (payload.transaction_id, payload.meter_stop, payload.timestamp)
            for request in requests
            if request.action == b"StopTransaction" and (payload := request.payload)
        ]
        if stops:
            await self._store.stop(stops)

    async def _publish(self, letter: int, answers: Sequence[Answer]) -> None:
        """Send answers and wait until Kafka has them; they leave the outbox with the next batch."""
        sent = [
            await self._producer.send(DOWN, body, station, partition=0, headers=[(MESSAGE_ID, message_id)])
            for station, message_id, body in answers
        ]
        await asyncio.gather(*sent)
        self._published.append(letter)


def _not_handled(batch: Batch, positions: Mapping[int, int]) -> list[_Request]:
    return [
        _request(record)
        for source, records in batch.items()
        for record in records
        if record.offset >= positions[source.partition]
    ]


def _request(record: ConsumerRecord) -> _Request:
    headers = dict(record.headers)
    return _Request(record.key, headers[MESSAGE_ID], headers[ACTION], _decode_payload(record.value))


async def _main(bootstrap_servers: str, database_url: str) -> None:
    sender = producer(bootstrap_servers)
    consumer = AIOKafkaConsumer(
        TO_SESSION,
        bootstrap_servers=bootstrap_servers,
        group_id="spine.session",
        enable_auto_commit=False,  # the offsets are in the database
        auto_offset_reset="earliest",
    )
    connection = await asyncpg.connect(database_url)
    async with sender, consumer:
        session = _Session(Store(connection), sender)
        await session.publish_kept()
        say_ready()
        while True:
            batch = await consumer.getmany(timeout_ms=1000, max_records=_MOST_AT_ONCE)
            if batch:
                await session.handle(batch)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2]))
