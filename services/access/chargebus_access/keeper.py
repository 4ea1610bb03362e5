"""What `access.keys` says is what the database says.

Every change goes out through the outbox. What that cannot do is done here: fill a topic that is new or lost, and put
right what was published in the wrong order, such as a key that a crash left in the outbox and that was revoked
meanwhile. Several copies may do so at once: they publish the same.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from chargebus_events.access import revoked
from chargebus_events.record import Received, Record
from chargebus_events.topics import API_KEYS
from chargebus_runtime.database import Database
from chargebus_runtime.view import View

from chargebus_access import store
from chargebus_access.domain import StoredKey
from chargebus_access.metrics import AccessMetrics

log = logging.getLogger(__name__)

_PUBLISH_TIMEOUT_S = 20


class Publisher(Protocol):
    """The part of the runtime's producer that is needed here."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Send records and wait until they are acknowledged."""


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


class KeyKeeper:
    """Makes the last record of each key in the topic say what the database says."""

    def __init__(self, database: Database, publisher: Publisher, topic: KeyLog, metrics: AccessMetrics) -> None:
        self._database = database
        self._publisher = publisher
        self._topic = topic
        self._metrics = metrics

    async def compare(self) -> None:
        """Mend the topic where it differs from the database."""
        async with self._database.pool.acquire() as connection:
            stored = await store.load(connection)
        if _corrections(stored, self._topic.values):
            await self.mend()

    async def mend(self) -> None:
        """Publish what the database says where the topic says something else.

        The rows are locked until Kafka has the records: what changes after that is published after that.
        """
        async with self._database.pool.acquire() as connection, connection.transaction():
            records = _corrections(await store.lock(connection), self._topic.values)
            await asyncio.wait_for(self._publisher.publish(records), _PUBLISH_TIMEOUT_S)
        if records:
            log.warning("%s: put %d records right", API_KEYS, len(records))
            self._metrics.repairs.add(len(records))


def _corrections(stored: Mapping[str, StoredKey], published: Mapping[str, bytes]) -> list[Record]:
    wanted = {key_id: each.key.record() for key_id, each in stored.items() if each.revoked_at is None}
    missing = [record for key_id, record in wanted.items() if published.get(key_id) != record.value]
    return missing + [revoked(key_id) for key_id in published if key_id not in wanted]
