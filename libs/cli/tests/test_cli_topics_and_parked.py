"""`chargebus topics`, `migrate` and `parked` against the real servers."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chargebus_cli import migrate, parked
from chargebus_cli import topics as topic_commands
from chargebus_cli.databases import databases, pool_of
from chargebus_cli.errors import CommandError
from chargebus_cli.services import builds
from chargebus_events.record import Received
from chargebus_events.services import SERVICES
from chargebus_events.topics import TOPICS
from chargebus_runtime import migrations, parking
from chargebus_runtime.clock import utc_now
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.producer import Producer
from chargebus_runtime.settings import RuntimeSettings

# Databases and topics under their names as declared: no other test may use them meanwhile.
pytestmark = pytest.mark.xdist_group("declared topics")

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FRAMES = "ocpp.frames.device"


@pytest.fixture
def settings(kafka, postgres):
    return RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url)


@pytest.fixture
async def device(settings):
    await migrate.run(settings, builds(["device"]))
    (database,) = databases(settings, builds(["device"]))
    async with pool_of(database) as pool:
        await parking.forget_older(pool, utc_now() + timedelta(days=1))
        yield pool


@pytest.fixture
async def park(settings, topics, device):
    producer = Producer(KafkaConnection(settings))
    await producer.start()
    places = itertools.count(7)

    async def park(station: str, reason: str) -> int:
        headers = {"ce_type": b"chargebus.ocpp.call.v1", "ocpp_action": b"BootNotification"}
        frame = Received(FRAMES, 3, next(places), station, b'{"reason":"PowerUp"}', headers)
        async with device.acquire() as connection:
            await parking.note(connection, frame, reason, NOW)
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


async def test_a_database_that_was_made_before_it_knew_what_is_parked_is_brought_up_to_date(postgres):
    settings = RuntimeSettings(database_url=postgres.url)
    names = [service.name for service in SERVICES if service.database and not service.planned]
    for database in databases(settings, builds(names)):
        name = f"{database.name}_{uuid4().hex[:8]}"
        folder = database._options.migrations
        revision = next(folder.glob("versions/*_parked_records.py"), None)
        if revision is None:  # it has known from its first revision on
            continue
        await migrations.migrate(postgres.url, name, folder, f"{int(revision.name[:4]) - 1:04}")
        connection = await asyncpg.connect(migrations.database_url(postgres.url, name))
        await connection.execute("DROP TABLE parked_record")

        await migrations.migrate(postgres.url, name, folder)

        newest = max(folder.glob("versions/*.py")).name[:4]
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == newest
        assert await connection.fetchval("SELECT count(*) FROM parked_record") == 0
        await connection.close()


async def test_a_parked_record_is_listed_shown_and_replayed_once(settings, park, device, capsys):
    number = await park("CLI-1", "ValueError: no such connector")
    assert await parking.count(device) == (1, "ValueError: no such connector")

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
    assert await parking.count(device) == (0, "")
    assert number not in [record.offset for record in await parked.waiting(settings, "device")]
    with pytest.raises(CommandError, match=f"no parked record {number}"):
        await parked.replay(settings, "device", [number], utc_now)


async def test_dismissed_records_are_neither_listed_nor_counted_and_never_sent(settings, park, device, capsys):
    first, second = [await park(f"CLI-{n}", "boom") for n in (3, 4)]

    await parked.dismiss(settings, "device", [first], utc_now)
    assert capsys.readouterr().out == "1 dismissed\n"
    waiting = [record.offset for record in await parked.waiting(settings, "device")]
    assert (first in waiting, second in waiting) == (False, True)
    assert (await parking.count(device))[0] == 1
    with pytest.raises(CommandError, match=f"no parked record {first}"):
        await parked.replay(settings, "device", [first], utc_now)

    await parked.dismiss(settings, "device", [], utc_now)
    assert second not in [record.offset for record in await parked.waiting(settings, "device")]
    assert await parking.count(device) == (0, "")


async def test_what_is_parked_meanwhile_stays_counted_and_what_the_topic_has_lost_does_not(settings, device):
    def parked_at(at, offset):
        return parking.note(device, Received(FRAMES, 3, offset, "CLI-6", b"", {}), "boom", at)

    await parked_at(utc_now() - timedelta(days=99), 1)  # so long ago that the topic no longer has it
    await parked_at(utc_now(), 2)  # the topic has it in a moment
    await parked.dismiss(settings, "device", [], utc_now)

    assert await device.fetch("SELECT record_offset FROM parked_record") == [(2,)]


async def test_without_its_database_nothing_is_replayed(settings, park, tmp_path):
    number = await park("CLI-5", "boom")
    nowhere = settings.model_copy(update={"database_url": f"postgresql://nobody@/postgres?host={tmp_path}"})

    with pytest.raises(CommandError, match="chargebus_device cannot be used"):
        await parked.replay(nowhere, "device", [number], utc_now)

    assert number in [record.offset for record in await parked.waiting(settings, "device")]


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
    assert dict(record.headers) == {
        "ce_type": b"chargebus.ocpp.call.v1",
        "ocpp_action": b"BootNotification",
        "replay_of": b"%d" % number,
    }


async def test_a_service_that_parks_nothing_is_said(settings):
    with pytest.raises(CommandError, match="edge parks no records; these do: command, device"):
        await parked.list_all(settings, ["edge"])
