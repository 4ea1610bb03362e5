"""When sites are to be planned.

Whoever changes what a plan depends on marks the site; who plans takes sites that are due, each with its row locked, and
says at the end when they are due again. A mark that comes in between is not lost: marks are counted.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_commanding import InBatch, Transaction
from chargebus_runtime.batch import Batch

# Rows are locked in the order of their ids, whoever does it: nobody waits for another in a circle.
_MARK: Final = """
UPDATE site_due AS d SET due_at = least(d.due_at, n.at), marks = d.marks + 1
FROM (
    SELECT g.* FROM unnest($1::text[], $2::timestamptz[]) AS g (site_id, at)
    JOIN site_due AS l USING (site_id) ORDER BY g.site_id FOR NO KEY UPDATE OF l
) AS n
WHERE d.site_id = n.site_id
"""
_TAKE: Final = """
SELECT d.site_id, d.due_at, d.marks FROM site_due AS d JOIN site AS s USING (site_id)
WHERE d.due_at <= $1 ORDER BY d.due_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED
"""
_PUT_OFF: Final = """
UPDATE site_due AS d SET due_at = CASE WHEN d.marks = n.marks THEN n.due_at ELSE d.due_at END
FROM (
    SELECT g.* FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]) AS g (site_id, due_at, marks)
    JOIN site_due AS l USING (site_id) ORDER BY g.site_id FOR NO KEY UPDATE OF l
) AS n
WHERE d.site_id = n.site_id
"""


class Due(msgspec.Struct, frozen=True):
    """A site that is due, and how often it had been marked when it was taken."""

    site_id: str
    due_at: datetime
    marks: int


class Marks:
    """Sites that the parts of a batch have planned soon: marked once, after all other rows are locked."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}

    def add(self, site_ids: Collection[str], at: datetime) -> None:
        """Have sites planned at the latest `at`."""
        for site_id in site_ids:
            self._at[site_id] = min(at, self._at.get(site_id, at))

    async def finish(self, batch: Batch) -> None:
        """Mark them."""
        if self._at:
            await batch.connection.execute(_MARK, list(self._at), list(self._at.values()))


async def mark(connection: asyncpg.Connection, site_ids: Collection[str], at: datetime) -> None:
    """Have sites planned at the latest `at`; the last thing that a transaction does, so that it waits for nobody.

    In a batch, use `mark_by`.
    """
    if site_ids:
        await connection.execute(_MARK, list(site_ids), [at] * len(site_ids))


async def mark_by(tx: Transaction | Batch, site_ids: Collection[str], at: datetime) -> None:
    """Have sites planned at the latest `at`: at the end of the batch, where it is one."""
    batch = tx.batch if isinstance(tx, InBatch) else tx
    if isinstance(batch, Batch):
        batch.last(Marks).add(site_ids, at)
    else:
        await mark(batch.connection, site_ids, at)


async def take(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Due]:
    """Return up to `limit` sites that are due, their rows locked until the transaction ends; who is held is left out.

    What is read of them afterwards is at least as new as their marks.
    """
    return [Due(**row) for row in await connection.fetch(_TAKE, now, limit)]


async def put_off(connection: asyncpg.Connection, taken: Sequence[tuple[Due, datetime]]) -> None:
    """Say when sites that were taken are due again; one that was marked meanwhile stays due. Do it last, as `mark`."""
    if taken:
        await connection.execute(
            _PUT_OFF,
            [due.site_id for due, _ in taken],
            [due_at for _, due_at in taken],
            [due.marks for due, _ in taken],
        )
