"""Creates the declared topics in Kafka, and tells where those that exist differ from what is declared."""

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from chargebus_events.topics import Topic

from chargebus_runtime.kafka import KafkaConnection

_REPLICAS_TO_LOSE_ONE = 3


class TopicsError(RuntimeError):
    """Kafka refused to create a topic; the message says which and why."""


@dataclass(frozen=True)
class TopicsReport:
    """What `ensure_topics` created, and in words how existing topics differ from their declaration."""

    created: tuple[str, ...]
    differences: tuple[str, ...]


async def ensure_topics(connection: KafkaConnection, topics: Iterable[Topic], replication: int) -> TopicsReport:
    """Create the missing topics. Existing ones stay as their operator set them; differences are reported.

    Raises:
        KafkaError: Kafka cannot be reached. TopicsError: it refuses.
    """
    declared = {topic.name: topic for topic in topics}
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        existing = sorted(set(await admin.list_topics()) & set(declared))
        missing = [topic for name, topic in declared.items() if name not in existing]
        if missing:
            await _create(admin, missing, replication)
        known = [declared[name] for name in existing]
        differences = await _differences(admin, known, replication) if known else []
    finally:
        await admin.close()
    return TopicsReport(tuple(topic.name for topic in missing), tuple(differences))


def _config(topic: Topic, replication: int) -> dict[str, str]:
    """Return a topic's settings; with three replicas an acknowledged record is on two of them whatever happens."""
    in_sync = {"min.insync.replicas": "2"} if replication >= _REPLICAS_TO_LOSE_ONE else {}
    return topic.config() | in_sync


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], replication: int) -> None:
    new = [
        NewTopic(
            topic.name, topic.partitions, replication_factor=replication, topic_configs=_config(topic, replication)
        )
        for topic in topics
    ]
    response = await admin.create_topics(new)
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicsError(f"Kafka did not create the topic {name}: {error.__name__}")


async def _differences(admin: AIOKafkaAdminClient, topics: list[Topic], replication: int) -> list[str]:
    found = []
    partitions = {
        entry["topic"]: len(entry["partitions"])
        for entry in await admin.describe_topics([topic.name for topic in topics])
    }
    settings = await _settings(admin, topics)
    for topic in topics:
        if partitions[topic.name] != topic.partitions:
            found.append(f"{topic.name} has {partitions[topic.name]} partitions, declared are {topic.partitions}")
        found += [
            f"{topic.name} has {name}={settings[topic.name].get(name)}, declared is {value}"
            for name, value in _config(topic, replication).items()
            if settings[topic.name].get(name) != value
        ]
    return found


async def _settings(admin: AIOKafkaAdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    responses = await admin.describe_configs(resources)
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }
