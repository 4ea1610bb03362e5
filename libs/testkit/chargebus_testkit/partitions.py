"""The topics of a system on this machine: declared as ever, with as few partitions as the embedded system has."""

from chargebus_events.topics import TOPICS

SYSTEM_TOPICS = {name: topic.capped(3) for name, topic in TOPICS.items()}
