"""Sites as they were planned last, and the plans of a day, read and written in sets."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.allocation.domain.guiding import Guide
from chargebus_smart_charging.planning.domain.known import Shown
from chargebus_smart_charging.planning.domain.memory import Memory
from chargebus_smart_charging.planning.store.tables import PlanRow, SitePlanRow

_LAST: Final = Rows(SitePlanRow)
_PLANS: Final = Rows(PlanRow)

_LOAD: Final = "SELECT site_id, turn, memory, guide FROM site_plan WHERE site_id = ANY($1)"
_TURNS: Final = "SELECT site_id, turn FROM site_plan WHERE site_id = ANY($1)"
_SHOWN: Final = "SELECT shown FROM site_plan WHERE site_id = $1"
_KEEP: Final = _LAST.upsert()
_ADD: Final = _PLANS.insert_new()
_PAGE: Final = """
SELECT shown FROM plan WHERE site_id = $1 AND plan_id < $2
AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4) ORDER BY plan_id DESC LIMIT $5
"""
_PRUNE: Final = """
DELETE FROM plan WHERE (site_id, plan_id) IN (SELECT site_id, plan_id FROM plan WHERE at < $1 ORDER BY at LIMIT $2)
"""
_LAST_ID: Final = "~"

_encode: Final = msgspec.msgpack.Encoder().encode
_memory: Final = msgspec.msgpack.Decoder(Memory).decode


class Between(msgspec.Struct, frozen=True):
    """Which plans of a site: from before one of them, and of a time; None: whichever."""

    before_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Last(msgspec.Struct, frozen=True):
    """A site as it was planned last; `turn` counts how often that was."""

    turn: int = 0
    memory: Memory = Memory()
    guide: Guide | None = None


class Planned(msgspec.Struct, frozen=True):
    """A site as it is planned now."""

    site_id: str
    turn: int
    memory: Memory
    shown: Shown
    guide: Guide | None


class _LastRow(msgspec.Struct, frozen=True):
    site_id: str
    planned_at: datetime
    turn: int
    memory: bytes
    shown: bytes
    guide: bytes | None


class _PlanRow(msgspec.Struct, frozen=True):
    site_id: str
    plan_id: str
    at: datetime
    shown: bytes


_guide: Final = msgspec.msgpack.Decoder(Guide).decode
_shown: Final = msgspec.msgpack.Decoder(Shown).decode


async def load(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, Last]:
    """Return sites as they were planned last."""
    return {
        row["site_id"]: Last(
            row["turn"], _memory(row["memory"]), None if row["guide"] is None else _guide(row["guide"])
        )
        for row in await connection.fetch(_LOAD, list(site_ids))
    }


async def turns(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, int]:
    """Return how often sites were planned."""
    return {row["site_id"]: row["turn"] for row in await connection.fetch(_TURNS, list(site_ids))}


async def keep(connection: asyncpg.Connection, planned: Sequence[Planned]) -> None:
    """Keep sites as they are planned now."""
    if planned:
        await connection.execute(_KEEP, *_LAST.arguments([_last(each) for each in planned]))


async def add(connection: asyncpg.Connection, planned: Iterable[Planned]) -> None:
    """Keep plans that changed what an EVSE may draw."""
    rows = [_PlanRow(each.site_id, each.shown.plan_id, each.shown.at, _encode(each.shown)) for each in planned]
    if rows:
        await connection.execute(_ADD, *_PLANS.arguments(rows))


async def shown(connection: asyncpg.Connection, site_id: str) -> Shown | None:
    """Return what people see of a site as it was planned last."""
    found = await connection.fetchval(_SHOWN, site_id)
    return None if found is None else _shown(found)


async def page(connection: asyncpg.Connection, site_id: str, between: Between, limit: int) -> list[Shown]:
    """Return up to `limit` plans of a site, the newest first."""
    rows = await connection.fetch(
        _PAGE, site_id, between.before_id or _LAST_ID, between.starts_at, between.ends_at, limit
    )
    return [_shown(row["shown"]) for row in rows]


async def prune(connection: asyncpg.Connection, before: datetime, limit: int) -> None:
    """Delete some of the plans from before a moment."""
    await connection.execute(_PRUNE, before, limit)


def _last(planned: Planned) -> _LastRow:
    return _LastRow(
        planned.site_id,
        planned.shown.at,
        planned.turn,
        _encode(planned.memory),
        _encode(planned.shown),
        None if planned.guide is None else _encode(planned.guide),
    )
