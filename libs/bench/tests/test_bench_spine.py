"""The bare spine: what it promises, so that it is no easier to beat and no cheaper than it says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from chargebus_bench import frames
from chargebus_bench.frames import issued_transaction
from chargebus_bench.spine.bed import Spine
from chargebus_bench.spine.road import DOWN, PARTITIONS, TO_NOBODY, TO_SESSION
from chargebus_bench.station import Station
from chargebus_testkit.servers import KafkaServer
from chargebus_testkit.untested import Untested

pytestmark = [pytest.mark.real_broker, pytest.mark.asyncio(loop_scope="module")]

AT = b"2024-05-01T10:00:00Z"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spine(kafka_server: KafkaServer, server_folder: Path) -> AsyncIterator[Spine]:
    if kafka_server.shortcomings:
        pytest.skip(f"{Untested.REASON} Kafka is the mock cluster")
    async with Spine(server_folder / "spine") as spine:
        await spine.start()
        yield spine


@pytest_asyncio.fixture(loop_scope="module")
async def station(spine: Spine) -> AsyncIterator[Station]:
    station = Station(f"cs-{uuid4()}", "x")
    await station.connect(spine.ocpp_url)
    yield station
    await station.close()


@pytest_asyncio.fixture(loop_scope="module")
async def database(spine: Spine) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(spine.postgres.url)
    yield connection
    await connection.close()


async def ends(spine: Spine, topic: str) -> int:
    """Return how many records a topic has had."""
    async with AIOKafkaConsumer(bootstrap_servers=spine.kafka.bootstrap_servers) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS[topic])]
        return sum((await consumer.end_offsets(partitions)).values())


async def start(station: Station) -> int:
    frame = frames.start_transaction(station.next_number(), b"BENCH0001", 100, AT)
    return issued_transaction(await station.call(frame))


@pytest.mark.parametrize(
    "frame",
    [frames.heartbeat(1), frames.status_notification(1), frames.meter_values(1, 0, 5, AT)],
    ids=["Heartbeat", "StatusNotification", "MeterValues"],
)
async def test_a_frame_that_nobody_decides_is_in_kafka_when_it_is_answered(spine, station, frame) -> None:
    before = await ends(spine, TO_NOBODY)
    kind, message_id, _ = json.loads(await station.call(frame))
    assert (kind, message_id) == (3, "1")
    assert await ends(spine, TO_NOBODY) == before + 1


async def test_a_boot_is_accepted_over_kafka(spine, station) -> None:
    before = await ends(spine, TO_SESSION), await ends(spine, DOWN)
    _, message_id, payload = json.loads(await station.call(frames.boot_notification(7)))
    assert (message_id, payload["status"]) == ("7", "Accepted")
    assert (await ends(spine, TO_SESSION), await ends(spine, DOWN)) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(("tag", "status"), [(b"BENCH0001", "Accepted"), (b"STRANGER", "Invalid")])
async def test_a_token_is_looked_up_in_the_database(station, tag, status) -> None:
    _, _, payload = json.loads(await station.call(frames.authorize(1, tag)))
    assert payload == {"idTagInfo": {"status": status}}


async def test_a_transaction_is_in_the_database_when_it_is_answered(station, database) -> None:
    transaction_id = await start(station)
    [row] = await database.fetch("SELECT * FROM charging WHERE station_id = $1", station.station_id)
    assert tuple(row) == (transaction_id, station.station_id, "BENCH0001", 100.0, None, AT.decode(), None)
    await station.call(frames.stop_transaction(station.next_number(), transaction_id, 250, AT))
    [row] = await database.fetch("SELECT * FROM charging WHERE station_id = $1", station.station_id)
    assert (row["stop_wh"], row["stopped_at"]) == (250.0, AT.decode())


async def test_positions_and_answers_are_in_the_database_with_what_was_decided(spine, station, database) -> None:
    await start(station)
    assert await database.fetchval("SELECT sum(next_offset) FROM position") == await ends(spine, TO_SESSION)
    [kept] = await database.fetch("SELECT answers FROM outbox")  # those of former batches are gone
    assert station.station_id.encode() in kept["answers"]


async def test_the_database_waits_for_its_disk(database) -> None:
    assert await database.fetchval("SHOW fsync") == "on"
    assert await database.fetchval("SHOW synchronous_commit") == "on"


async def test_after_a_crash_no_frame_is_handled_twice_and_answers_are_published_again(
    spine, station, database
) -> None:
    first = await start(station)
    before = await ends(spine, DOWN)
    await spine.kill_session()
    await spine.start_session()
    assert await ends(spine, DOWN) == before + 1
    second = await start(station)
    rows = await database.fetch("SELECT transaction_id FROM charging WHERE station_id = $1", station.station_id)
    assert [row[0] for row in rows] == [first, second]
    assert await database.fetchval("SELECT count(*) FROM outbox") == 1
