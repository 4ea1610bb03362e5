"""The AsyncAPI document in docs is the one that the topics and the types of their records make."""

import json

import jsonschema_rs
import pytest
from chargebus_cli import asyncapi
from chargebus_events.public import PUBLIC, topic_of
from chargebus_events.topics import TOPICS


@pytest.fixture(scope="module")
def document():
    return asyncapi.build()


def test_the_committed_document_is_the_generated_one():
    assert asyncapi.DOCUMENT.read_text(encoding="utf-8") == asyncapi.render(), (
        "topics or types changed: run make contract"
    )


def test_it_is_asyncapi_3_and_the_same_each_time(document):
    assert document["asyncapi"] == "3.0.0"
    assert json.dumps(document) == json.dumps(asyncapi.build())


def test_every_topic_is_a_channel_and_every_channel_a_topic(document):
    assert {channel["address"] for channel in document["channels"].values()} == set(TOPICS)


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_public_event_is_a_message_of_its_topic_and_tagged_public(document, kind):
    channel = document["channels"][f"{topic_of(kind)}:{kind}"]

    assert channel["address"] == topic_of(kind)
    assert channel["tags"] == [{"name": "public"}]


def test_partitions_and_retention_are_the_tables(document):
    for channel in document["channels"].values():
        topic, binding = TOPICS[channel["address"]], channel["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        assert binding["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
        assert binding["topicConfiguration"].get("retention.ms") == (None if topic.compacted else topic.retention_ms)


def test_every_reference_leads_somewhere(document):
    for reference in _references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_public_events_schema_is_complete_in_itself(document, kind):
    schema = document["components"]["schemas"][kind]

    assert list(_references(schema)) == []
    jsonschema_rs.validator_for(schema)


def _references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
