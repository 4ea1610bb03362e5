"""The embedded broker: its log outlives stops and crashes, and it never outlives its parent."""

import asyncio
import os
import socket
import subprocess

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chargebus_embedded import EmbeddedKafka, PortTakenError, StartError, free_port
from chargebus_embedded.formatted import META
from chargebus_embedded.jars import cache_folder, class_path

pytestmark = pytest.mark.server

TOPIC = "kept"


async def write(kafka: EmbeddedKafka, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value, partition=0)


async def read(kafka: EmbeddedKafka, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]


async def cluster_id(kafka: EmbeddedKafka) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        await admin.start()
        return (await admin.describe_cluster())["cluster_id"]
    finally:
        await admin.close()


async def create_topic(kafka: EmbeddedKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()


async def test_a_second_start_keeps_the_log_and_the_cluster(tmp_path):
    async with EmbeddedKafka(tmp_path) as first:
        await create_topic(first)
        await write(first, b"before")
        id_before = await cluster_id(first)

    async with EmbeddedKafka(tmp_path) as second:
        assert await cluster_id(second) == id_before
        assert await read(second, 1) == [b"before"]


@pytest.fixture
def new_cache(tmp_path, monkeypatch):
    """Have a cache that holds nothing but the jars."""
    cache = tmp_path / "cache"
    class_path(cache_folder(os.environ), print)
    cache.mkdir()
    (cache / "maven").symlink_to(cache_folder(os.environ) / "maven")
    monkeypatch.setenv("CHARGEBUS_CACHE", str(cache))


def directory_id(folder) -> str:
    (line,) = (line for line in (folder / "log" / META).read_text().splitlines() if line.startswith("directory.id="))
    return line


async def test_folders_with_spaces_and_a_comma_are_formatted_once_by_kafka_and_then_like_that(
    tmp_path, new_cache, monkeypatch
):
    by_kafka, likewise = tmp_path / "my data, the other one", tmp_path / "my data, the next one"
    async with EmbeddedKafka(by_kafka) as kafka:
        id_by_kafka = await cluster_id(kafka)
        await create_topic(kafka)
    assert (by_kafka / "log" / f"{TOPIC}-0").is_dir()

    monkeypatch.setattr(subprocess, "run", None)  # nothing formats it
    async with EmbeddedKafka(likewise) as kafka:
        assert await cluster_id(kafka) != id_by_kafka
        await create_topic(kafka)
        await write(kafka, b"kept")
        assert await read(kafka, 1) == [b"kept"]
    assert directory_id(likewise) != directory_id(by_kafka)


async def test_at_rest_the_controller_writes_nothing(tmp_path):
    log = tmp_path / "log" / "__cluster_metadata-0" / "00000000000000000000.log"
    async with EmbeddedKafka(tmp_path):
        for _ in range(20):  # what a start brings comes to its end
            before = log.stat().st_size
            await asyncio.sleep(2)
            if log.stat().st_size == before:
                return
    pytest.fail("its log grows on and on")


async def test_after_kill_9_it_returns_on_the_same_port_with_what_it_acknowledged(tmp_path):
    port = free_port()
    async with EmbeddedKafka(tmp_path, port) as kafka:
        await create_topic(kafka)
        await write(kafka, b"acknowledged")
        address = kafka.bootstrap_servers

        await kafka.kill()
        await kafka.restart()

        assert kafka.bootstrap_servers == address == f"127.0.0.1:{port}"
        assert await read(kafka, 1) == [b"acknowledged"]


async def test_a_taken_port_is_said_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1, wanted for Apache Kafka, is taken"):
            await EmbeddedKafka(tmp_path, port).start()


async def test_a_broker_that_ends_shows_the_end_of_its_log(tmp_path):
    async with EmbeddedKafka(tmp_path):
        pass
    (tmp_path / "log" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=2\n")

    with pytest.raises(StartError, match=r"(?s)ended while it started.*kafka\.log.*node"):
        await EmbeddedKafka(tmp_path).start()
