"""`chargebus topics`: the declared topics, created where they are missing."""

from chargebus_events.topics import TOPICS, Topic
from chargebus_runtime.kafka import KafkaConnection
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import TopicsReport, ensure_topics

from chargebus_cli.say import say

_HOUR_MS = 3600 * 1000


async def create(settings: RuntimeSettings) -> TopicsReport:
    """Create the missing topics with their declared settings; waits for nothing."""
    topics = [topic.capped(settings.kafka_partitions) for topic in TOPICS.values()]
    return await ensure_topics(KafkaConnection(settings), topics, settings.kafka_replication_factor)


async def run(settings: RuntimeSettings) -> None:
    """Create the missing topics and tell what was done, and how existing topics differ from their declaration."""
    report = await create(settings)
    for name in report.created:
        say(f"created {name}")
    for difference in report.differences:
        say(f"differs {difference}")
    say(f"{len(TOPICS)} topics declared, {len(report.created)} created, {len(report.differences)} differences")


def show() -> None:
    """Print the declared topics as a table."""
    row = "{:<27} {:>10}  {:<14} {:<9} {}"
    say(row.format("TOPIC", "PARTITIONS", "KEPT", "OWNER", "WHAT"))
    for topic in TOPICS.values():
        say(row.format(topic.name, topic.partitions, _kept(topic), topic.owner, topic.about))


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest per key"
    hours = topic.retention_ms / _HOUR_MS
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours * 60:.0f} minutes"  # noqa: PLR2004
