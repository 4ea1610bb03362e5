"""Rules, read and written."""

from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_notification.alerts.domain.kinds import KINDS
from chargebus_notification.alerts.domain.rule import Rule
from chargebus_notification.alerts.store.tables import AlertRuleRow

_ROWS: Final = Rows(AlertRuleRow, encode={"parameters": lambda each: each.model_dump_json()})
_SELECT: Final = f"SELECT {_ROWS.select()} FROM alert_rule "  # noqa: S608 - names of columns
_ALL: Final = _SELECT + "ORDER BY rule_id"
_PAGE: Final = _SELECT + "WHERE rule_id > $1 ORDER BY rule_id LIMIT $2"
_FIND: Final = _SELECT + "WHERE rule_id = $1"
_KEEP: Final = f"{_ROWS.upsert()} RETURNING xmax = 0 AS new"
_REMOVE: Final = "DELETE FROM alert_rule WHERE rule_id = $1 RETURNING rule_id"


async def everything(connection: asyncpg.Connection) -> dict[str, Rule]:
    """Return all rules, by id."""
    return {row["rule_id"]: _rule(row) for row in await connection.fetch(_ALL)}


async def page(connection: asyncpg.Connection, after: str, limit: int) -> list[Rule]:
    """Return up to `limit` rules in the order of their ids."""
    return [_rule(row) for row in await connection.fetch(_PAGE, after, limit)]


async def find(connection: asyncpg.Connection, rule_id: str) -> Rule | None:
    """Return a rule."""
    row = await connection.fetchrow(_FIND, rule_id)
    return None if row is None else _rule(row)


async def keep(connection: asyncpg.Connection, rule: Rule) -> bool:
    """Keep a rule; tell whether it is new."""
    return bool(await connection.fetchval(_KEEP, *_ROWS.arguments([rule])))


async def remove(connection: asyncpg.Connection, rule_id: str) -> bool:
    """Drop a rule; tell whether there was one."""
    return await connection.fetchval(_REMOVE, rule_id) is not None


def _rule(row: asyncpg.Record) -> Rule:
    values = dict(row)
    values["labels"] = msgspec.json.decode(row["labels"])
    values["parameters"] = KINDS[row["kind"]].parameters.model_validate_json(row["parameters"])
    return Rule(**values)
