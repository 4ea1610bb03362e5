"""The load of commands to stations: over HTTP as an operator sends them, and on Kafka as a service does."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from time import perf_counter

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from chargebus_events.commands import CommandForm, CommandOutcome, CommandRequested
from chargebus_events.record import Record
from chargebus_events.topics import outcomes_topic
from chargebus_testkit.partitions import SYSTEM_TOPICS

from chargebus_bench.http import HttpConnection, HttpError
from chargebus_bench.load import Measured

ACTION = "ClearCache"  # the smallest that OCPP 1.6 has
REQUESTER = "session"  # which gets the outcomes, too, and knows nothing of these commands
OUTCOMES = outcomes_topic(REQUESTER)
ANSWERED = "answered"

_TIMEOUT_S = 20.0
_HTTP_BODY = msgspec.json.encode({"action": ACTION, "payload": {}, "timeout_s": _TIMEOUT_S, "wait": True})


async def over_http(address: tuple[str, str], station_ids: list[str], in_flight: int, seconds: float) -> Measured:
    """Send commands by HTTP, each waited for until its outcome, from `in_flight` connections at once.

    Args:
        address: the URL of the `command` service, and an API key.
        station_ids: connected stations; each connection has its own share of them.
        in_flight: how many connections there are.
        seconds: for how long.
    """
    measured = Measured(seconds)
    started = perf_counter()
    closes_at = started + seconds
    shares = [cycle(station_ids[number::in_flight]) for number in range(in_flight)]
    await asyncio.gather(*(_post_until(closes_at, HttpConnection(*address), share, measured) for share in shares))
    measured.seconds = perf_counter() - started
    return measured


async def _post_until(
    closes_at: float, connection: HttpConnection, station_ids: Iterator[str], measured: Measured
) -> None:
    async with connection:
        while (started := perf_counter()) < closes_at:
            try:
                answer = await connection.post(f"/v1/stations/{next(station_ids)}/commands", _HTTP_BODY)
            except HttpError as error:
                measured.fail(str(error))
                continue
            measured.count(perf_counter() - started)
            if f'"outcome":"{ANSWERED}"'.encode() not in answer:
                measured.fail(answer.decode(errors="replace"))


class CommandLoad:
    """Keeps commands under way on `ocpp.commands`: each outcome asks for the next."""

    def __init__(self, bootstrap_servers: str, station_ids: list[str]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._stations = cycle(station_ids)
        self._asked_at: dict[str, float] = {}

    async def run(self, in_flight: int, seconds: float) -> Measured:
        """Send commands for so many seconds, so many at a time; those under way at the end are waited for.

        Raises:
            TimeoutError: some had no outcome when their time was over.
        """
        measured = Measured(seconds)
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap_servers, acks="all", enable_idempotence=True)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap_servers)
        async with producer, consumer:
            partitions = [TopicPartition(OUTCOMES, number) for number in range(SYSTEM_TOPICS[OUTCOMES].partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            started = perf_counter()
            closes_at = started + seconds
            await asyncio.gather(*(self._ask(producer) for _ in range(in_flight)))
            while self._asked_at:
                async with asyncio.timeout(_TIMEOUT_S * 2):
                    ended = await self._ended(consumer, measured)
                if perf_counter() < closes_at:
                    await asyncio.gather(*(self._ask(producer) for _ in range(ended)))
            measured.seconds = perf_counter() - started
        return measured

    async def _ask(self, producer: AIOKafkaProducer) -> None:
        command = CommandRequested(
            command_id=str(uuid.uuid4()),
            station_id=next(self._stations),
            requester=REQUESTER,
            requested_at=datetime.now(UTC),
            forms=(CommandForm(ACTION, msgspec.Raw(b"{}")),),
            timeout_s=_TIMEOUT_S,
            ttl_s=_TIMEOUT_S,
        )
        self._asked_at[command.command_id] = perf_counter()
        await _send(producer, command.record())

    async def _ended(self, consumer: AIOKafkaConsumer, measured: Measured) -> int:
        ended = 0
        while not ended:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                ended += sum(self._count(record, measured) for record in records)
        return ended

    def _count(self, record: ConsumerRecord, measured: Measured) -> int:
        outcome = msgspec.json.decode(record.value, type=CommandOutcome)
        asked_at = self._asked_at.pop(outcome.command_id, None)
        if asked_at is None:
            return 0  # another's, or one that was published again
        measured.count(perf_counter() - asked_at)
        if outcome.outcome != ANSWERED:
            measured.fail(f"{outcome.outcome}: {outcome.reason}")
        return 1


async def _send(producer: AIOKafkaProducer, record: Record) -> None:
    await producer.send(record.topic, record.value, record.key.encode(), headers=list(record.headers))
