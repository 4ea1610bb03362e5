"""What every service does with what goes wrong around it, whatever it is there for."""

from dataclasses import replace

import pytest
from chargebus_embedded import free_port
from chargebus_events.frames import ANSWER, ERROR
from chargebus_events.record import Record
from chargebus_events.topics import DOWNLINK, Topic, frames_topic
from chargebus_ocppj.actions import lookup
from chargebus_runtime import parking
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.topics import ensure_topics
from chargebus_testkit.database_line import DatabaseLine
from chargebus_testkit.samples import sample, sample_frame
from chargebus_testkit.waiting import eventually

pytestmark = [pytest.mark.real_broker, pytest.mark.timeout(600)]

UNREADABLE = b'{"neither": "JSON", \xff'


def samples(bed, stations):
    """Return a record of each topic that the service consumes, for each station."""
    return [sample(topic, station) for station in stations for topic in bed.topics]


def waited_for(service, bed):
    """Tell whether a station waits for the service to answer the sample of its own topic."""
    topic = frames_topic(service)
    if topic not in bed.topics:
        return False
    frame = sample_frame(topic, "any")
    return lookup(frame.version, frame.action).answered_by == "service"


async def applied(bed):
    await eventually(bed.caught_up, within_s=180, what="all is applied")


async def answers(bed, station):
    return [record.type for record in await bed.read(DOWNLINK, station) if record.type in {ANSWER, ERROR}]


async def set_aside(bed, parked, station):
    return [record.text(parking.TOPIC) for record in await bed.read(parked, station)]


async def test_an_unreadable_record_is_set_aside_or_refused_and_the_rest_goes_on(service, bed, parked, stations):
    bad, good = stations(2)
    async with bed.running() as process:
        unreadable = [replace_value(record) for record in samples(bed, [bad])]
        for pair in zip(unreadable, samples(bed, [good]), strict=True):
            await bed.publish(*pair)
        await applied(bed)
        await process.idle()
        assert not process.failed.is_set()

    own = {frames_topic(service)} & set(bed.topics)
    refused = list(own) if waited_for(service, bed) else []
    assert await answers(bed, bad) == [ERROR] * len(refused)
    dealt_with = await set_aside(bed, parked, bad) + refused  # what the service need not read is passed over
    assert own <= set(dealt_with) <= set(bed.topics)
    assert len(set(dealt_with)) == len(dealt_with) > 0
    assert await answers(bed, good) == [ANSWER] * len(refused)
    assert await set_aside(bed, parked, good) == []


def replace_value(record):
    return Record(record.topic, record.key, UNREADABLE, record.headers, record.partition)


async def test_a_record_that_our_code_fails_on_is_parked_alone_and_its_station_told(
    service, bed, parked, stations, change
):
    guilty, innocent, other = stations(3)

    def poisoned(spec):
        async def handle(batch):
            await spec.handle(batch)
            if guilty in {record.key for record in batch.records}:
                raise LookupError("this one is poison")

        return replace(spec, handle=handle)

    change(poisoned)
    async with bed.running() as process:
        for trio in zip(*(samples(bed, [station]) for station in (innocent, guilty, other)), strict=True):
            await bed.publish(*trio)
        await applied(bed)
        await process.idle()

    told = [ERROR] if waited_for(service, bed) else []
    assert sorted(await set_aside(bed, parked, guilty)) == sorted(bed.topics)
    assert await answers(bed, guilty) == told
    for station in (innocent, other):
        assert await set_aside(bed, parked, station) == []
        assert await answers(bed, station) == [ANSWER] * len(told)


async def rows_by_table(bed):
    tables = await bed.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    internal = {"consumer_offset", "outbox", "alembic_version"}
    return {table: await bed.rows(f"SELECT count(*) FROM {table}") for (table,) in tables if table not in internal}


async def test_what_comes_twice_has_its_effect_once(bed, parked, stations):
    (station,) = stations(1)
    async with bed.running() as process:
        records = samples(bed, [station])
        await bed.publish(*records)
        await applied(bed)
        await process.idle()
        once = await rows_by_table(bed)

        await bed.publish(*records)
        await applied(bed)
        await process.idle()
        assert await rows_by_table(bed) == once
    assert await set_aside(bed, parked, station) == []


async def test_copies_come_and_go_and_nothing_is_left_out_or_answered_twice(service, bed, parked, stations):
    early, amid, late = (stations(30)[begin : begin + 10] for begin in (0, 10, 20))
    async with bed.running() as first:
        await bed.publish(*samples(bed, early))
        async with bed.running(http_port=free_port()) as second:
            await bed.publish(*samples(bed, amid))
            await applied(bed)
            assert not second.failed.is_set()
        await bed.publish(*samples(bed, late))
        await applied(bed)
        await first.idle()
        assert not first.failed.is_set()

    down = await bed.read(DOWNLINK, *early, *amid, *late)
    answered = sorted(record.key for record in down if record.type == ANSWER)
    assert answered == (sorted([*early, *amid, *late]) if waited_for(service, bed) else [])
    assert await bed.rows("SELECT * FROM log_hole") == []


async def test_a_database_that_goes_and_comes_is_waited_for(service, bed, postgres, parked, stations):
    before, while_away = stations(2)
    async with DatabaseLine(postgres.url) as line, bed.running(database_url=line.url) as process:
        await bed.publish(*samples(bed, [before]))
        await applied(bed)

        await line.cut()
        await bed.publish(*samples(bed, [while_away]))
        await eventually(process._not_ready, what="not ready")
        await line.mend()
        await applied(bed)
        await eventually(process._not_ready, lambda reasons: not reasons, what="ready")
        assert not process.failed.is_set()
        await process.idle()

    for station in (before, while_away):
        assert await set_aside(bed, parked, station) == []
        assert await answers(bed, station) == [ANSWER] * waited_for(service, bed)


async def test_a_topic_that_is_missing_holds_up_what_goes_there_and_nothing_else(service, bed, stations, change):
    sender, other = stations(2)
    missing = Topic(f"missing.{sender}", "station", service, (), 1)

    def sending_there(spec):
        async def handle(batch):
            await spec.handle(batch)
            for record in batch.records:
                if record.key == sender:
                    batch.send(Record(missing.name, sender, b"late", partition=0), because=record)

        return replace(spec, handle=handle)

    change(sending_there)
    async with bed.running() as process:
        await bed.publish(*samples(bed, [sender]))
        await applied(bed)
        await bed.publish(*samples(bed, [other]))
        await applied(bed)
        answered = [ANSWER] * waited_for(service, bed)
        await eventually(lambda: answers(bed, other), lambda found: found == answered, what="others are answered")
        assert await bed.rows("SELECT count(*) > 0 FROM outbox") == [(True,)]
        assert not process.failed.is_set()

        await ensure_topics(KafkaConnection(bed.settings), [missing], replication=1)
        await eventually(
            lambda: bed.rows("SELECT id FROM outbox"), lambda rows: not rows, within_s=180, what="what waited went out"
        )
