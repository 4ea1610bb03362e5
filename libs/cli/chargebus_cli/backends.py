"""The Kafka and the PostgreSQL of a whole system: those that the environment gives, else embedded ones."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from chargebus_embedded import EmbeddedPostgres, MockKafka, start_kafka

from chargebus_cli.folder import DataFolder
from chargebus_cli.say import say

KAFKA = "KAFKA_BOOTSTRAP_SERVERS"
DATABASE = "DATABASE_URL"


@dataclass(frozen=True)
class Backends:
    """Where Kafka and PostgreSQL are; `mock` tells that this Kafka makes its topics itself."""

    kafka: str
    database: str
    mock: bool


@asynccontextmanager
async def backends(folder: DataFolder, environment: Mapping[str, str]) -> AsyncIterator[Backends]:
    """Start what the environment does not give, both at once, and stop it at the end.

    Raises:
        EmbeddedError: one of them cannot be started; the message says why.
    """
    async with AsyncExitStack() as started:
        kafka = asyncio.create_task(_kafka(folder, environment, started))
        database = asyncio.create_task(_database(folder, environment, started))
        try:
            # Both come to their end before anything is stopped, so that none starts behind our back.
            await asyncio.gather(kafka, database, return_exceptions=True)
            address, mock = await kafka
            yield Backends(address, await database, mock)
        finally:
            for task in (kafka, database):
                task.cancel()
            await asyncio.gather(kafka, database, return_exceptions=True)


async def _kafka(folder: DataFolder, environment: Mapping[str, str], started: AsyncExitStack) -> tuple[str, bool]:
    if given := environment.get(KAFKA):
        return given, False
    kafka = await start_kafka(folder.kafka, environment, say)
    started.push_async_callback(kafka.stop)
    return kafka.bootstrap_servers, isinstance(kafka, MockKafka)


async def _database(folder: DataFolder, environment: Mapping[str, str], started: AsyncExitStack) -> str:
    if given := environment.get(DATABASE):
        return given
    postgres = EmbeddedPostgres(folder.postgres)
    await postgres.start()
    started.push_async_callback(postgres.stop)
    return postgres.url
