"""The pytest plugin: a real Kafka and a real PostgreSQL for every test that asks for them.

Each starts once per session, at the first test that needs it, in a folder that goes when the session ends. Tests share
them: take a fresh database from `make_database`, and keys or topics of your own.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chargebus_events.topics import TOPICS
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.migrations import database_url
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics

from chargebus_testkit.servers import KafkaServer, PostgresServer, execute, running_kafka, running_postgres
from chargebus_testkit.system import System
from chargebus_testkit.untested import Untested

MakeDatabase = Callable[[str], Awaitable[str]]
MakeTopic = Callable[..., Awaitable[str]]

REAL_BROKER = "real_broker"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of a whole system's logs with a test that failed on it."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, System):
                report.sections.append((f"logs in {value.folder}", value.tails()))
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and keep a list of what could not be tested."""
    config.addinivalue_line("markers", f"{REAL_BROKER}: needs what only a real Kafka broker does")
    config.pluginmanager.register(Untested(), "chargebus-untested")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Return a folder for the session's servers; its path is short, as Unix sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="chargebus-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka_server(server_folder: Path) -> AsyncIterator[KafkaServer]:
    """Return the session's Kafka, whichever it is; tests take `kafka`."""
    async with running_kafka(server_folder / "kafka", dict(os.environ)) as server:
        yield server


@pytest.fixture
def kafka(kafka_server: KafkaServer, request: pytest.FixtureRequest) -> KafkaServer:
    """Return the session's Kafka; a test marked `real_broker` is skipped, and listed, where there is only the mock."""
    if kafka_server.shortcomings and request.node.get_closest_marker(REAL_BROKER):
        pytest.skip(f"{Untested.REASON} Kafka is the mock cluster")
    return kafka_server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(server_folder: Path) -> AsyncIterator[PostgresServer]:
    """Return the session's PostgreSQL; its `.url` is a superuser's, for the database `postgres`."""
    async with running_postgres(server_folder / "postgres", dict(os.environ)) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def declared_topics(kafka_server: KafkaServer) -> None:
    """Create every declared topic; the mock makes its topics itself at first use."""
    if kafka_server.shortcomings:
        return
    settings = RuntimeSettings(kafka_bootstrap_servers=kafka_server.bootstrap_servers)
    await ensure_topics(KafkaConnection(settings), TOPICS.values(), replication=1)


@pytest.fixture
def topics(kafka: KafkaServer, declared_topics: None) -> None:
    """Have every declared topic in the session's Kafka. Other tests write to them too: use keys of your own."""


@pytest_asyncio.fixture
async def make_database(postgres: PostgresServer) -> AsyncIterator[MakeDatabase]:
    """Give a maker of databases for this test alone; it takes a word for the name and returns the URL."""
    names: list[str] = []

    async def make(name: str) -> str:
        unique = f"{name}_{uuid4().hex[:12]}"
        await execute(postgres.url, f'CREATE DATABASE "{unique}"')
        names.append(unique)
        return database_url(postgres.url, unique)

    yield make
    for name in names:
        await execute(postgres.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest_asyncio.fixture
async def make_topic(kafka: KafkaServer) -> MakeTopic:
    """Give a maker of topics for this test alone; settings are named like `cleanup_policy="compact"`."""

    async def make(name: str, partitions: int = 1, **settings: str) -> str:
        unique = f"{name}.{uuid4().hex[:12]}"
        if kafka.shortcomings:
            return unique
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        try:
            topic_configs = {key.replace("_", "."): value for key, value in settings.items()}
            await admin.create_topics([NewTopic(unique, partitions, 1, topic_configs=topic_configs)])
        finally:
            await admin.close()
        return unique

    return make
