"""The fence: whoever writes what was planned of a site holds its row."""

from collections.abc import Collection
from typing import Final

import asyncpg

from chargebus_smart_charging.sites.store.due import Due

_HOLD: Final = """
SELECT d.site_id, d.due_at, d.marks FROM site AS s JOIN site_due AS d USING (site_id)
WHERE s.site_id = ANY($1) ORDER BY s.site_id FOR UPDATE OF s SKIP LOCKED
"""


async def hold(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, Due]:
    """Return how sites stand now, their rows locked until the transaction ends; those that others hold are left out."""
    return {row["site_id"]: Due(**row) for row in await connection.fetch(_HOLD, list(site_ids))}
