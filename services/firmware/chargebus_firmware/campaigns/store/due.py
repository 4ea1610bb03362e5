"""When campaigns are looked at.

Whoever changes what a campaign depends on marks it; who looks takes campaigns that are due, each with its row locked,
and says at the end when they are due again. A mark that comes in between is not lost: marks are counted.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_commanding import InBatch, Transaction
from chargebus_runtime.batch import Batch

# Rows are locked in the order of their ids, whoever does it, and last: nobody waits for another in a circle.
_MARK: Final = """
UPDATE campaign_due AS d SET due_at = least(d.due_at, $2), marks = d.marks + 1
FROM (
    SELECT campaign_id FROM campaign_due WHERE campaign_id = ANY($1) ORDER BY campaign_id FOR NO KEY UPDATE
) AS n
WHERE d.campaign_id = n.campaign_id
"""
# A station that was put off, as it was not ready, or that is being checked, is looked at as soon as it is heard of.
# Who puts it off holds its row: what is heard of it comes before that, and is seen, or after it.
_HEARD: Final = """
UPDATE campaign_station AS m SET look_at = $2
FROM (
    SELECT o.campaign_id, o.station_id FROM campaign_station AS o
    WHERE o.station_id = ANY($1) AND o.state IN ('waiting', 'checking') AND o.look_at > $2
      AND (o.state = 'checking' OR o.reason IN ('offline', 'charging', 'busy'))
    ORDER BY o.campaign_id, o.station_id FOR NO KEY UPDATE
) AS n
WHERE (m.campaign_id, m.station_id) = (n.campaign_id, n.station_id) RETURNING m.campaign_id
"""
_ADD: Final = "INSERT INTO campaign_due (campaign_id, due_at, marks) VALUES ($1, $2, 0)"
_TAKE: Final = """
SELECT d.campaign_id, d.marks FROM campaign_due AS d JOIN campaign AS c USING (campaign_id)
WHERE d.due_at <= $1 ORDER BY d.due_at LIMIT $2 FOR UPDATE OF c SKIP LOCKED
"""
_PUT_OFF: Final = """
UPDATE campaign_due SET due_at = CASE WHEN marks = $2 THEN $3::timestamptz ELSE $4::timestamptz END
WHERE campaign_id = $1
"""


class Due(msgspec.Struct, frozen=True):
    """A campaign that is due, and how often it had been marked when it was taken."""

    campaign_id: UUID
    marks: int


async def add(connection: asyncpg.Connection, campaign_id: UUID, at: datetime) -> None:
    """Have a new campaign looked at."""
    await connection.execute(_ADD, campaign_id, at)


async def mark(connection: asyncpg.Connection, campaign_ids: Collection[UUID], now: datetime) -> None:
    """Have campaigns looked at; the last thing that a transaction does, so that it waits for nobody."""
    if campaign_ids:
        await connection.execute(_MARK, list(campaign_ids), now)


class Marks:
    """Campaigns that the parts of a batch have looked at: marked once, after all other rows are locked."""

    def __init__(self) -> None:
        self.campaign_ids: set[UUID] = set()
        self.station_ids: set[str] = set()

    async def finish(self, batch: Batch) -> None:
        """Mark them."""
        if self.station_ids:
            rows = await batch.connection.fetch(_HEARD, list(self.station_ids), batch.now)
            self.campaign_ids |= {row["campaign_id"] for row in rows}
        await mark(batch.connection, self.campaign_ids, batch.now)


def mark_heard(batch: Batch, station_ids: Collection[str]) -> None:
    """Have those campaigns looked at that something heard of stations may matter to."""
    batch.last(Marks).station_ids.update(station_ids)


async def mark_ended(tx: Transaction | Batch, campaign_ids: Collection[str]) -> None:
    """Have the campaigns of updates looked at that have ended: at the end of the batch, where it is one."""
    ids = {UUID(campaign_id) for campaign_id in campaign_ids}
    batch = tx.batch if isinstance(tx, InBatch) else tx
    if isinstance(batch, Batch):
        batch.last(Marks).campaign_ids.update(ids)
    else:
        await mark(batch.connection, ids, batch.now)


async def take(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Due]:
    """Return up to `limit` campaigns that are due, their rows locked; those that others hold are passed over.

    What is read of them afterwards is at least as new as their marks.
    """
    return [Due(**row) for row in await connection.fetch(_TAKE, now, limit)]


async def put_off(connection: asyncpg.Connection, due: Due, until: datetime | None, now: datetime) -> None:
    """Say when a campaign that was taken is due again, None: never; one that was marked meanwhile is due now."""
    await connection.execute(_PUT_OFF, due.campaign_id, due.marks, until, now)
