"""Kafka in: presence, which tells which of its passwords a station used."""

from collections.abc import Sequence

import msgspec
from chargebus_events.presence import Presence
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.registration.store import passwords

_decode = msgspec.json.Decoder(Presence).decode


async def note_used_passwords(batch: Batch, records: Sequence[Received]) -> None:
    """End the passwords that are older than those that stations used; a use that is told again changes nothing."""
    uses = [
        (record, presence)
        for record in records
        if record.value is not None and (presence := _decode(record.value)).connected and presence.credential
    ]
    if not uses:
        return
    waiting = await passwords.lock_waiting(batch.connection, {presence.station_id for _, presence in uses})
    first_used = {}
    for record, presence in uses:
        before = waiting.get(presence.station_id)
        if before is None:
            continue
        after = waiting[presence.station_id] = before.used(presence.credential, presence.at)
        if (after.current, after.newer) != (before.current, before.newer):
            registered = await passwords.keep(batch.connection, presence.station_id, after, batch.now)
            if registered is not None:
                batch.send(registered.record(), because=record)
        elif after != before:
            first_used[presence.station_id] = presence.at
    await passwords.keep_first_use(batch.connection, first_used)
