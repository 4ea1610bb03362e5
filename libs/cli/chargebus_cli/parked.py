"""`chargebus parked`: what services could not handle, listed, shown, replayed and dismissed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from chargebus_events.record import Received
from chargebus_events.topics import TOPICS, parked_topic
from chargebus_runtime import parking
from chargebus_runtime.clock import Clock
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.readers import Readers
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.view import View

from chargebus_cli.databases import databases, pool_of
from chargebus_cli.errors import CommandError
from chargebus_cli.say import say
from chargebus_cli.services import builds

_SHOWN_REASON = 80
_ON_ITS_WAY = timedelta(minutes=1)


def services() -> list[str]:
    """Return the services that park records."""
    return sorted(name for name in {topic.owner for topic in TOPICS.values()} if parked_topic(name) in TOPICS)


async def waiting(settings: RuntimeSettings, service: str) -> list[Received]:
    """Return the service's parked records that were neither replayed nor dismissed, oldest first."""
    if parked_topic(service) not in TOPICS:
        message = f"{service} parks no records; these do: {', '.join(services())}"
        raise CommandError(message)
    records: list[Received] = []
    view = View(parked_topic(service), records.append)
    readers = Readers(KafkaConnection(settings), "chargebus-parked")
    await readers.start()
    try:
        reading = await readers.view(view)
        await view.ready.wait()
        reading.cancel()
        await asyncio.wait([reading])
    finally:
        await readers.stop()
    return parking.still_parked(records)


async def list_all(settings: RuntimeSettings, names: list[str]) -> None:
    """Print one line for each parked record of the services (all that park, without a name)."""
    row = "{:<10} {:>7}  {:<24} {:<20} {:<28} {}"
    say(row.format("SERVICE", "NUMBER", "AT", "STATION", "WHAT", "REASON"))
    for service in names or services():
        for record in await waiting(settings, service):
            reason = record.text(parking.REASON).splitlines() or [""]
            say(
                row.format(
                    service,
                    record.offset,
                    record.text(parking.AT),
                    record.key,
                    record.text("ocpp_action") or record.type,
                    reason[-1][:_SHOWN_REASON],
                )
            )


async def show(settings: RuntimeSettings, service: str, number: int) -> None:
    """Print one parked record whole: its headers, its reason, its payload."""
    (record,) = await _pick(settings, service, [number])
    for name, value in record.headers.items():
        say(f"{name}: {value.decode('utf-8', 'replace')}")
    say()
    say(_pretty(record.value))


async def replay(settings: RuntimeSettings, service: str, numbers: list[int], clock: Clock) -> None:
    """Send parked records back to the topics they came from (all of them, without a number)."""
    records = await _pick(settings, service, numbers)
    async with _settling(settings, service) as (producer, pool):
        for record in records:
            again = parking.replay(record)
            # In this order a crash between the two replays twice, which services expect, rather than never.
            await producer.send(again)
            await producer.send(parking.replayed(service, record, clock()))
            await parking.forget(pool, [record])
            say(f"{service} {record.offset} sent to {again.topic}")
    say(f"{len(records)} replayed")


async def dismiss(settings: RuntimeSettings, service: str, numbers: list[int], clock: Clock) -> None:
    """Take parked records out of the list and the service's health, unhandled (all of them, without a number).

    What is parked meanwhile, or is still on its way into the topic, is not listed yet and stays counted.
    """
    begun_at = clock()
    records = await _pick(settings, service, numbers)
    async with _settling(settings, service) as (producer, pool):
        for record in records:
            await producer.send(parking.dismissed(service, record, clock()))
            await parking.forget(pool, [record])
        if not numbers:
            await parking.forget_older(pool, begun_at - _ON_ITS_WAY)
    say(f"{len(records)} dismissed")


@asynccontextmanager
async def _settling(settings: RuntimeSettings, service: str) -> AsyncIterator[tuple[Producer, asyncpg.Pool]]:
    (database,) = databases(settings, builds([service]))
    async with pool_of(database) as pool:
        producer = Producer(KafkaConnection(settings))
        await producer.start()
        try:
            yield producer, pool
        finally:
            await producer.stop()


async def _pick(settings: RuntimeSettings, service: str, numbers: list[int]) -> list[Received]:
    records = {record.offset: record for record in await waiting(settings, service)}
    missing = [number for number in numbers if number not in records]
    if missing:
        message = f"{service} has no parked record {missing[0]}; see: chargebus parked list {service}"
        raise CommandError(message)
    return [records[number] for number in numbers] if numbers else list(records.values())


def _pretty(value: bytes | None) -> str:
    if value is None:
        return "(no value)"
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        return value.decode("utf-8", "replace")
