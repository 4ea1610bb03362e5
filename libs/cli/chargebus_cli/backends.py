"""The Kafka and the PostgreSQL of a whole system: those that the environment gives, else embedded ones."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from chargebus_embedded import EmbeddedPostgres, EmbeddedServer, MockKafka, Startable, start_kafka

from chargebus_cli.errors import CommandError
from chargebus_cli.folder import DataFolder
from chargebus_cli.say import say
from chargebus_cli.stopping import race

T = TypeVar("T")

KAFKA = "KAFKA_BOOTSTRAP_SERVERS"
DATABASE = "DATABASE_URL"


@dataclass(frozen=True)
class Backends:
    """Where Kafka and PostgreSQL are; `mock` tells that this Kafka makes its topics itself."""

    kafka: str
    database: str
    mock: bool
    embedded: tuple[EmbeddedServer, ...] = ()

    async def unless_lost(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` and return its result; cancel it when an embedded server ends before.

        Raises:
            CommandError: a server ended; the message has the end of its log.
        """
        return await race(work, *(_end(server) for server in self.embedded))


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
            given = (await kafka, await database)
            yield Backends(
                kafka=given[0].address,
                database=given[1].address,
                mock=isinstance(given[0].server, MockKafka),
                embedded=tuple(each.server for each in given if isinstance(each.server, EmbeddedServer)),
            )
        finally:
            for task in (kafka, database):
                task.cancel()
            await asyncio.gather(kafka, database, return_exceptions=True)


async def _end(server: EmbeddedServer) -> CommandError:
    return CommandError(await server.ended())


@dataclass(frozen=True)
class _Backend:
    """Where a backend is, and the server that was started for it, if one was."""

    address: str
    server: Startable | None = None


async def _kafka(folder: DataFolder, environment: Mapping[str, str], started: AsyncExitStack) -> _Backend:
    if given := environment.get(KAFKA):
        return _Backend(given)
    kafka = await start_kafka(folder.kafka, environment, say)
    started.push_async_callback(kafka.stop)
    return _Backend(kafka.bootstrap_servers, kafka)


async def _database(folder: DataFolder, environment: Mapping[str, str], started: AsyncExitStack) -> _Backend:
    if given := environment.get(DATABASE):
        return _Backend(given)
    postgres = EmbeddedPostgres(folder.postgres)
    await postgres.start()
    started.push_async_callback(postgres.stop)
    return _Backend(postgres.url, postgres)
