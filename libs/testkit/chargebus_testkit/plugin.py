"""The pytest plugin: a real Kafka and a real PostgreSQL for every test that asks for them.

Each starts once per session, at the first test that needs it, however many workers run the tests, in a folder that goes
when the session ends. Tests share them, and run side by side: take a fresh database from `make_database` or
`make_migrated`, and keys or topics of your own. A second Kafka is there for half of the tests that stand in line for
the declared topics.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chargebus_events.topics import TOPICS
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.migrations import database_url
from chargebus_runtime.process import Build
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics
from hypothesis import HealthCheck, settings

from chargebus_testkit import session_servers
from chargebus_testkit.bed import Bed
from chargebus_testkit.databases import create_migrated, drop
from chargebus_testkit.object_storage import ObjectStorage
from chargebus_testkit.scheduling import GROUP, LONG, SERVER, Scheduling, group, longest_first, share_out
from chargebus_testkit.servers import KafkaServer, PostgresServer, execute
from chargebus_testkit.session_servers import SessionServers, announce, ask
from chargebus_testkit.system import System
from chargebus_testkit.untested import Untested

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

MakeDatabase = Callable[[str], Awaitable[str]]
MakeMigrated = Callable[[str, Path], Awaitable[str]]
MakeTopic = Callable[..., Awaitable[str]]
MakeBed = Callable[[Build], Bed]

REAL_BROKER = "real_broker"
ROAD: Final = "road"
CASE: Final = "case"
"""`case("TC_B_06", …, lacks="…")`: the cases of the Open Charge Alliance that a test plays; `docs/conformance.md`."""

QUICK: Final = "quick"
"""The profile of Hypothesis that `make test-quick` takes."""

_SERVER_FIXTURES: Final = frozenset({"kafka", "kafka_server", "object_storage", "postgres", "system"})
_SHARED: Final = {"object_storage": "object storage", "system": ""}
"""Fixtures whose tests run one after the other, and the name of their group (empty: a group for each folder).

The object storage starts in the one worker whose tests need it.
"""
_TOPICS: Final = "topics"
_LINES: Final = {"declared topics": session_servers.KAFKA, "more declared topics": session_servers.SECOND_KAFKA}
"""The groups of tests in declared topics, and the Kafka of each.

There a service reads, answers and corrects whatever it finds, whichever test's it is: these tests stand in line. In one
line alone they would go on when all else has ended.
"""
_SERVERS: Final = pytest.StashKey[SessionServers]()
_OWNER: Final = pytest.StashKey[Path]()
_DECLARED: Final = pytest.StashKey[set[str]]()
_WORKER_INPUT: Final = "chargebus_servers"


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


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, object] | None, object]:
    """Have a worker's report go over its line to xdist, which takes no lone surrogates; tests log some."""
    return _encodable((yield))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, keep a list of what could not be tested, and own the session's servers or know who does."""
    config.addinivalue_line("markers", f"{REAL_BROKER}: needs what only a real Kafka broker does")
    config.addinivalue_line("markers", f"{SERVER}: needs a server; set by itself where a fixture says so")
    config.addinivalue_line("markers", f"{ROAD}: the one road through a service that `make test-quick` takes")
    config.addinivalue_line("markers", f"{LONG}: needs no server, but long; `make test-quick` leaves it out")
    config.addinivalue_line("markers", f"{CASE}(*names, lacks=''): plays these cases, but for what it lacks")
    config.pluginmanager.register(Untested(), "chargebus-untested")
    os.environ.setdefault("FIRMWARE_FILES_PORT", "0")  # many copies run beside each other
    _make_profiles()
    owner = getattr(config, "workerinput", {}).get(_WORKER_INPUT)
    if owner is None:
        servers = config.stash[_SERVERS] = SessionServers(os.environ)
        servers.open()
        owner = servers.socket
    config.stash[_OWNER] = Path(owner)
    config.stash[_DECLARED] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """Tell a worker who owns the servers."""
    node.workerinput[_WORKER_INPUT] = str(node.config.stash[_OWNER])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> Scheduling | None:
    """Have xdist deal out the tests our way, unless another one is asked for on the command line."""
    return Scheduling(config, log, config.stash[_SERVERS].groups) if config.getvalue("dist") == "load" else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers, if this process owns them."""
    if _SERVERS in config.stash:
        config.stash[_SERVERS].close()
        del config.stash[_SERVERS]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a server, and what has to stay in one worker; workers begin with what may take long."""
    in_line = [item for item in items if _TOPICS in _fixtures(item) and not item.get_closest_marker(GROUP)]
    lines, line_of = list(_LINES), share_out((item.path.parent for item in in_line), len(_LINES))
    for item in in_line:
        item.add_marker(pytest.mark.xdist_group(lines[line_of[item.path.parent]]))
    for item in items:
        fixtures = _fixtures(item)
        if not _SERVER_FIXTURES.isdisjoint(fixtures):
            item.add_marker(SERVER)
        if not item.get_closest_marker(GROUP):
            # The first that it needs, and the same in every worker: a set has another order in each process.
            for name in [name for name in _SHARED if name in fixtures][:1]:
                item.add_marker(pytest.mark.xdist_group(_SHARED[name] or item.path.parent.name))
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell who deals out the tests which of them belong together, before xdist tells which there are."""
    announce(session.config.stash[_OWNER], {item.nodeid: name for item in session.items if (name := group(item))})


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Return a folder for servers that a test starts itself; its path is short, as Unix sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="chargebus-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_server(pytestconfig: pytest.Config) -> KafkaServer:
    """Return the session's Kafka, whichever it is; tests take `kafka`."""
    return ask(pytestconfig.stash[_OWNER], session_servers.KAFKA)


@pytest.fixture
def kafka(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> KafkaServer:
    """Return the session's Kafka; a test marked `real_broker` is skipped, and listed, where there is only the mock."""
    server = ask(pytestconfig.stash[_OWNER], _LINES.get(group(request.node), session_servers.KAFKA))
    if server.shortcomings and request.node.get_closest_marker(REAL_BROKER):
        pytest.skip(f"{Untested.REASON} Kafka is the mock cluster")
    return server


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgresServer:
    """Return the session's PostgreSQL; its `.url` is a superuser's, for the database `postgres`."""
    return ask(pytestconfig.stash[_OWNER], session_servers.POSTGRES)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def object_storage(server_folder: Path) -> AsyncIterator[ObjectStorage]:
    """Return an S3-compatible storage; a test that kills it starts it again."""
    storage = ObjectStorage(server_folder / "objects")
    await storage.start()
    yield storage
    await storage.kill()


@pytest_asyncio.fixture
async def topics(kafka: KafkaServer, pytestconfig: pytest.Config) -> None:
    """Have every declared topic in the test's Kafka. Other tests write to them too: use keys of your own.

    The mock makes its topics itself at first use.
    """
    declared = pytestconfig.stash[_DECLARED]
    if kafka.shortcomings or kafka.bootstrap_servers in declared:
        return
    settings = RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    await ensure_topics(KafkaConnection(settings), TOPICS.values(), replication=1)
    declared.add(kafka.bootstrap_servers)


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
        await drop(postgres.url, name)


@pytest_asyncio.fixture
async def make_migrated(postgres: PostgresServer) -> AsyncIterator[MakeMigrated]:
    """Give a maker of migrated databases for this test alone.

    It takes a word for the name and the folder of the migrations, and returns the database's name.
    """
    names: list[str] = []

    async def make(name: str, migrations: Path) -> str:
        unique = f"{name}_{uuid4().hex[:12]}"
        await create_migrated(postgres.url, unique, migrations)
        names.append(unique)
        return unique

    yield make
    for name in names:
        await drop(postgres.url, name)


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


@pytest_asyncio.fixture
async def make_bed(
    kafka: KafkaServer,
    topics: None,  # noqa: ARG001 - they have to be there
    postgres: PostgresServer,
) -> AsyncIterator[MakeBed]:
    """Give a maker of beds for this test alone; it takes a service's `build`."""
    beds: list[Bed] = []

    def make(build: Build) -> Bed:
        beds.append(Bed(build, kafka, postgres))
        return beds[-1]

    yield make
    for bed in beds:
        await bed.close()


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def _make_profiles() -> None:
    """Have Hypothesis be patient, as how fast examples are made says nothing on a machine that others keep busy.

    Its own plugin loads what `--hypothesis-profile` names after that.
    """
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(QUICK, settings.get_profile("patient"), max_examples=25)
    settings.load_profile("patient")


def _encodable(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: _encodable(each) for key, each in value.items()}
        case list() | tuple():
            return [_encodable(each) for each in value]
        case _:
            return value
