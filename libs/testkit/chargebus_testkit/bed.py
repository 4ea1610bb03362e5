"""A bed for one service under test: its process on the session's servers, with what else it shares with nobody.

Its database, its consumer group, its port and the API keys of its callers are its own; its topics are everybody's, so a
test uses keys of its own there.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import ConsumerRebalanceListener, TopicPartition
from chargebus_embedded import free_port
from chargebus_events.access import ApiKey
from chargebus_events.record import Received, Record
from chargebus_events.topics import TOPICS
from chargebus_runtime import secrets
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.keys import format_key
from chargebus_runtime.migrations import database_url
from chargebus_runtime.process import Build, Process
from chargebus_runtime.producer import Producer
from chargebus_runtime.readers import Readers, Run
from chargebus_runtime.sealing import KEY_BYTES
from chargebus_runtime.service import Service
from chargebus_runtime.settings import RuntimeSettings
from pydantic import SecretStr

from chargebus_testkit.databases import create_migrated, drop
from chargebus_testkit.log import EVERYTHING, Log
from chargebus_testkit.servers import KafkaServer, PostgresServer

SEALING_KEYS: Final = SecretStr(base64.b64encode(bytes(range(KEY_BYTES))).decode())
"""What every bed seals with, in whatever process, as the services of one system do."""

_SECRET: Final = secrets.generate_password()


class _OwnGroup(Readers):
    """Joins a consumer group that no other test is a member of."""

    def __init__(self, connection: KafkaConnection, name: str) -> None:
        super().__init__(connection, name)
        self._group = name

    async def group(
        self, run: Run, group: str, spec: ConsumerSpec, listener: ConsumerRebalanceListener
    ) -> "asyncio.Task[None]":
        """Read the topics of `spec` in the own group."""
        return await super().group(run, f"{group}.{self._group}", spec, listener)


class ProcessUnderTest(Process):
    """A process whose service has the database `name`, and a consumer group of that name."""

    def __init__(self, settings: RuntimeSettings, name: str) -> None:
        super().__init__(settings, name)
        self._name = name
        self._readers = _OwnGroup(self.kafka, name)

    def database(self, service: str, package: str) -> Database:
        """Return the service's database, under the own name."""
        options = replace(super().database(service, package).options, name=self._name)
        return Database(options, self.producer, self.clock, self.telemetry.tracing)

    @property
    def service(self) -> Service:
        """The one service that runs."""
        (service,) = self._services
        return service


class Bed:
    """One service on the session's servers; it may be started and stopped as often as wanted.

    It begins where the log ends at its first start: what other tests wrote is none of its business.

    Args:
        build: the service's; a test may change what it returns.
        kafka: the session's; every declared topic is there.
        postgres: the session's.
    """

    def __init__(self, build: Build, kafka: KafkaServer, postgres: PostgresServer) -> None:
        self.build = build
        self.name = f"{build.__module__.partition('.')[0]}_{uuid4().hex[:12]}"
        self._made = False
        self._open = AsyncExitStack()
        self._log: Log | None = None
        self._since: Mapping[TopicPartition, int] = EVERYTHING
        self._reading = asyncio.Lock()
        self.topics: tuple[str, ...] = ()
        self.settings = RuntimeSettings(
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            database_url=postgres.url,
            http_port=free_port(),
            sealing_keys=SEALING_KEYS,
        )

    @property
    def url(self) -> str:
        """Where the service's HTTP API answers."""
        return f"http://{self.settings.http_host}:{self.settings.http_port}/v1"

    @asynccontextmanager
    async def running(self, **settings: object) -> AsyncIterator[ProcessUnderTest]:
        """Run the service, or a copy of it beside the first; its database and its keys are made once, and kept.

        Args:
            settings: of the process, where they differ from the bed's own.
        """
        process = ProcessUnderTest(self.settings.model_copy(update=settings), self.name)
        if not self._made:
            await self._make(process)
        await process.start([self.build])
        try:
            yield process
        finally:
            await process.stop()

    def client(self, role: str = "operator") -> httpx.AsyncClient:
        """Return a client of the service's API with the key of a role, for the caller to enter."""
        headers = {"X-API-Key": format_key(self._key_id(role), _SECRET)}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)

    async def publish(self, *records: Record) -> None:
        """Put records into Kafka, as other services do."""
        await self._opened()
        producer = Producer(KafkaConnection(self.settings))
        await producer.start()
        try:
            await producer.publish(records)
        finally:
            await producer.stop()

    async def read(self, topic: str, *keys: str) -> list[Received]:
        """Return all that stands in a topic under keys of the test's own, each partition in its order."""
        log = await self._opened()
        async with self._reading:
            return [record for record in await log.read(topic, since=self._since) if record.key in keys]

    async def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return rows of the service's database."""
        connection = await asyncpg.connect(database_url(self.settings.database_url, self.name))
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def close(self) -> None:
        """Drop the database, and read no more."""
        await self._open.aclose()
        await drop(self.settings.database_url, self.name)

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Return where the log of what the service consumes ends."""
        log = await self._opened()
        async with self._reading:
            return await log.ends(self.topics)

    async def caught_up(self) -> bool:
        """Tell whether everything is applied that stands in the log."""
        ends = await self.ends()
        stored = set(await self.rows("SELECT topic, partition, next_offset FROM consumer_offset"))
        return {(tp.topic, tp.partition, end) for tp, end in ends.items()} == stored

    async def _opened(self) -> Log:
        """Return the log, read from where it ended at the first call: a connection is made once, not at each look."""
        async with self._reading:
            if self._log is None:
                self._log = await self._open.enter_async_context(Log(KafkaConnection(self.settings), TOPICS))
                self._since = await self._log.ends(TOPICS)
            return self._log

    async def _make(self, process: ProcessUnderTest) -> None:
        service = self.build(process)
        if service.database is not None:
            await create_migrated(self.settings.database_url, self.name, service.database.options.migrations)
        if service.consumer is not None:
            self.topics = service.consumer.topics
            await self._begin_here(await process.kafka.cluster_id())
        secret, now = secrets.hash_generated(_SECRET), datetime.now(UTC)
        keys = [ApiKey(self._key_id(role), "test", role, secret, now) for role in ("viewer", "operator", "admin")]
        await self.publish(*(key.record() for key in keys))
        self._made = True

    async def _begin_here(self, cluster_id: str) -> None:
        ends = await self.ends()
        await self.rows(
            "INSERT INTO consumer_offset SELECT *, $4 FROM unnest($1::text[], $2::int[], $3::bigint[])",
            [tp.topic for tp in ends],
            [tp.partition for tp in ends],
            list(ends.values()),
            cluster_id,
        )

    def _key_id(self, role: str) -> str:
        return f"{self.name.replace('_', '-')}-{role}"
