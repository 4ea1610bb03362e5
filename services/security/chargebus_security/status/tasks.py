"""What time does with the status of certificates."""

import asyncio
from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.status.operations.keeping import Keeping
from chargebus_security.status.operations.lookups import Lookups

_PRUNE_EVERY_S: Final = 30.0


def tasks(keeping: Keeping, lookups: Lookups) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""

    async def until_stopped() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await lookups.stop()

    return (until_stopped, every(_PRUNE_EVERY_S, "dropping old answers of responders", keeping.prune))
