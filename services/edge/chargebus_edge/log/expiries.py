"""Certificates of this edge that run out: told in `security.events` some time before, each day, and when replaced."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from chargebus_events.public import CERTIFICATE_EXPIRING, CertificateExpiring, event
from chargebus_events.record import Record
from chargebus_runtime.clock import Clock

LOOK_EVERY_S: Final = 60.0
AGAIN_AFTER: Final = timedelta(days=1)


class Watched(NamedTuple):
    """A certificate that is used: what names it, what it is for, whose it is, and when it runs out."""

    certificate_id: str
    kind: str
    subject: str
    issuer: str
    serial_number: str
    expires_at: datetime


class _Told(NamedTuple):
    watched: Watched
    at: datetime


class Expiries:
    """Tells of certificates that run out within `before`; every edge that uses one does, under its one name.

    Args:
        used: returns those that are used now.
        before: how long before it is told.
        source: the edge.
        clock: tells the time.
        post: sends a record.
    """

    def __init__(
        self,
        used: Callable[[], Sequence[Watched]],
        before: timedelta,
        source: str,
        clock: Clock,
        post: Callable[[Record], None],
    ) -> None:
        self._used = used
        self._before = before
        self._source = source
        self._clock = clock
        self._post = post
        self._told: dict[str, _Told] = {}

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Tell of those that are due, and of those told of that are used no more."""
        now = self._clock()
        used = {each.certificate_id: each for each in self._used()}
        for name, told in list(self._told.items()):
            if name not in used:
                del self._told[name]
                self._tell(told.watched, now, replaced=True)
        for name, each in used.items():
            told_before = self._told.get(name)
            due = told_before is None or now >= told_before.at + AGAIN_AFTER
            if due and each.expires_at - self._before <= now:
                self._told[name] = _Told(each, now)
                self._tell(each, now, replaced=False)

    def _tell(self, each: Watched, now: datetime, *, replaced: bool) -> None:
        body = CertificateExpiring(
            certificate_id=each.certificate_id,
            kind=each.kind,
            expires_at=each.expires_at,
            at=now,
            subject=each.subject,
            issuer=each.issuer,
            serial_number=each.serial_number,
            replaced=replaced,
        )
        what = "replaced" if replaced else "expiring"
        event_id = f"{self._source}/{each.certificate_id}/{what}/{now.timestamp()}"
        self._post(event(CERTIFICATE_EXPIRING, event_id, self._source, now, body))
