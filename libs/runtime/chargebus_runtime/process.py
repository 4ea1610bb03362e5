"""A process that runs services: one or all of them, with one Kafka producer, one HTTP port and one set of exporters.

Whether a service runs alone or beside the others, it is built and run by the same code.
"""

import asyncio
import importlib
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from chargebus_runtime import offsets, parking
from chargebus_runtime.away import MAYBE_AWAY
from chargebus_runtime.clock import Clock, utc_now
from chargebus_runtime.consumer import Consumer, ConsumerParts
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.http import HttpParts, HttpServer, PortTakenError, build_app, listen
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.keys import KeyRing
from chargebus_runtime.positions import PositionParts, Positions
from chargebus_runtime.producer import Producer
from chargebus_runtime.readers import Readers
from chargebus_runtime.service import Hook, Service
from chargebus_runtime.settings import RuntimeSettings, ServiceSettings
from chargebus_runtime.tasks import every
from chargebus_runtime.telemetry import Telemetry

__all__ = ["Build", "PortTakenError", "Process", "Service"]

log = logging.getLogger(__name__)

S = TypeVar("S", bound=ServiceSettings)
Build = Callable[["Process"], Service]

_STOP_WITHIN_S = 15.0  # for batches under way; what they committed is in the outbox, and goes out with the next owner


class Process:
    """Builds, starts and stops services; what they share is here."""

    def __init__(self, settings: RuntimeSettings, name: str = "chargebus", clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.kafka = KafkaConnection(settings)
        self.telemetry = Telemetry(settings, name)
        self.producer = Producer(self.kafka)
        self.key_ring = KeyRing(clock)
        self.sealing = settings.sealing()
        self.edges = EdgeLiveness(name, clock)
        self.failed = asyncio.Event()
        self._readers = Readers(self.kafka, name)
        self._services: list[Service] = []
        self._started: list[Service] = []
        self._stopping = False
        self._listening: socket.socket | None = None
        self._positions: dict[str, Positions] = {}
        self._consumers: list[tuple[Consumer, asyncio.Task[None]]] = []
        self._consuming: dict[str, Consumer] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._http: tuple[HttpServer, asyncio.Task[None]] | None = None

    def load(self, settings: type[S]) -> S:
        """Read a service's settings from the environment."""
        return settings()

    def database(self, service: str, package: str) -> Database:
        """Return the database of a service; its migrations lie in its package, or beside it in a checkout."""
        here = Path(importlib.import_module(package).__file__ or "").parent
        packaged = here / "migrations"
        options = DatabaseOptions(
            name=f"chargebus_{service}",
            server_url=self.settings.database_url,
            migrations=packaged if packaged.is_dir() else here.parent / "migrations",
            pool_size=self.settings.database_pool_size,
            silent_s=self.settings.kafka_session_timeout_s,
        )
        return Database(options, self.producer, self.clock, self.telemetry.tracing)

    async def start(self, builds: Sequence[Build]) -> None:
        """Build and start services; waits for Kafka and PostgreSQL as long as they are away.

        Raises:
            PortTakenError: the HTTP port is in use.
        """
        try:
            await self._start(builds)
        except BaseException:
            with suppress(Exception):  # it was logged; why the start failed is what counts
                await self.stop()
            raise

    async def _start(self, builds: Sequence[Build]) -> None:
        self._listening = listen(self.settings.http_host, self.settings.http_port, "HTTP_PORT")
        self._services = [build(self) for build in builds]
        self._serve(self._listening)
        await self.producer.start()
        await self._readers.start()
        for service in self._services:
            if service.database is not None:
                await service.database.start()
                tending = every(1, f"tending the outbox of {service.name}", service.database.tend_outbox)
                self._spawn(tending, f"outbox of {service.name}")
        await self._read()
        self.edges.export()
        for service in self._services:
            self._started.append(service)
            await service.start()
            for task in service.tasks:
                self._spawn(task, f"task of {service.name}")
        for service in self._services:
            await self._consume(service)

    async def stop(self) -> None:
        """Stop in order: drain, answer HTTP, finish batches, send what is committed, close.

        What was not started is passed over. A step that fails keeps none of the others from being taken.

        Raises:
            Exception: the first that a step failed with.
        """
        self._stopping = True
        steps: list[Hook] = [
            *(service.drain for service in self._started),
            self._end_http,
            self._end_tasks,
            *(partial(_settle, database) for database in self._databases() if database.started),
            self._readers.stop,
            self.producer.stop,
            *(database.stop for database in self._databases()),
        ]
        failures = [failure for step in steps if (failure := await _failure_of(step)) is not None]
        self.telemetry.stop()
        if failures:
            raise failures[0]

    async def _end_http(self) -> None:
        if self._http is not None:
            server, serving = self._http
            server.request_stop()
            await asyncio.gather(serving, return_exceptions=True)  # how it ended was told when it did
        if self._listening is not None:
            self._listening.close()

    async def _end_tasks(self) -> None:
        for consumer, _ in self._consumers:
            consumer.stop()
        await _end([task for _, task in self._consumers], within_s=_STOP_WITHIN_S)
        await _end(self._tasks, within_s=0)

    async def idle(self) -> None:
        """Wait until the newest poll of each consumer found nothing, and all is sent and its rows gone; for tests."""
        await asyncio.gather(*(consumer.idle.wait() for consumer, _ in self._consumers))
        outboxes = [database.outbox for database in self._databases()]
        while not all(outbox.empty for outbox in outboxes):
            await asyncio.sleep(0.05)
            with suppress(*MAYBE_AWAY):  # tried again until they are gone
                await asyncio.gather(*(outbox.delete_sent() for outbox in outboxes))

    def _databases(self) -> list[Database]:
        return [service.database for service in self._services if service.database is not None]

    def _serve(self, listening: socket.socket) -> None:
        parts = HttpParts(
            title="Chargebus",
            routers=[service.routers for service in self._services],
            authenticators=[self.key_ring],
            tracing=self.telemetry.tracing,
            not_ready=self._not_ready,
            degraded=self._degraded,
        )
        server = HttpServer(build_app(parts), self.settings.http_host, self.settings.http_port)
        serving = asyncio.create_task(_serve_until_stopped(server, listening), name="HTTP server")
        serving.add_done_callback(self._on_http_end)
        self._http = (server, serving)

    async def _read(self) -> None:
        """Start views and tails and wait until they are ready: nobody is served from half a table."""
        asked_for = [self.key_ring.view, *(view for service in self._services for view in service.views)]
        views = list({id(view): view for view in asked_for}.values())  # services may share one
        tails = [tail for service in self._services for tail in service.tails]
        self._watch(*[await self._readers.view(view) for view in views])
        self._watch(*[await self._readers.tail(tail) for tail in tails])
        ready = [view.ready for view in views] + [tail.ready for tail in tails]
        await asyncio.gather(*(event.wait() for event in ready))

    async def _consume(self, service: Service) -> None:
        spec, database = service.consumer, service.database
        if spec is None or database is None:
            return
        positions = Positions(
            PositionParts(service.name, database, self.kafka.cluster_id, spec.on_new_cluster, self.clock)
        )
        parts = ConsumerParts(service.name, database, self.clock, self.telemetry.tracing, self.settings.batch_records)
        consumer = Consumer(spec, parts, positions)
        task = await self._readers.group(consumer.run, service.name, spec, positions)
        task.add_done_callback(self._on_end)
        self._positions[service.name] = positions
        self._consuming[service.name] = consumer
        self._consumers.append((consumer, task))

    def _spawn(self, run: Hook, name: str) -> None:
        async def forever() -> None:
            await run()

        self._watch(asyncio.create_task(forever(), name=name))

    def _watch(self, *tasks: "asyncio.Task[None]") -> None:
        for task in tasks:
            task.add_done_callback(self._on_end)
            self._tasks.append(task)

    def _on_end(self, task: "asyncio.Task[None]") -> None:
        """Let the process end when a part of it died: half a process is worse than a restarted one."""
        if not task.cancelled() and task.exception() is not None:
            log.critical("the %s died", task.get_name(), exc_info=task.exception())
            self.failed.set()

    def _on_http_end(self, task: "asyncio.Task[None]") -> None:
        """Let the process end when nobody can call it any more, or ask for its health."""
        if not self._stopping:
            log.critical("the HTTP server has ended, and so does the process", exc_info=_error_of(task))
            self.failed.set()

    async def _not_ready(self) -> dict[str, list[str]]:
        found = {}
        if not self.key_ring.view.ready.is_set():
            found["http"] = ["the API keys are not read yet"]
        for service in self._services:
            reasons = [reason for check in service.checks if (reason := check()) is not None]
            if service.consumer is not None and (reason := self._consumer_not_ready(service.name)) is not None:
                reasons.append(reason)
            if service.database is not None and not await service.database.answers():
                reasons.append("its database does not answer")
            if reasons:
                found[service.name] = reasons
        return found

    def _consumer_not_ready(self, service: str) -> str | None:
        consumer = self._consuming.get(service)
        return "its consumer has not started yet" if consumer is None else consumer.not_ready()

    async def _degraded(self) -> dict[str, list[str]]:
        clocks = self.edges.warnings()
        found = {"clocks": clocks} if clocks else {}
        for name, views in (("http", [self.key_ring.view]), *((each.name, each.views) for each in self._services)):
            if unread := [trouble for view in views if (trouble := view.trouble()) is not None]:
                found[name] = unread
        for service in self._services:
            if service.database is None or not await service.database.answers():
                continue
            warnings = [*await _holes(service.database), *await _parked(service.name, service.database)]
            if (waiting := service.database.outbox.trouble()) is not None:
                warnings.append(waiting)
            if warnings:
                found.setdefault(service.name, []).extend(warnings)
        return found


async def _holes(database: Database) -> list[str]:
    return [
        f"{hole['topic']}[{hole['partition']}] offsets {hole['from_offset']} to {hole['to_offset']} "
        f"were never read: {hole['reason']}"
        for hole in await offsets.open_holes(database.pool)
    ]


async def _parked(service: str, database: Database) -> list[str]:
    count, reason = await parking.count(database.pool)
    return [f"{count} parked (chargebus parked list {service}), the last: {parking.in_short(reason)}"] if count else []


async def _serve_until_stopped(server: HttpServer, listening: socket.socket) -> None:
    try:
        await server.serve(sockets=[listening])
    except SystemExit as error:  # uvicorn's way to say that it cannot start, which would end the event loop
        raise RuntimeError("the HTTP server cannot start") from error


def _error_of(task: "asyncio.Task[None]") -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def _failure_of(step: Hook) -> Exception | None:
    """Take a step of the stop; return what it failed with."""
    try:
        await step()
    except Exception as error:
        log.exception("a step of the stop failed: %r", step)
        return error
    return None


async def _end(tasks: Sequence["asyncio.Task[None]"], within_s: float) -> None:
    """Wait for tasks to end, cancel what does not; why one failed was told when it did."""
    if not tasks:
        return
    _, pending = await asyncio.wait(tasks, timeout=within_s)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _settle(database: Database) -> None:
    try:
        await asyncio.wait_for(database.outbox.settle(), timeout=10)
    except MAYBE_AWAY as error:
        log.warning("%s keeps outbox rows for later: %r", database.name, error)
