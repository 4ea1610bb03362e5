"""`chargebus topics`, `migrate` and `parked` against the real servers."""

from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chargebus_cli import migrate, parked
from chargebus_cli import topics as topic_commands
from chargebus_cli.errors import CommandError
from chargebus_cli.services import builds
from chargebus_events.record import Received
from chargebus_events.topics import TOPICS
from chargebus_runtime import parking
from chargebus_runtime.clock import utc_now
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.settings import RuntimeSettings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FRAMES = "ocpp.frames.device"


@pytest.fixture
def settings(kafka):
    return RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)


@pytest.fixture
async def park(settings, topics):
    producer = Producer(KafkaConnection(settings))
    await producer.start()

    async def park(station: str, reason: str) -> int:
        headers = {"ce_type": b"chargebus.ocpp.call.v1", "ocpp_action": b"BootNotification"}
        frame = Received(FRAMES, 3, 7, station, b'{"reason":"PowerUp"}', headers)
        return (await producer.send(parking.parked("device", frame, reason, NOW))).offset

    yield park
    await producer.stop()


@pytest.mark.real_broker
async def test_topics_are_created_once(settings, topics, capsys):
    await topic_commands.run(settings)

    said = capsys.readouterr().out
    assert f"{len(TOPICS)} topics declared, 0 created, 0 differences" in said


def test_topics_can_be_read_without_a_kafka(capsys):
    topic_commands.show()

    said = capsys.readouterr().out
    assert all(name in said for name in TOPICS)


async def test_migrate_brings_each_database_to_its_newest_revision_and_may_run_again(postgres, capsys):
    settings = RuntimeSettings(database_url=postgres.url)
    for _ in range(2):
        await migrate.run(settings, builds(["device", "session"]))

    said = capsys.readouterr().out.splitlines()
    assert said == ["chargebus_device is at its newest revision", "chargebus_session is at its newest revision"] * 2


async def test_a_parked_record_is_listed_shown_and_replayed_once(settings, park, capsys):
    number = await park("CLI-1", "ValueError: no such connector")

    await parked.list_all(settings, ["device"])
    assert f"{number}" in (line := next(line for line in capsys.readouterr().out.splitlines() if "CLI-1" in line))
    assert "BootNotification" in line
    assert "no such connector" in line

    await parked.show(settings, "device", number)
    shown = capsys.readouterr().out
    assert "parked_reason: ValueError: no such connector" in shown
    assert '"reason": "PowerUp"' in shown

    await parked.replay(settings, "device", [number], utc_now)
    assert f"device {number} sent to {FRAMES}" in capsys.readouterr().out
    assert number not in [record.offset for record in await parked.waiting(settings, "device")]
    with pytest.raises(CommandError, match=f"no parked record {number}"):
        await parked.replay(settings, "device", [number], utc_now)


@pytest.mark.real_broker
async def test_a_replayed_record_is_as_it_was(settings, park, kafka):
    number = await park("CLI-2", "boom")

    await parked.replay(settings, "device", [number], utc_now)

    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        partitions = [TopicPartition(FRAMES, partition) for partition in range(TOPICS[FRAMES].partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        async for record in consumer:
            if record.key == b"CLI-2":
                break
    assert record.value == b'{"reason":"PowerUp"}'
    assert dict(record.headers) == {"ce_type": b"chargebus.ocpp.call.v1", "ocpp_action": b"BootNotification"}


async def test_a_service_that_parks_nothing_is_said(settings):
    with pytest.raises(CommandError, match="edge parks no records; these do: command, device"):
        await parked.list_all(settings, ["edge"])
