"""Owns changes of the deviation rules: once one is made, it is in the topic that edges read, unless Kafka is away."""

from datetime import datetime
from typing import Final
from uuid import UUID

from chargebus_events.registry import DeviationRule
from chargebus_runtime.database import Database

from chargebus_device.deviations.errors import RuleExistsError, TooManyRulesError
from chargebus_device.deviations.store import rules

MOST_RULES: Final = 500


async def add_rule(database: Database, rule_id: UUID, rule: DeviationRule, note: str) -> datetime:
    """Add a rule; return when.

    Raises:
        RuleExistsError, TooManyRulesError: it is not taken.
    """
    async with database.transaction() as tx:
        updated_at = await rules.change(tx.connection, tx.now)
        if await rules.count(tx.connection) >= MOST_RULES:
            raise TooManyRulesError(f"There are {MOST_RULES} rules already: remove one, or say it with fewer.")
        if not await rules.add(tx.connection, rule_id, rule, note, tx.now):
            raise RuleExistsError("There is a rule about the same make, action and kind already: remove it first.")
        tx.send((await rules.changed(tx.connection, updated_at)).record())
    await tx.published()
    return tx.now


async def remove_rule(database: Database, rule_id: UUID) -> bool:
    """Remove a rule; tell whether there was one."""
    async with database.transaction() as tx:
        updated_at = await rules.change(tx.connection, tx.now)
        if not await rules.remove(tx.connection, rule_id):
            return False
        tx.send((await rules.changed(tx.connection, updated_at)).record())
    await tx.published()
    return True
