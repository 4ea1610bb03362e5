"""The registry topic says what the database says, whatever happened to it."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_device.deviations.operations import add_rule
from chargebus_device.metrics import Metrics
from chargebus_device.registration.resources import StationIn
from chargebus_device.registration.tasks import RegistryKeeper, RegistryLog
from chargebus_events.record import Received, Record
from chargebus_events.registry import (
    DEVIATION_RULES_KEY,
    ONBOARDING_KEY,
    DeviationRule,
    DeviationRules,
    RegisteredStation,
    removed,
)
from chargebus_events.topics import REGISTRY
from chargebus_runtime.database import Database
from chargebus_runtime.telemetry import Tracing


class Topic:
    """The registry topic: what is published to it is read by the log."""

    def __init__(self) -> None:
        self.log = RegistryLog()
        self.records: list[Record] = []

    async def publish(self, records) -> None:
        for record in records:
            self.records.append(record)
            self.log.apply(Received(REGISTRY, 0, len(self.records), record.key, record.value, {}))

    @property
    def compacted(self) -> dict[str, bytes]:
        newest = {record.key: record.value for record in self.records}
        return {key: value for key, value in newest.items() if value is not None}


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def keeper(device, topic):
    return RegistryKeeper(device.database, topic, topic.log, Metrics())


async def register(device, *names):
    for name in names:
        await device.registrar.register(StationIn(station_id=name))
    return [record for record in await device.settled() if record.topic == REGISTRY]


async def test_an_empty_topic_is_filled(device, topic, keeper):
    published = await register(device, "A", "B")
    await device.registrar.set_onboarding("pending", new_password=False)

    await keeper.compare()

    assert {key: topic.compacted[key] for key in "AB"} == {record.key: record.value for record in published}
    assert set(topic.compacted) == {"A", "B", ONBOARDING_KEY}


async def test_the_deviation_rules_are_among_what_is_filled_and_put_right(device, topic, keeper):
    rule = DeviationRule("refuse", vendor="Acme")
    await add_rule(device.database, uuid4(), rule, "")
    await keeper.compare()
    await topic.publish([Record(REGISTRY, DEVIATION_RULES_KEY, b"?")])
    await keeper.mend(topic.log.take_suspects())

    rules = msgspec.json.decode(topic.compacted[DEVIATION_RULES_KEY], type=DeviationRules)
    assert (len(topic.records), rules.rules) == (3, (rule,))


async def test_rules_that_the_database_never_had_are_taken_out(device, topic, keeper):
    await topic.publish([DeviationRules(device.time(), (DeviationRule("refuse"),)).record()])
    await keeper.compare()

    assert topic.compacted == {}


async def test_a_topic_that_is_right_is_left_alone(device, topic, keeper):
    await topic.publish(await register(device, "A", "B"))

    await keeper.compare()

    assert len(topic.records) == 2


async def test_what_the_database_does_not_know_is_taken_out(device, topic, keeper):
    await topic.publish(await register(device, "A"))
    await topic.publish([RegisteredStation("ghost", "accepted", "hash", device.time()).record()])
    await topic.publish([Record(REGISTRY, ONBOARDING_KEY, topic.compacted["ghost"])])

    await keeper.compare()

    assert set(topic.compacted) == {"A"}


async def test_records_published_in_the_wrong_order_are_put_right(device, topic, keeper):
    (first,) = await register(device, "A")
    await device.registrar.rotate("A")
    newest = (await device.settled())[-1]
    await topic.publish([newest, first])

    await keeper.mend(topic.log.take_suspects())

    assert topic.compacted["A"] == newest.value
    assert topic.log.take_suspects() == set()


async def test_a_tombstone_that_came_after_a_new_registration_is_put_right(device, topic, keeper):
    published = await register(device, "A")
    await topic.publish([*published, removed("A")])

    await keeper.mend(topic.log.take_suspects())

    assert set(topic.compacted) == {"A"}


async def test_a_tombstone_that_is_right_is_not_repeated(device, topic, keeper):
    await topic.publish([removed("gone")])

    await keeper.mend(topic.log.take_suspects())

    assert len(topic.records) == 1


async def test_a_record_that_cannot_be_read_is_replaced(device, topic, keeper):
    await topic.publish([*await register(device, "A"), Record(REGISTRY, "A", b"?")])

    await keeper.mend(topic.log.take_suspects())

    assert msgspec.json.decode(topic.compacted["A"], type=RegisteredStation).station_id == "A"


async def test_a_database_set_back_is_the_truth_and_no_reason_to_publish_for_ever(device, topic, keeper):
    await topic.publish(await register(device, "A"))
    newer = RegisteredStation("A", "rejected", "other", device.time() + timedelta(days=1))
    await topic.publish([newer.record()])

    await keeper.compare()
    await keeper.mend(topic.log.take_suspects())

    assert msgspec.json.decode(topic.compacted["A"], type=RegisteredStation).registration == "accepted"
    assert len(topic.records) == 3


async def test_two_copies_that_mend_at_once_agree(device, topic, keeper):
    await register(device, "A", "B")
    other = RegistryKeeper(device.database, topic, topic.log, Metrics())

    await keeper.compare()
    await other.compare()

    assert set(topic.compacted) == {"A", "B"}


async def test_kafka_that_is_away_ends_nothing_and_the_next_try_fills_the_topic(device, topic, keeper, monkeypatch):
    await register(device, "A")
    monkeypatch.setattr(Database, "may_hold_s", 0.05)
    publish, tries = topic.publish, []

    async def away_at_first(records) -> None:
        tries.append(records)
        await (asyncio.Event().wait() if len(tries) == 1 else publish(records))

    topic.publish = away_at_first
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(180):
        while "A" not in topic.compacted and not running.done():
            await asyncio.sleep(0.01)
    running.cancel()

    assert set(topic.compacted) == {"A"}


async def test_a_station_is_locked_for_as_long_as_its_record_is_on_its_way(device, topic, device_database):
    await register(device, "A")
    database = Database(replace(device_database, silent_s=0.6), device.sent, device.time, Tracing(enabled=False))
    await database.start()
    topic.publish = lambda _records: asyncio.Event().wait()
    keeper = RegistryKeeper(database, topic, topic.log, Metrics())

    with pytest.raises(TimeoutError):  # its own end, not that of the database, which would have let go of the lock
        await keeper.mend(["A"])

    await database.stop()


async def test_a_topic_that_starts_anew_is_compared_again(device, topic):
    await topic.publish(await register(device, "A"))
    assert not topic.log.restarted

    topic.log.apply(Received(REGISTRY, 0, 0, "B", removed("B").value, {}))

    assert topic.log.restarted
    assert topic.log.versions == {}
    assert topic.log.news.is_set()


async def test_every_change_of_a_station_outranks_the_one_before_even_if_clocks_disagree(device):
    await register(device, "A")
    device.time.pass_s(-3600)
    await device.registrar.rotate("A")
    await device.registrar.rotate("A")

    records = [record for record in await device.settled() if record.topic == REGISTRY]
    stamps = [msgspec.json.decode(record.value, type=RegisteredStation).updated_at for record in records]
    assert stamps == sorted(set(stamps))
    assert all(isinstance(stamp, datetime) for stamp in stamps)
