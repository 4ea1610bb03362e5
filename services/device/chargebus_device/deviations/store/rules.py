"""Queries about the deviation rules; all of them are one record of the registry."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from chargebus_events.registry import DeviationRule, DeviationRules

_FIELDS: Final = DeviationRule.__struct_fields__
_NAMES: Final = ", ".join(_FIELDS)

_CHANGED_AT: Final = "SELECT updated_at FROM deviation_rules"
_RULES: Final = f"SELECT {_NAMES} FROM deviation_rule ORDER BY rule_id"  # noqa: S608 (names of columns)
_LIST: Final = f"""
SELECT rule_id, {_NAMES}, note, created_at FROM deviation_rule
WHERE $1::uuid IS NULL OR rule_id > $1 ORDER BY rule_id LIMIT $2
"""  # noqa: S608 (names of columns)
_COUNT: Final = "SELECT count(*) FROM deviation_rule"
_ADD: Final = f"""
INSERT INTO deviation_rule ({_NAMES}, rule_id, note, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING rule_id
"""  # noqa: S608 (names of columns)
_REMOVE: Final = "DELETE FROM deviation_rule WHERE rule_id = $1 RETURNING rule_id"
_CHANGE: Final = """
INSERT INTO deviation_rules (singleton, updated_at) VALUES (true, $1)
ON CONFLICT (singleton) DO UPDATE SET
    updated_at = GREATEST(excluded.updated_at, deviation_rules.updated_at + interval '1 microsecond')
RETURNING updated_at
"""


async def changed_at(connection: asyncpg.Connection) -> datetime | None:
    """Return when the rules were changed last, the version of their record; None: never."""
    moment: datetime | None = await connection.fetchval(_CHANGED_AT)
    return moment


async def lock(connection: asyncpg.Connection) -> DeviationRules | None:
    """Return the rules, None if there never were any; nobody changes them until the transaction ends."""
    updated_at = await connection.fetchval(f"{_CHANGED_AT} FOR UPDATE")
    return None if updated_at is None else DeviationRules(updated_at, await _rules(connection))


async def change(connection: asyncpg.Connection, now: datetime) -> datetime:
    """Begin a change of the rules: nobody else changes them until the transaction ends; return their new version."""
    updated_at: datetime = await connection.fetchval(_CHANGE, now)
    return updated_at


async def changed(connection: asyncpg.Connection, updated_at: datetime) -> DeviationRules:
    """Return the rules after a change."""
    return DeviationRules(updated_at, await _rules(connection))


async def count(connection: asyncpg.Connection) -> int:
    """Return how many rules there are."""
    return int(await connection.fetchval(_COUNT))


async def add(connection: asyncpg.Connection, rule_id: UUID, rule: DeviationRule, note: str, now: datetime) -> bool:
    """Add a rule; tell whether there was none yet about the same."""
    said = [getattr(rule, name) for name in _FIELDS]
    return await connection.fetchval(_ADD, *said, rule_id, note, now) is not None


async def remove(connection: asyncpg.Connection, rule_id: UUID) -> bool:
    """Remove a rule; tell whether there was one."""
    return await connection.fetchval(_REMOVE, rule_id) is not None


async def page(connection: asyncpg.Connection, after: UUID | None, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` rules, from the one after `after` on."""
    rows: list[asyncpg.Record] = await connection.fetch(_LIST, after, limit)
    return rows


async def _rules(connection: asyncpg.Connection) -> tuple[DeviationRule, ...]:
    return tuple(DeviationRule(**row) for row in await connection.fetch(_RULES))
