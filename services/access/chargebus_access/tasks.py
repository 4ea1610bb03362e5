"""What time does: `access.keys` says what the database says.

Every change goes out through the outbox. What that cannot do is done here: fill a topic that is new or lost, and put
right what was published in the wrong order, such as a key that a crash left in the outbox and that was revoked
meanwhile. Several copies may do so at once: they publish the same.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from chargebus_events.record import Record
from chargebus_events.topics import API_KEYS
from chargebus_runtime.database import Database

from chargebus_access.domain.keys import corrections
from chargebus_access.handlers import KeyLog
from chargebus_access.metrics import Metrics
from chargebus_access.store import keys

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """The part of the runtime's producer that is needed here."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Send records and wait until they are acknowledged."""


class KeyKeeper:
    """Makes the last record of each key in the topic say what the database says."""

    def __init__(self, database: Database, publisher: Publisher, topic: KeyLog, metrics: Metrics) -> None:
        self._database = database
        self._publisher = publisher
        self._topic = topic
        self._metrics = metrics

    async def compare(self) -> None:
        """Mend the topic where it differs from the database; where Kafka is away, the next comparison does."""
        async with self._database.pool.acquire() as connection:
            stored = await keys.load(connection)
        if corrections(stored, self._topic.values):
            try:
                await self.mend()
            except TimeoutError:
                log.warning("%s: Kafka does not take what is to be put right; trying again", API_KEYS)

    async def mend(self) -> None:
        """Publish what the database says where the topic says something else; TimeoutError where Kafka is away.

        The rows are locked until Kafka has the records: what changes after that is published after that.
        """
        async with self._database.pool.acquire() as connection, connection.transaction():
            records = corrections(await keys.lock(connection), self._topic.values)
            await asyncio.wait_for(self._publisher.publish(records), self._database.may_hold_s)
        if records:
            log.warning("%s: put %d records right", API_KEYS, len(records))
            self._metrics.repairs.add(len(records))
