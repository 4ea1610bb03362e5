"""What the topic says is what the database says."""

import asyncio

import pytest
from chargebus_access.domain.keys import StoredKey, WantedKey
from chargebus_access.operations import new_key
from chargebus_access.store import keys
from chargebus_events.access import revoked
from chargebus_events.record import Received
from chargebus_events.topics import API_KEYS
from chargebus_runtime.database import Database


@pytest.fixture
async def made(access):
    """Return a key that the database has and the topic has not."""
    made = new_key(WantedKey("someone", "viewer"), access.time())
    async with access.database.transaction() as tx:
        await keys.insert(tx.connection, made.stored)
    return made


async def test_a_topic_that_lacks_keys_is_filled(access, made):
    await access.keeper.compare()

    assert access.ring.caller(made.presented).name == "someone"


async def test_a_topic_that_is_right_is_left_alone(access, made):
    await access.keeper.compare()
    await access.keeper.compare()

    assert len(access.topic.records) == 1


async def test_a_revoked_key_that_came_back_is_taken_out(access, made):
    async with access.database.transaction() as tx:
        await keys.revoke(tx.connection, StoredKey(made.stored.key, revoked_at=tx.now))
    await access.topic.publish([revoked(made.stored.key.key_id), made.stored.key.record()])
    await access.keeper.compare()

    assert access.key_log.values == {}


async def test_a_key_that_the_database_does_not_know_is_taken_out(access):
    await access.topic.publish([new_key(WantedKey("intruder", "admin"), access.time()).stored.key.record()])
    await access.keeper.compare()

    assert access.key_log.values == {}


async def test_a_topic_that_starts_anew_is_filled_again(access, made):
    await access.keeper.compare()
    access.key_log.apply(Received(API_KEYS, 0, 0, "other", None, {}))
    await access.keeper.compare()

    assert [record.key for record in access.topic.records] == [made.stored.key.key_id] * 2


async def test_while_kafka_is_away_nothing_is_held_and_the_next_comparison_puts_it_right(access, made, monkeypatch):
    publish, away = access.topic.publish, asyncio.Event()
    access.topic.publish = lambda _records: away.wait()
    with monkeypatch.context() as impatient:
        impatient.setattr(Database, "may_hold_s", 0.05)
        await asyncio.wait_for(access.keeper.compare(), 180)
    access.topic.publish = publish
    await access.keeper.compare()

    assert access.ring.caller(made.presented).name == "someone"
