"""Campaigns, read and written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_firmware.campaigns.domain.campaign import Campaign
from chargebus_firmware.campaigns.store.tables import CampaignRow
from chargebus_firmware.keys import Key, done_before


class _Row(msgspec.Struct, frozen=True):
    campaign: Campaign
    known: bytes
    idempotency_key: str | None = None
    fingerprint: str = ""


_ROWS: Final = Rows(CampaignRow, sources={"campaign": Campaign})
_CHANGED: Final = Rows(CampaignRow, only=("campaign_id", "state", "ended_at", "known"), sources={"campaign": Campaign})
_ADD: Final = _ROWS.insert()
_KEEP: Final = _CHANGED.update()
_BY_KEY: Final = "SELECT known, fingerprint FROM campaign WHERE idempotency_key = $1"
_OVER: Final = """
SELECT c.campaign_id FROM campaign AS c JOIN campaign_due AS d USING (campaign_id)
WHERE c.ended_at < $1 AND d.due_at IS NULL ORDER BY c.ended_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED
"""
_FORGET_STATIONS: Final = """
DELETE FROM campaign_station WHERE campaign_id = $1 AND station_id IN (
    SELECT station_id FROM campaign_station WHERE campaign_id = $1 LIMIT $2)
"""
_FORGET_DUE: Final = "DELETE FROM campaign_due WHERE campaign_id = $1"
_FORGET: Final = "DELETE FROM campaign WHERE campaign_id = $1"
_FIND: Final = "SELECT known FROM campaign WHERE campaign_id = $1"
_LOCK: Final = f"{_FIND} FOR UPDATE"
_PAGE: Final = """
SELECT known FROM campaign
WHERE ($1::timestamptz IS NULL OR (created_at, campaign_id) < ($1, $2)) AND ($3::text IS NULL OR state = $3)
ORDER BY created_at DESC, campaign_id DESC LIMIT $4
"""
_GOING_ON: Final = "SELECT known FROM campaign WHERE state NOT IN ('cancelled', 'completed') ORDER BY created_at"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Campaign).decode


async def add(connection: asyncpg.Connection, campaign: Campaign, key: Key) -> None:
    """Write a new campaign."""
    row = _Row(campaign, _encode(campaign), key.idempotency_key, key.fingerprint)
    await connection.execute(_ADD, *_ROWS.arguments([row]))


async def keep(connection: asyncpg.Connection, campaign: Campaign) -> None:
    """Keep a campaign that has changed."""
    await connection.execute(_KEEP, *_CHANGED.arguments([_Row(campaign, _encode(campaign))]))


async def by_key(connection: asyncpg.Connection, key: Key) -> Campaign | None:
    """Return the campaign that was asked for under a key.

    Raises:
        KeyUsedError: something else was.
    """
    row = await done_before(connection, _BY_KEY, key)
    return None if row is None else _decode(row["known"])


async def take_over(connection: asyncpg.Connection, before: datetime) -> UUID | None:
    """Return a campaign that ended before then and in which nothing is left to be done, locked; None: there is none."""
    found: UUID | None = await connection.fetchval(_OVER, before)
    return found


async def forget(connection: asyncpg.Connection, campaign_id: UUID, at_once: int) -> bool:
    """Drop up to `at_once` stations of a campaign, and with the last of them itself; tell whether it is gone."""
    if int((await connection.execute(_FORGET_STATIONS, campaign_id, at_once)).split()[-1]) == at_once:
        return False
    await connection.execute(_FORGET_DUE, campaign_id)
    await connection.execute(_FORGET, campaign_id)
    return True


async def find(connection: asyncpg.Connection, campaign_id: UUID) -> Campaign | None:
    """Return a campaign."""
    known = await connection.fetchval(_FIND, campaign_id)
    return None if known is None else _decode(known)


async def lock(connection: asyncpg.Connection, campaign_id: UUID) -> Campaign | None:
    """Return a campaign; nobody else changes it or its stations until the transaction ends."""
    known = await connection.fetchval(_LOCK, campaign_id)
    return None if known is None else _decode(known)


async def page(
    connection: asyncpg.Connection, after: tuple[datetime, UUID] | None, state: str | None, limit: int
) -> Sequence[Campaign]:
    """Return up to `limit` campaigns, the newest first."""
    made_at, campaign_id = after or (None, None)
    return [_decode(row["known"]) for row in await connection.fetch(_PAGE, made_at, campaign_id, state, limit)]


async def going_on(connection: asyncpg.Connection) -> list[Campaign]:
    """Return the campaigns that go on, or may be told to."""
    return [_decode(row["known"]) for row in await connection.fetch(_GOING_ON)]
