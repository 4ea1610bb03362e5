"""A whole system in real processes: embedded Kafka and PostgreSQL of its own, and every service by itself.

Any of them can be killed, paused and brought back; everything ends with the test.
"""

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncpg
from chargebus_embedded import EmbeddedKafka, EmbeddedPostgres, free_port
from chargebus_embedded.child import Start
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.migrations import database_url, migrate
from chargebus_runtime.sealing import generate_key
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics

from chargebus_testkit.api import Api
from chargebus_testkit.partitions import SYSTEM_TOPICS
from chargebus_testkit.service_process import FORK, Place, ServiceProcess

_EDGE: Final = "edge"
_SERVICES: Final = "chargebus.services"


def services() -> Sequence[str]:
    """Return the names of all installed services."""
    return sorted(entry.name for entry in entry_points(group=_SERVICES))


class System:
    """Kafka, PostgreSQL and services in processes of their own, with their data and logs in `folder`.

    Args:
        folder: everything lies there; a short path, as the name of a Unix socket goes on from it.
        environment: settings that every service gets beyond those that wire the system.
        postgres: settings of PostgreSQL.
        start: starts the processes of services.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        postgres: Mapping[str, str] | None = None,
        start: Start = FORK,
    ) -> None:
        self.folder = folder
        self._start = start
        self.kafka = EmbeddedKafka(folder / "kafka")
        self.postgres = EmbeddedPostgres(folder / "postgres", postgres or {})
        self.sealing_key = generate_key()
        self._more = dict(environment or {})
        self._processes: dict[str, ServiceProcess] = {}
        self._home: list[ServiceProcess] = []

    async def start(self, *groups: Sequence[str]) -> None:
        """Start Kafka, PostgreSQL and a process for each group of services; without groups, one for each service.

        Raises:
            EmbeddedError, NotReadyError: a part did not come up; the message ends with the tail of its log.
        """
        await asyncio.gather(self.kafka.start(), self.postgres.start())
        await ensure_topics(self.kafka_connection, SYSTEM_TOPICS.values(), replication=1)
        await self._migrate()
        for group in groups or [(service,) for service in services()]:
            self._home.append(self.place(*group))
        await asyncio.gather(*(process.start() for process in self.processes))

    async def stop(self) -> None:
        """End everything; what is stuck is killed."""
        await asyncio.gather(*(process.stop() for process in self.processes))
        await asyncio.gather(self.kafka.stop(), self.postgres.stop())

    async def tidy(self) -> None:
        """Have everything run that `start` started, and nothing else, whatever a failed test left behind."""
        for server in (self.kafka, self.postgres):
            if not server.running:
                await server.restart()
        extra = [process for process in self.processes if process not in self._home]
        await asyncio.gather(*(process.stop() for process in extra))
        for process in self._home:
            process.resume()
        await asyncio.gather(*(process.start() for process in self._home if not process.running))

    def place(self, *group: str, **environment: str) -> ServiceProcess:
        """Add a process with ports and, for an edge, a slot of its own; it is not started yet."""
        number = sum(process.place.services == group for process in self.processes)
        slot = sum(_EDGE in process.place.services for process in self.processes)
        name = "+".join(group) + (f"-{number}" if number else "")
        place = Place(name, group, self.folder, http_port=free_port(), ocpp_port=free_port())
        settings = {**self._environment(place, slot), **self._more, **environment}
        process = self._processes[name] = ServiceProcess(place, settings, self._start)
        return process

    def __getitem__(self, name: str) -> ServiceProcess:
        """Return a process by name: `session` is the first copy of that service, `session-1` the next."""
        return self._processes[name]

    @property
    def processes(self) -> Sequence[ServiceProcess]:
        """All processes that were placed, running or not."""
        return list(self._processes.values())

    @property
    def databases(self) -> Sequence[str]:
        """The services that have a database."""
        return list(_migrations())

    @property
    def ocpp_url(self) -> str:
        """Where stations connect, without a station's identity, on the first edge."""
        return next(process.place.ocpp_url for process in self.processes if _EDGE in process.place.services)

    @property
    def admin_key(self) -> str:
        """The API key that `access` made at its first start."""
        return self._key_file.read_text(encoding="utf-8").strip()

    @property
    def kafka_connection(self) -> KafkaConnection:
        """How to reach this system's Kafka."""
        return KafkaConnection(RuntimeSettings(kafka_bootstrap_servers=self.kafka.bootstrap_servers))

    def api(self, key: str | None = None) -> Api:
        """Return an HTTP client that finds the service behind a path; by default it presents the admin key."""
        return Api(self._serving, self.admin_key if key is None else key)

    async def connect(self, service: str) -> asyncpg.Connection:
        """Return a connection to a service's own database; the caller closes it."""
        return await asyncpg.connect(database_url(self.postgres.url, f"chargebus_{service}"))

    def tails(self) -> str:
        """Return the ends of the services' logs, for whoever must find out what went wrong."""
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self.processes)

    async def __aenter__(self) -> Self:
        """Return the system; `start` starts it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the system."""
        await self.stop()

    @property
    def _key_file(self) -> Path:
        return self.folder / "admin-key"

    def _serving(self) -> list[Place]:
        return [process.place for process in self.processes if process.running]

    async def _migrate(self) -> None:
        for service, folder in _migrations().items():
            await migrate(self.postgres.url, f"chargebus_{service}", folder)

    def _environment(self, place: Place, slot: int) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "DATABASE_URL": self.postgres.url,
            "HTTP_PORT": str(place.http_port),
            "EDGE_PORT": str(place.ocpp_port),
            "EDGE_SLOT": str(slot),
            "EDGE_ALLOW_PLAIN_WS": "1",
            "SEALING_KEYS": self.sealing_key,
            "ACCESS_ADMIN_KEY_FILE": str(self._key_file),
        }


def _migrations() -> Mapping[str, Path]:
    """Return the folders of the migrations beside the packages of those services that have a database."""
    folders = {}
    for entry in entry_points(group=_SERVICES):
        package = importlib.import_module(entry.module.partition(".")[0])
        folders[entry.name] = Path(package.__file__ or "").parent.parent / "migrations"
    return {service: folder for service, folder in sorted(folders.items()) if (folder / "env.py").exists()}
