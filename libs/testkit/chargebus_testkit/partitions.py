"""The topics of a system on this machine: declared as ever, with few partitions."""

from typing import Final

from chargebus_events.topics import TOPICS
from chargebus_runtime.settings import FEW_PARTITIONS, RuntimeSettings

PARTITIONS: Final = RuntimeSettings().kafka_partitions or FEW_PARTITIONS
"""As many as the embedded system has, unless `KAFKA_PARTITIONS` says otherwise."""

SYSTEM_TOPICS: Final = {name: topic.capped(PARTITIONS) for name, topic in TOPICS.items()}
