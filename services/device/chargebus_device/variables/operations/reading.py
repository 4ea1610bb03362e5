"""What time and boots do: stations are read whole once, and again with other firmware, a few at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chargebus_commanding import Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_device.variables.domain.request import Item
from chargebus_device.variables.operations.requests import Requests, Wanted
from chargebus_device.variables.store import requests, stations, variables

_TTL: Final = timedelta(minutes=10)
_PRUNED_AT_ONCE: Final = 2000


@dataclass(frozen=True)
class Pace:
    """How stations are read: `in_flight` at the same time, each `settle` after its boot; 0 in flight: none is."""

    in_flight: int
    settle: timedelta


class Reading:
    """Reads stations that nobody asked about; `keep` is how long it is kept what they were asked."""

    def __init__(self, database: Database, asking: Requests, pace: Pace, keep: timedelta) -> None:
        self._database = database
        self._asking = asking
        self._pace = pace
        self._kept = keep
        self._due = DueWork(database, max(pace.in_flight, 1), self._take, self._read)

    async def booted(self, tx: Transaction, station_ids: Collection[str]) -> None:
        """Have those read that booted for the first time or with other firmware, and what waited for the boot."""
        if self._pace.in_flight:
            await stations.booted(tx.connection, station_ids, tx.now + self._pace.settle)
        waited = await variables.booted(tx.connection, station_ids)
        if not waited:
            return
        found = await stations.find(tx.connection, waited)
        for station_id, places in sorted(waited.items()):
            wanted = Wanted("named", "reboot", tuple(Item(place) for place in places))
            await self._asking.start(tx, found[station_id], wanted, _TTL, self._pace.settle)

    async def sweep(self) -> None:
        """Read some of those that are due."""
        if self._pace.in_flight:
            await self._due.sweep_some()

    async def prune(self) -> None:
        """Drop what was asked long ago."""
        dropped = _PRUNED_AT_ONCE
        while dropped == _PRUNED_AT_ONCE:
            async with self._database.transaction() as tx:
                dropped = await requests.prune(tx.connection, tx.now - self._kept, _PRUNED_AT_ONCE)

    async def _take(self, tx: OwnTransaction, limit: int) -> Sequence[str]:
        left = limit - await requests.count_open(tx.connection, "boot")
        return await stations.take_due(tx.connection, tx.now, left) if left > 0 else []

    async def _read(self, tx: OwnTransaction, taken: Sequence[str]) -> int:
        found = await stations.find(tx.connection, taken)
        await stations.asked(tx.connection, taken)
        for station_id in sorted(found):
            await self._asking.start(tx, found[station_id], Wanted("all", "boot"), _TTL)
        return len(taken)
