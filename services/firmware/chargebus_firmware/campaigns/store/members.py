"""The stations of campaigns, read a few at once, counted, and written in sets."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_firmware.campaigns.domain.campaign import Campaign, Member, MemberState, Selector
from chargebus_firmware.campaigns.domain.health import ILLNESSES
from chargebus_firmware.campaigns.domain.waves import Candidate
from chargebus_firmware.campaigns.store.tables import CampaignStationRow


class Facts(msgspec.Struct, frozen=True):
    """What is known of a station, as far as campaigns need to know it."""

    firmware_version: str
    time_zone: str
    removed: bool
    online: bool
    faulted: bool
    open_sessions: int
    last_ended_at: datetime | None


class Filter(msgspec.Struct, frozen=True):
    """Which stations of a campaign are listed; None: all."""

    campaign_id: UUID
    state: MemberState | None = None
    wave: int | None = None


class _Row(msgspec.Struct, frozen=True):
    campaign_id: UUID
    member: Member
    known: bytes


_ROWS: Final = Rows(CampaignStationRow, sources={"member": Member})
_KEEP: Final = _ROWS.upsert()
_SELECT: Final = "SELECT known FROM campaign_station WHERE campaign_id = $1"
_CHECKING: Final = f"{_SELECT} AND state = 'checking' AND look_at <= $2 ORDER BY look_at LIMIT $3"
_WAITING: Final = f"""{_SELECT} AND state = 'waiting' AND wave = $2 AND look_at <= $3 AND NOT (place = ANY($4))
ORDER BY look_at, position LIMIT $5"""
_ALL_WAITING: Final = f"{_SELECT} AND state = 'waiting' LIMIT $2"
_SPARES: Final = """
SELECT m.known FROM campaign_station AS m JOIN station AS s USING (station_id)
WHERE m.campaign_id = $1 AND m.state = 'waiting' AND m.wave > $2 AND s.online AND s.open_sessions = 0
    AND NOT s.removed AND NOT (m.place = ANY($3)) ORDER BY m.wave, m.position LIMIT $4
"""
_FACTS: Final = f"SELECT station_id, {', '.join(Facts.__struct_fields__)} FROM station WHERE station_id = ANY($1)"  # noqa: S608 - names of columns
_ENDED: Final = """
SELECT m.known FROM campaign_station AS m JOIN firmware_update AS u USING (update_id)
WHERE m.campaign_id = $1 AND m.state IN ('updating', 'failed')
  AND CASE m.state WHEN 'updating' THEN NOT u.is_open ELSE u.state = 'succeeded' AND m.reason <> ALL($2::text[]) END
LIMIT $3
"""
_UPDATE_IDS: Final = """
SELECT station_id, update_id FROM campaign_station
WHERE campaign_id = $1 AND state = 'updating' AND update_id IS NOT NULL
"""
_COUNTS: Final = """
SELECT wave, state, count(*) AS count FROM campaign_station WHERE campaign_id = $1 GROUP BY wave, state
"""
_UPDATING: Final = """
SELECT place, count(*) AS count FROM campaign_station WHERE campaign_id = $1 AND state = 'updating' GROUP BY place
"""
_NEXT: Final = """
SELECT least(
    (SELECT min(look_at) FROM campaign_station
     WHERE campaign_id = $1 AND state = 'waiting' AND wave = $2 AND look_at > $3 AND $4::bool),
    (SELECT min(look_at) FROM campaign_station WHERE campaign_id = $1 AND state = 'checking' AND look_at > $3)
)
"""
_PAGE: Final = """
SELECT known FROM campaign_station
WHERE campaign_id = $1 AND station_id > $2 AND ($3::text IS NULL OR state = $3) AND ($4::int IS NULL OR wave = $4)
ORDER BY station_id LIMIT $5
"""
_CANDIDATES: Final = """
SELECT station_id, vendor, model, firmware_version, COALESCE(labels ->> $1, '') AS place, online FROM station
WHERE NOT removed AND labels::jsonb @> $2::jsonb AND ($3 = '' OR vendor = $3)
  AND ($4::text[] = '{}' OR model = ANY($4)) AND ($5::text[] = '{}' OR firmware_version = ANY($5))
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Member).decode


async def candidates(connection: asyncpg.Connection, selector: Selector, parallel_per: str) -> list[Candidate]:
    """Return the stations that are meant, each with its value of the label by which updates at once are bounded."""
    labels = msgspec.json.encode(selector.labels).decode()
    rows = await connection.fetch(
        _CANDIDATES, parallel_per, labels, selector.vendor, list(selector.models), list(selector.versions)
    )
    return [Candidate(**row) for row in rows]


async def add(connection: asyncpg.Connection, campaign_id: UUID, members: Iterable[Member]) -> None:
    """Keep all stations of a new campaign."""
    records = _ROWS.tuples(_Row(campaign_id, member, _encode(member)) for member in members)
    await connection.copy_records_to_table(_ROWS.table, records=records, columns=_ROWS.names)


async def keep(connection: asyncpg.Connection, campaign_id: UUID, members: Iterable[Member]) -> None:
    """Keep stations of a campaign that have changed."""
    rows = [_Row(campaign_id, member, _encode(member)) for member in members]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def counts(connection: asyncpg.Connection, campaign_id: UUID) -> dict[tuple[int, MemberState], int]:
    """Count the stations of a campaign by wave and state."""
    return {(row["wave"], row["state"]): row["count"] for row in await connection.fetch(_COUNTS, campaign_id)}


async def updating_at(connection: asyncpg.Connection, campaign_id: UUID) -> dict[str, int]:
    """Count the stations that are being updated, by place."""
    return {row["place"]: row["count"] for row in await connection.fetch(_UPDATING, campaign_id)}


async def update_ids(connection: asyncpg.Connection, campaign_id: UUID) -> dict[str, UUID]:
    """Return the updates that are open, by station."""
    return {row["station_id"]: row["update_id"] for row in await connection.fetch(_UPDATE_IDS, campaign_id)}


async def ended(connection: asyncpg.Connection, campaign_id: UUID, limit: int) -> list[Member]:
    """Return up to `limit` stations whose update has ended, or has succeeded after it was given up."""
    return _members(await connection.fetch(_ENDED, campaign_id, list(ILLNESSES), limit))


async def checking(connection: asyncpg.Connection, campaign_id: UUID, now: datetime, limit: int) -> list[Member]:
    """Return up to `limit` stations that are being checked, and due."""
    return _members(await connection.fetch(_CHECKING, campaign_id, now, limit))


async def waiting(
    connection: asyncpg.Connection, campaign: Campaign, full: Sequence[str], now: datetime, limit: int
) -> list[Member]:
    """Return up to `limit` stations of the wave that is on that may begin, but for those of full places."""
    return _members(await connection.fetch(_WAITING, campaign.campaign_id, campaign.wave, now, list(full), limit))


async def all_waiting(connection: asyncpg.Connection, campaign_id: UUID, limit: int) -> list[Member]:
    """Return up to `limit` stations that wait, of any wave."""
    return _members(await connection.fetch(_ALL_WAITING, campaign_id, limit))


async def spares(connection: asyncpg.Connection, campaign: Campaign, full: Sequence[str], limit: int) -> list[Member]:
    """Return up to `limit` stations of later waves that are connected and idle, but for those of full places."""
    return _members(await connection.fetch(_SPARES, campaign.campaign_id, campaign.wave, list(full), limit))


async def next_look_at(connection: asyncpg.Connection, campaign: Campaign, now: datetime) -> datetime | None:
    """Return when a station is due next that is not yet; those that wait count only where they may begin."""
    at: datetime | None = await connection.fetchval(
        _NEXT, campaign.campaign_id, campaign.wave, now, campaign.state == "running"
    )
    return at


async def page(connection: asyncpg.Connection, wanted: Filter, after: str, limit: int) -> list[Member]:
    """Return up to `limit` stations of a campaign in the order of their ids."""
    return _members(await connection.fetch(_PAGE, wanted.campaign_id, after, wanted.state, wanted.wave, limit))


async def facts(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Facts]:
    """Return what is known of stations; those of which nothing is, are left out."""
    rows = await connection.fetch(_FACTS, list(station_ids))
    return {row["station_id"]: Facts(**{name: row[name] for name in Facts.__struct_fields__}) for row in rows}


def _members(rows: Iterable[asyncpg.Record]) -> list[Member]:
    return [_decode(row["known"]) for row in rows]
