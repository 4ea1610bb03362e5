"""Kafka in: presence, which tells which of its passwords a station used, and what services change of credentials."""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec
from chargebus_events.credentials import CredentialsChange
from chargebus_events.presence import Presence
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.registration.domain import Change, Passwords
from chargebus_device.registration.errors import OperatorChangeError, TooManyChangesError
from chargebus_device.registration.store import passwords, registry, stations

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Presence).decode
_decode_change = msgspec.json.Decoder(CredentialsChange).decode


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


async def take_changes(batch: Batch, records: Sequence[Received]) -> None:
    """Change credentials as services say; a change that is taken again, or cannot be made, changes nothing.

    One that comes after a newer one, or was meant for an earlier station of that id, comes late and changes nothing
    either: a password that was got rid of must not count again. Who asked for it reads in `station.registry` what has
    come of it.
    """
    changes = [(record, _decode_change(record.value or b"")) for record in records]
    all_known, changed_at = await passwords.lock_changed(batch.connection, {each.station_id for _, each in changes})
    applied = {}
    for record, change in changes:
        known = all_known.get(change.station_id)
        if known is None:
            continue
        if change.at <= changed_at[change.station_id]:
            log.warning("change %s of %s comes late", change.change_id, change.station_id)
            continue
        applied[change.station_id] = changed_at[change.station_id] = change.at
        after = all_known[change.station_id] = _changed(known, change, batch.now)
        if after != known:
            registered = await passwords.keep(batch.connection, change.station_id, after, batch.now)
            if registered is not None:
                batch.send(registered.record(), because=record)
        if change.security_profile is not None:
            await _set_profile(batch, record, change)
    await passwords.keep_changed(batch.connection, applied)


def _changed(known: Passwords, change: CredentialsChange, now: datetime) -> Passwords:
    after = known.without(change.take_back, now) if change.take_back else known
    if not change.give or change.give in (after.current, *after.newer):
        return after
    try:
        return after.given_by_service(change.give, now)
    except (OperatorChangeError, TooManyChangesError) as error:
        log.warning("%s gives %s no other password: %s", change.source, change.station_id, error)
        return after


async def _set_profile(batch: Batch, record: Received, change: CredentialsChange) -> None:
    [before] = await registry.lock(batch.connection, [change.station_id])
    least = change.security_profile
    if least is None or least == before.security_profile or (least < before.security_profile and not change.lowers):
        return
    registered = await stations.change(batch.connection, change.station_id, Change(security_profile=least), batch.now)
    if registered is not None:
        batch.send(registered.record(), because=record)
