"""What time does with what is remembered of contracts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_session.tokens import store

FORGET_EVERY_S: Final = 3600.0
ACCEPTED_FOR: Final = timedelta(days=1)
"""How long it is known that a contract was accepted: for longer than the check of a certificate that came before."""


def tasks(database: Database, clock: Clock) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""

    async def forget() -> None:
        await store.forget_accepted(database.pool, clock() - ACCEPTED_FOR)

    return (every(FORGET_EVERY_S, "forgetting accepted contracts", forget),)
