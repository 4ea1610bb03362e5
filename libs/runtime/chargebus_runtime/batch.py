"""What a handler gets: a micro-batch of records inside one open transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast

import asyncpg
from chargebus_events.record import Received, Record

from chargebus_runtime.outbox import Source, check_size
from chargebus_runtime.telemetry import Trace


class Last(Protocol):
    """What the parts of a handler gather, to be done once for all of them when the last of them is through."""

    async def finish(self, batch: "Batch") -> None:
        """Do what was gathered, in the batch's transaction."""
        ...


L = TypeVar("L", bound=Last)


class Batch:
    """Records that were never applied before, in order per partition, with the transaction to apply them in.

    What the handler writes through `connection` and what it sends is committed together with the offsets.
    """

    def __init__(
        self, records: Sequence[Received], connection: asyncpg.Connection, now: datetime, trace: Trace
    ) -> None:
        self.records = records
        self.connection = connection
        self.now = now
        self.outgoing: dict[Source, list[Record]] = {}
        self._trace = trace
        self._lasts: dict[type[Last], Last] = {}
        self._after: list[Callable[[], None]] = []

    def last(self, kind: type[L]) -> L:
        """Return what is done last in this batch, one of each kind: made where it is asked for first."""
        return cast(L, self._lasts.setdefault(kind, kind()))

    async def finish(self) -> None:
        """Do what is done last; who puts a handler together out of parts calls it after these."""
        for last in self._lasts.values():
            await last.finish(self)

    def after_commit(self, tell: Callable[[], None]) -> None:
        """Have somebody in this process told once what the batch wrote is there; one that dies tells nobody."""
        self._after.append(tell)

    def committed(self) -> None:
        """Tell those who wait for the commit; who has applied the batch calls it after that."""
        for tell in self._after:
            tell()

    def send(self, record: Record, because: Received) -> None:
        """Send a record after the commit; `because` is the record of this batch that caused it.

        Raises:
            RecordTooLargeError: it can never go out.
        """
        traced = self._trace.carry(check_size(record), because)
        self.outgoing.setdefault((because.topic, because.partition), []).append(traced)
