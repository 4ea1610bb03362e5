"""The process's one Kafka producer: idempotent, `acks=all`, and outliving the errors that end aiokafka's own."""

import asyncio
import logging
from collections.abc import Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)
from chargebus_events.record import Record
from chargebus_events.topics import MAX_RECORD_BYTES

from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.retry import until_done

log = logging.getLogger(__name__)

# After these, aiokafka's client never sends again on the partition; plain KafkaError is its sender's sudden end.
_BROKEN = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced, UnknownProducerId)


class Sent(NamedTuple):
    """Where Kafka acknowledged a record."""

    partition: int
    offset: int


class Producer:
    """Sends records. Order is kept per partition; a record is acknowledged by all in-sync replicas or raises."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._in_turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; waits for Kafka as long as it takes."""
        await until_done("connecting to Kafka", self._connected, KafkaError, OSError)

    async def stop(self) -> None:
        """Flush and close."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def enqueue(self, record: Record) -> "asyncio.Future[Sent]":
        """Hand a record to the client and return the future of its acknowledgement.

        Raises:
            KafkaError: the client cannot take it now; nothing was sent.
        """
        producer = self._producer or await self._connected()
        try:
            future: asyncio.Future[Sent] = await producer.send(
                record.topic,
                record.value,
                record.key.encode(),
                partition=record.partition,
                headers=list(record.headers),
            )
        except KafkaError as error:
            await self._drop_broken(producer, error)
            raise
        return future

    async def send(self, record: Record) -> Sent:
        """Send one record and wait for Kafka's acknowledgement.

        Raises:
            KafkaError: Kafka refused it or the client failed; it may have been written all the same.
        """
        producer = self._producer
        future = await self.enqueue(record)
        try:
            metadata = await future
        except KafkaError as error:
            await self._drop_broken(producer, error)
            raise
        return Sent(metadata.partition, metadata.offset)

    async def publish(self, records: Iterable[Record]) -> None:
        """Send all records and wait until all are acknowledged, however long Kafka is away.

        Callers take turns, so that records of one key go out in the order of the calls. After an error all of them
        are sent again: a record may go out twice, never less than once.
        """
        batch = list(records)
        if batch:
            await until_done(f"publishing {len(batch)} records", lambda: self._publish(batch), KafkaError)

    async def _publish(self, records: list[Record]) -> None:
        async with self._in_turn:
            futures = [await self.enqueue(record) for record in records]
            producer = self._producer
        results = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                if isinstance(result, KafkaError):
                    await self._drop_broken(producer, result)
                raise result

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._connection.client_options(),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=256 * 1024,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=30_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def _drop_broken(self, producer: AIOKafkaProducer | None, error: KafkaError) -> None:
        """Let the next record go through a new client if this one's sequence numbers no longer fit the broker's."""
        broken = isinstance(error, _BROKEN) or type(error) is KafkaError
        if not broken or producer is None or producer != self._producer:
            return
        log.warning("replacing the Kafka producer after %r", error)
        self._producer = None
        try:
            await asyncio.wait_for(producer.stop(), timeout=5)
        except (KafkaError, TimeoutError) as stop_error:
            log.warning("the replaced Kafka producer did not stop cleanly: %r", stop_error)
