"""One Apache Kafka node (KRaft, broker and controller in one process) that lives and dies with this process."""

import asyncio
import os
import subprocess
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chargebus_embedded import formatted
from chargebus_embedded.child import Child, Command, until_answering
from chargebus_embedded.errors import StartError
from chargebus_embedded.jars import cache_folder, class_path
from chargebus_embedded.java import find_java
from chargebus_embedded.kafka_settings import JAVA_FLAGS, NODE_ID, Place, broker_properties
from chargebus_embedded.ports import LOOPBACK, free_port, is_free, require_free
from chargebus_embedded.say import Say, nothing
from chargebus_embedded.server import EmbeddedServer

_NAME = "Apache Kafka"
_START_WITHIN_S = 180.0


class EmbeddedKafka(EmbeddedServer):
    """A real broker with its log in `data_dir`, kept from one start to the next.

    Args:
        data_dir: the broker's folder; its log, its cluster id and its log file lie there.
        port: where clients connect on 127.0.0.1; None takes a free port, and keeps it over `kill` and `restart`.
        say: gets lines for the user (the one-time download).
    """

    shortcomings: tuple[str, ...] = ()

    def __init__(self, data_dir: Path, port: int | None = None, say: Say = nothing) -> None:
        super().__init__(_NAME)
        self._folder = data_dir.resolve()
        self._wanted_port = port
        self._place: Place | None = None
        self._say = say

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, as Kafka clients take it."""
        return self._placed().address

    async def start(self) -> None:
        """Start the broker and wait until it answers as itself.

        Raises:
            PortTakenError: the port is taken.
            JarsUnavailableError: the jars are not cached and cannot be fetched.
            StartError: the broker ended or did not answer; the message shows the end of its log.
        """
        if self._place is None:
            port = self._wanted_port or free_port()
            self._place = Place(self._folder / "log", port, free_port())
        place = self._place
        require_free(place.port, _NAME)
        if not is_free(place.controller_port):
            self._place = place = Place(place.log_folder, place.port, free_port())
        self._folder.mkdir(parents=True, exist_ok=True)
        java = await asyncio.to_thread(self._java_command)
        properties = self._folder / "broker.properties"
        properties.write_text(broker_properties(place), encoding="utf-8")
        cluster_id = self._cluster_id()
        if not (place.log_folder / formatted.META).exists():
            await asyncio.to_thread(self._format, place, java, cluster_id)
        self._child = Child(
            Command(
                name=_NAME,
                arguments=(*java, "kafka.Kafka", str(properties)),
                folder=self._folder,
                log=self._folder / "kafka.log",
                environment=os.environ,
            )
        )
        try:
            await until_answering(self._child, lambda: _is_up(place.port, cluster_id), _START_WITHIN_S)
        except BaseException:
            await self._child.kill()
            raise

    def _placed(self) -> Place:
        if self._place is None:
            message = f"{_NAME} was not started yet"
            raise StartError(message)
        return self._place

    def _java_command(self) -> tuple[str, ...]:
        jars = class_path(cache_folder(os.environ), self._say)
        return (str(find_java(os.environ)), *JAVA_FLAGS, "-cp", os.pathsep.join(map(str, jars)))

    def _cluster_id(self) -> str:
        kept = self._folder / "cluster-id"
        if not kept.exists():
            kept.write_text(formatted.new_id(), encoding="ascii")
        return kept.read_text(encoding="ascii")

    def _format(self, place: Place, java: tuple[str, ...], cluster_id: str) -> None:
        cache = cache_folder(os.environ)
        if formatted.take(cache, place.log_folder, cluster_id):
            return
        done = subprocess.run(
            (*java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._folder / "broker.properties"),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"{_NAME}'s storage could not be formatted: {(done.stderr or done.stdout).strip()}"
            raise StartError(message)
        formatted.keep(cache, place.log_folder)


async def _is_up(port: int, cluster_id: str) -> bool:
    if not await _accepts(port):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{LOOPBACK}:{port}", request_timeout_ms=5000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    nodes = [broker["node_id"] for broker in cluster["brokers"]]
    return cluster["cluster_id"] == cluster_id and nodes == [NODE_ID]


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
