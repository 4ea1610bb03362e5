"""The test bed of the spine: Kafka, PostgreSQL, its two processes, and stations that need no registration."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chargebus_embedded import EmbeddedKafka, EmbeddedPostgres, free_port
from chargebus_embedded.child import Child, Command, until_answering

from chargebus_bench.bed import EDGE, WARM_UP_STATIONS, Bed, names, warmed
from chargebus_bench.scripts import ID_TAGS, Scripts
from chargebus_bench.spine import store
from chargebus_bench.spine.road import PARTITIONS, READY
from chargebus_bench.station import Station
from chargebus_bench.usage import Meter

SESSION = "session"

_START_WITHIN_S = 60.0
_NO_PASSWORD = "unchecked"  # noqa: S105  # nobody looks at it; the header is as long as any station's


class Spine:
    """Kafka, PostgreSQL and the spine's processes, with their data and logs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.kafka = EmbeddedKafka(folder / "kafka")
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self._folder = folder
        self._port = free_port()
        self._children: dict[str, Child] = {}

    @property
    def ocpp_url(self) -> str:
        """Where stations connect, without a station's identity."""
        return f"ws://127.0.0.1:{self._port}/ocpp"

    @property
    def meter(self) -> Meter:
        """What reads the cost of all processes."""
        servers = {"kafka": self.kafka.pid, "postgresql": self.postgres.pid}
        return Meter({name: child.pid for name, child in self._children.items()} | servers)

    async def start(self) -> None:
        """Start everything and wait until frames can come.

        Raises:
            EmbeddedError: a part did not come up; the message ends with the tail of its log.
        """
        await asyncio.gather(self.kafka.start(), self.postgres.start())
        await asyncio.gather(self._create_topics(), store.create(self.postgres.url, ID_TAGS))
        await asyncio.gather(self._start(EDGE, str(self._port)), self.start_session())

    async def start_session(self) -> None:
        """Start `session`, for the first time or after `kill_session`."""
        await self._start(SESSION, self.postgres.url)

    async def kill_session(self) -> None:
        """End `session` with SIGKILL, as a crash would."""
        await self._children[SESSION].kill()

    async def stop(self) -> None:
        """End everything."""
        await asyncio.gather(*(child.stop() for child in self._children.values()))
        await asyncio.gather(self.kafka.stop(), self.postgres.stop())

    async def __aenter__(self) -> Self:
        """Return the spine; `start` starts it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the spine."""
        await self.stop()

    async def _create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, partitions, 1) for topic, partitions in PARTITIONS.items()])
        finally:
            await admin.close()

    async def _start(self, name: str, *arguments: str) -> None:
        module = f"chargebus_bench.spine.{name}"
        child = self._children[name] = Child(
            Command(
                name=f"the spine's {name}",
                arguments=(sys.executable, "-m", module, self.kafka.bootstrap_servers, *arguments),
                folder=self._folder,
                log=self._folder / f"{name}.log",
                environment=os.environ,
            )
        )

        async def is_ready() -> bool:
            return child.log_mentions(READY)

        await until_answering(child, is_ready, _START_WITHIN_S)


@asynccontextmanager
async def running_spine(folder: Path, station_count: int) -> AsyncIterator[Bed]:
    """Start a spine, its processes warm and at rest; stop it at the end."""
    async with Spine(folder) as spine:
        await spine.start()
        bed = Bed(spine.ocpp_url, _stations("cs", station_count), Scripts(datetime.now(UTC).date()), spine.meter)
        async with warmed(bed, _stations("warm", WARM_UP_STATIONS)):
            yield bed


def _stations(prefix: str, count: int) -> list[Station]:
    return [Station(name, _NO_PASSWORD) for name in names(prefix, count)]
