"""Kafka in, beside frames: what the registry says of stations, and who connects; `stations` has taken that before."""

from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_commanding import InBatch, Transaction
from chargebus_events.public import STATION_BOOTED, STATION_CONNECTION, StationConnection
from chargebus_events.record import Received
from chargebus_events.registry import POLICY_KEYS
from chargebus_runtime.batch import Batch
from chargebus_runtime.secrets import fingerprint

from chargebus_security.credentials.operations.working import Working
from chargebus_security.credentials.store import members
from chargebus_security.credentials.store.members import Registered


class _Credentials(msgspec.Struct):
    """What counts of a record of the registry."""

    station_id: str
    password_hash: str
    security_profile: int = 1
    newer_password_hashes: tuple[str, ...] = ()


_registered: Final = msgspec.json.Decoder(_Credentials).decode
_connection: Final = msgspec.json.Decoder(StationConnection).decode


class Heard:
    """Follows stations with which campaigns are at work."""

    def __init__(self, working: Working) -> None:
        self._working = working

    async def hear_registry(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take what the registry says of stations: which passwords count, and the least profile."""
        newest = {record.key: record for record in records if record.key not in POLICY_KEYS}
        before = await members.registered(batch.connection, newest)
        after = [_of(record) for record in newest.values()]
        changed = [each for each in after if each != before.get(each.station_id)]
        await members.keep_registered(batch.connection, changed)
        await self._heard(batch, {each.station_id: newest[each.station_id] for each in changed})

    async def hear_connections(self, batch: Batch, records: Sequence[Received]) -> None:
        """Look at stations that are there again, and at those that have started."""
        await self._heard(batch, {r.key: r for r in records if r.type == STATION_BOOTED})
        told = [(_connection(r.value or b""), r) for r in records if r.type == STATION_CONNECTION]
        await self._heard(batch, {each.station_id: record for each, record in told if each.connected}, came=True)

    async def _heard(self, batch: Batch, because: dict[str, Received], *, came: bool = False) -> None:
        at_work = await members.at_work(batch.connection, because) if because else set()
        of: dict[str, Transaction] = {each: InBatch(batch, because[each]) for each in sorted(at_work)}
        await self._working.heard(of, came=at_work if came else ())


def _of(record: Received) -> Registered:
    if record.value is None:
        return Registered(record.key, None, ())
    read = _registered(record.value)
    stored = (read.password_hash, *read.newer_password_hashes)
    return Registered(read.station_id, read.security_profile, tuple(map(fingerprint, stored)))
