"""Campaigns, read and written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_security.credentials.domain.campaign import Campaign
from chargebus_security.credentials.store.tables import CampaignRow

Numbered = tuple[int, Campaign]


class Key(msgspec.Struct, frozen=True):
    """A caller's key, and what tells two requests under it apart."""

    idempotency_key: str | None = None
    fingerprint: str = ""


class _Row(msgspec.Struct, frozen=True):
    campaign: Campaign
    known: bytes
    look_at: datetime | None
    idempotency_key: str | None = None
    fingerprint: str = ""


_ROWS: Final = Rows(CampaignRow, without={"number"}, sources={"campaign": Campaign})
_CHANGED: Final = Rows(
    CampaignRow, only=("campaign_id", "state", "ended_at", "look_at", "known"), sources={"campaign": Campaign}
)
_ADD: Final = _ROWS.insert()
_KEEP: Final = _CHANGED.update()
_HOLD_KEY: Final = "SELECT pg_advisory_xact_lock(hashtext($1))"
_BY_KEY: Final = "SELECT known, fingerprint FROM credential_campaign WHERE idempotency_key = $1"
_FIND: Final = "SELECT known FROM credential_campaign WHERE campaign_id = ANY($1::uuid[])"
_LOCK: Final = f"{_FIND} FOR UPDATE"
_DUE: Final = """SELECT known FROM credential_campaign WHERE look_at <= $1
    ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED"""
_PAGE: Final = """SELECT number, known FROM credential_campaign
    WHERE kind = $1 AND ($2::bigint IS NULL OR number < $2) ORDER BY number DESC LIMIT $3"""
_OVER: Final = """SELECT campaign_id FROM credential_campaign WHERE ended_at < $1
    ORDER BY ended_at LIMIT 1 FOR UPDATE SKIP LOCKED"""
_FORGET: Final = "DELETE FROM credential_campaign WHERE campaign_id = $1"
_FORGET_MEMBERS: Final = "DELETE FROM credential_member WHERE campaign_id = $1"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Campaign).decode


async def by_key(connection: asyncpg.Connection, key: Key) -> tuple[Campaign, str] | None:
    """Return what was asked for under a key, and its fingerprint; who comes with the key meanwhile waits."""
    if key.idempotency_key is None:
        return None
    await connection.execute(_HOLD_KEY, key.idempotency_key)
    row = await connection.fetchrow(_BY_KEY, key.idempotency_key)
    return None if row is None else (_decode(row["known"]), row["fingerprint"])


async def add(connection: asyncpg.Connection, campaign: Campaign, key: Key) -> None:
    """Write a new campaign, to be looked at at once."""
    row = _Row(campaign, _encode(campaign), campaign.created_at, key.idempotency_key, key.fingerprint)
    await connection.execute(_ADD, *_ROWS.arguments([row]))


async def keep(connection: asyncpg.Connection, campaign: Campaign, look_at: datetime | None) -> None:
    """Keep a campaign as it is by now, and when it is looked at next."""
    await connection.execute(_KEEP, *_CHANGED.arguments([_Row(campaign, _encode(campaign), look_at)]))


async def find(connection: asyncpg.Connection, campaign_ids: Sequence[UUID]) -> dict[UUID, Campaign]:
    """Return campaigns."""
    found = [_decode(row["known"]) for row in await connection.fetch(_FIND, campaign_ids)]
    return {each.campaign_id: each for each in found}


async def lock(connection: asyncpg.Connection, campaign_id: UUID) -> Campaign | None:
    """Return a campaign, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, [campaign_id])
    return None if row is None else _decode(row["known"])


async def take_due(connection: asyncpg.Connection, now: datetime, limit: int) -> list[Campaign]:
    """Return up to `limit` campaigns that are due, locked; those that others hold are passed over."""
    return [_decode(row["known"]) for row in await connection.fetch(_DUE, now, limit)]


async def page(connection: asyncpg.Connection, kind: str, before: int | None, limit: int) -> list[Numbered]:
    """Return up to `limit` campaigns of a kind, the newest first, each with its number."""
    return [(row["number"], _decode(row["known"])) for row in await connection.fetch(_PAGE, kind, before, limit)]


async def forget_one(connection: asyncpg.Connection, before: datetime) -> bool:
    """Drop a campaign that ended before then, with its stations; tell whether there was one."""
    campaign_id = await connection.fetchval(_OVER, before)
    if campaign_id is None:
        return False
    await connection.execute(_FORGET_MEMBERS, campaign_id)
    await connection.execute(_FORGET, campaign_id)
    return True
