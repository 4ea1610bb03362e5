"""The embedded broker: its log outlives stops and crashes, and it never outlives its parent."""

import socket

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chargebus_embedded import EmbeddedKafka, PortTakenError, StartError, free_port

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


async def test_a_folder_with_spaces_and_a_comma_works_too(tmp_path):
    folder = tmp_path / "my data, the other one"
    async with EmbeddedKafka(folder) as kafka:
        await create_topic(kafka)
    assert (folder / "log" / f"{TOPIC}-0").is_dir()


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
