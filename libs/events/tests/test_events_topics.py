"""The topic table: what keys and partitions rely on."""

import pytest
from chargebus_events import topics
from chargebus_events.public import PUBLIC, topic_of
from chargebus_events.registry import POLICY_KEYS
from chargebus_events.services import RUNNING
from chargebus_events.topics import DAY_MS, SLOTS, TOPICS, Topic, frames_topic, parked_topic
from chargebus_ocppj.actions import ACTIONS

SERVICES = {service.host for service in RUNNING}


def test_a_topic_is_declared_once_under_its_own_name():
    assert all(name == topic.name for name, topic in TOPICS.items())


def test_every_topic_constant_is_declared():
    named = {
        value
        for name, value in vars(topics).items()
        if name.isupper() and isinstance(value, str) and not name.endswith("PREFIX")
    }

    assert named <= TOPICS.keys()


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_a_topic_says_what_it_is_and_whose(topic: Topic):
    assert topic.about
    assert topic.owner in SERVICES
    assert topic.partitions > 0
    assert topic.key


def test_every_service_that_owns_an_action_of_a_station_has_a_topic_for_its_frames():
    owners = {action.service for action in ACTIONS if action.initiator == "station"}

    assert {frames_topic(owner) for owner in owners} == {name for name in TOPICS if name.startswith("ocpp.frames.")}


def test_the_frames_of_all_services_have_the_same_partitions_so_that_one_copy_gets_a_stations_all():
    assert len({topic.partitions for topic in TOPICS.values() if topic.name.startswith("ocpp.frames.")}) == 1


def test_the_downlink_has_a_partition_for_each_slot_and_keeps_little():
    downlink = TOPICS[topics.DOWNLINK]

    assert downlink.partitions == SLOTS
    assert downlink.retention_ms < DAY_MS


def test_what_must_outlive_retention_is_compacted():
    compacted = {name for name, topic in TOPICS.items() if topic.compacted}

    assert compacted == {topics.PRESENCE, topics.EDGES, topics.REGISTRY, topics.API_KEYS}


@pytest.mark.parametrize("name", [topics.EDGES, topics.API_KEYS])
def test_a_topic_whose_offsets_order_all_keys_has_one_partition(name):
    assert TOPICS[name].partitions == 1


def test_a_compacted_topic_has_no_retention_and_a_deleted_one_has():
    assert "retention.ms" not in TOPICS[topics.PRESENCE].config()
    assert TOPICS[topics.COMMANDS].config()["retention.ms"] == str(7 * DAY_MS)


def test_public_topics_are_those_of_the_public_events_and_are_kept_long():
    public = {topic.name for topic in TOPICS.values() if topic.public}

    assert public == {topic_of(kind) for kind in PUBLIC}
    assert all(TOPICS[name].retention_ms >= 90 * DAY_MS for name in public)


def test_every_consuming_service_can_park_what_it_cannot_handle():
    consuming = {"command", "device", "session", "metering"}

    assert {parked_topic(service) for service in consuming} <= TOPICS.keys()


def test_a_policys_key_in_the_registry_is_no_station():
    assert all("/" in key for key in POLICY_KEYS)
