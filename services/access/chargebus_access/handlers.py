"""Kafka in: what the topic of API keys says."""

import logging

from chargebus_events.record import Received
from chargebus_events.topics import API_KEYS
from chargebus_runtime.view import View

log = logging.getLogger(__name__)


class KeyLog:
    """What readers of the topic know: the last record of each key."""

    def __init__(self) -> None:
        self.view = View(API_KEYS, self.apply)
        self.values: dict[str, bytes] = {}
        self._offsets: dict[int, int] = {}

    def apply(self, record: Received) -> None:
        """Take the next record of the topic; one that is not the next means that the topic was made anew."""
        if record.offset <= self._offsets.get(record.partition, -1):
            log.warning("%s starts anew", API_KEYS)
            self.values.clear()
            self._offsets.clear()
        self._offsets[record.partition] = record.offset
        if record.value is None:
            self.values.pop(record.key, None)
        else:
            self.values[record.key] = record.value
