"""What must be gone once a system has settled: records not yet applied, outbox rows, holes, parked records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from aiokafka import TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import TOPICS, parked_topic
from chargebus_runtime import parking
from chargebus_runtime.clock import utc_now
from chargebus_runtime.producer import Producer

from chargebus_testkit.log import Log
from chargebus_testkit.system import System

PARKED: Final = tuple(name for name in TOPICS if name.endswith(parked_topic("")))


@dataclass(frozen=True)
class Standing:
    """Where one service stands: its offsets, its outbox rows, its open holes."""

    service: str
    offsets: Mapping[TopicPartition, int]
    outbox: int
    holes: Sequence[str]


async def standing(system: System, service: str) -> Standing:
    """Read where a service stands from its own database."""
    connection = await system.connect(service)
    try:
        return Standing(service, await _offsets(connection), await _outbox(connection), await _holes(connection))
    finally:
        await connection.close()


async def parked(log: Log) -> list[Received]:
    """Return the parked records of all services that were not replayed."""
    records = await log.read(*PARKED)
    return [waiting for topic in PARKED for waiting in parking.still_parked(r for r in records if r.topic == topic)]


async def dismiss(system: System, service: str, records: Sequence[Received]) -> None:
    """Take a service's parked records out of the list, as an operator does with `chargebus parked dismiss`."""
    producer = Producer(system.kafka_connection)
    await producer.start()
    connection = await system.connect(service)
    try:
        for record in records:
            await producer.send(parking.dismissed(service, record, utc_now()))
        await parking.forget(connection, records)
    finally:
        await connection.close()
        await producer.stop()


def lags(standings: Sequence[Standing], ends: Mapping[TopicPartition, int]) -> list[str]:
    """Say which services have records before them."""
    return [
        f"{one.service} has read {tp.topic}[{tp.partition}] to {offset} of {ends[tp]}"
        for one in standings
        for tp, offset in one.offsets.items()
        if offset < ends.get(tp, 0)
    ]


def unsent(standings: Sequence[Standing]) -> list[str]:
    """Say which services have outbox rows left."""
    return [f"{one.service} has {one.outbox} outbox rows left" for one in standings if one.outbox]


def holes(standings: Sequence[Standing]) -> list[str]:
    """Say which services found holes in the log."""
    return [f"{one.service} never read {hole}" for one in standings for hole in one.holes]


def say(record: Received) -> str:
    """Say what was parked and why."""
    what = record.text("ocpp_action") or record.type
    reason = (record.text(parking.REASON).splitlines() or [""])[-1]
    return f"{record.topic} has a {what} of {record.key} ({record.text('ce_id')}): {reason}"


async def _offsets(connection: asyncpg.Connection) -> dict[TopicPartition, int]:
    rows = await connection.fetch("SELECT topic, partition, next_offset FROM consumer_offset")
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _outbox(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def _holes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch("SELECT * FROM log_hole WHERE acknowledged_at IS NULL ORDER BY id")
    return [f"{row['topic']}[{row['partition']}] {row['from_offset']} to {row['to_offset']}" for row in rows]
