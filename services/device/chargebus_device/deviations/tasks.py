"""Owns how long deviations are kept, and that their sums stay right."""

import logging
from datetime import timedelta
from typing import Final

from chargebus_runtime.database import Database

from chargebus_device.deviations.store import deviations

log = logging.getLogger(__name__)

_AT_ONCE: Final = 1000


class Retention:
    """Deletes deviations that a station did not have for `keep`; counts sums anew that copies of before left behind."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._database = database
        self._keep = keep

    async def sweep(self) -> None:
        """Delete what is old, piece by piece, and look at the sums."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                more = await deviations.expire(tx.connection, tx.now - self._keep, _AT_ONCE) == _AT_ONCE
        async with self._database.transaction() as tx:
            if await deviations.recount(tx.connection):
                log.warning("the sums of deviations were not those of the deviations: they were counted anew")
