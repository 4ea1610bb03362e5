"""The two servers of a test session: embedded by default, in containers with `CONTAINERS=1`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import asyncpg
from chargebus_embedded import EmbeddedPostgres, start_kafka

KAFKA_IMAGE = "confluentinc/cp-kafka:8.0.0"
POSTGRES_IMAGE = "postgres:18"

FORGETFUL: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings of a PostgreSQL whose data need not outlive a crash: nothing waits for a disk."""

MORTAL: Final = {"fsync": "off", "full_page_writes": "off"}
"""Settings of a PostgreSQL that may be killed, on a machine that is not: what was committed lies with the machine."""


class KafkaServer(Protocol):
    """A running Kafka. `shortcomings` is empty for a real broker, and says what the mock cannot do."""

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, as Kafka clients take it."""
        ...

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """What this Kafka cannot do."""
        ...


class PostgresServer(Protocol):
    """A running PostgreSQL; `url` names a superuser and the database `postgres`."""

    @property
    def url(self) -> str:
        """The server's address for asyncpg."""
        ...


class Given:
    """A server that somebody else runs, known by its address."""

    def __init__(self, address: str, shortcomings: tuple[str, ...] = ()) -> None:
        self.bootstrap_servers = address
        self.url = address
        self.shortcomings = shortcomings


@asynccontextmanager
async def running_kafka(folder: Path, environment: dict[str, str]) -> AsyncIterator[KafkaServer]:
    """Run a Kafka for the tests; `environment` decides which (`CONTAINERS=1`, `KAFKA=mock`)."""
    if environment.get("CONTAINERS") == "1":
        from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 - needed with containers only

        with KafkaContainer(KAFKA_IMAGE).with_kraft() as container:
            yield Given(container.get_bootstrap_server())
        return
    kafka = await start_kafka(folder, environment, say)
    try:
        yield kafka
    finally:
        await kafka.stop()


@asynccontextmanager
async def running_postgres(folder: Path, environment: dict[str, str]) -> AsyncIterator[PostgresServer]:
    """Run a PostgreSQL for the tests."""
    if environment.get("CONTAINERS") == "1":
        from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - needed with containers only

        with PostgresContainer(POSTGRES_IMAGE, driver=None) as container:
            yield Given(container.get_connection_url())
        return
    async with EmbeddedPostgres(folder, FORGETFUL) as postgres:
        yield postgres


async def execute(server_url: str, statement: str) -> None:
    """Run one statement that no transaction may hold, such as CREATE DATABASE."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def say(line: str) -> None:
    """Tell whoever watches the tests run."""
    sys.stderr.write(f"{line}\n")
