"""Kafka in, beside frames: sessions begin, change and end; EVSEs are measured."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_events.public import SESSION_UPDATED
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.vehicles.domain.samples import Reading, Sample, samples
from chargebus_smart_charging.vehicles.domain.vehicle import SessionTold, Vehicle, measured, teaches, told
from chargebus_smart_charging.vehicles.store import vehicles

SOON: Final = timedelta(seconds=1)
"""How long a change may wait for others that come with it: a site is planned once for all of them."""


class _MeterReadings(msgspec.Struct, frozen=True):
    station_id: str
    evse_id: int
    received_at: datetime
    readings: tuple[Reading, ...]
    transaction_id: str = ""


_session: Final = msgspec.json.Decoder(SessionTold).decode
_readings: Final = msgspec.json.Decoder(_MeterReadings).decode


async def hear_sessions(batch: Batch, records: Sequence[Received]) -> None:
    """Follow the sessions at EVSEs; a site whose vehicles come, go or change is planned soon.

    Every EVSE is followed, under a site or not: a site may be described while vehicles are charging. Of one that is
    not, only the begin and the end of a session are read: most stations of most operators are under none.
    """
    under_site = await evses.sites_of(batch.connection, {record.key for record in records})
    read = [record for record in records if record.type != SESSION_UPDATED or record.key in under_site]
    events = [event for event in (_session(record.value or b"") for record in read) if event.evse_id > 0]
    keys = {(event.station_id, event.evse_id) for event in events}
    before = await vehicles.lock(batch.connection, keys)
    after = dict(before)
    for event in events:
        key = event.station_id, event.evse_id
        after[key] = told(after.get(key) or Vehicle(*key), event)
    changed = {key: vehicle for key, vehicle in after.items() if vehicle != before.get(key)}
    await vehicles.keep(batch.connection, changed.values(), batch.now)
    await _plan_soon(batch, under_site, changed)


async def hear_meters(batch: Batch, records: Sequence[Received]) -> None:
    """Take what EVSEs of sites were measured to draw; what a vehicle teaches by it is planned with soon."""
    under_site = await evses.sites_of(batch.connection, {record.key for record in records})
    read = [record for record in records if record.key in under_site]
    if not read:
        return
    by_evse = await _samples(batch, [_readings(record.value or b"") for record in read])
    before = await vehicles.lock(batch.connection, by_evse)
    allowed = await vehicles.limits(batch.connection, by_evse)
    after: dict[EvseKey, Vehicle] = {}
    for key, found in by_evse.items():
        vehicle = before.get(key) or Vehicle(*key)
        for sample in found:
            vehicle = measured(vehicle, sample, allowed.get(key))
        after[key] = vehicle
    changed = [vehicle for key, vehicle in after.items() if vehicle != before.get(key)]
    await vehicles.keep(batch.connection, changed, batch.now)
    taught = [key for key, vehicle in after.items() if teaches(before.get(key), vehicle)]
    await _plan_soon(batch, under_site, taught)


async def _samples(batch: Batch, messages: Sequence[_MeterReadings]) -> dict[EvseKey, list[Sample]]:
    """Return what was measured at each EVSE; one that only its transaction tells is looked up."""
    unplaced = {(each.station_id, each.transaction_id) for each in messages if not each.evse_id and each.transaction_id}
    places = await vehicles.of_transactions(batch.connection, unplaced)
    by_evse: dict[EvseKey, list[Sample]] = defaultdict(list)
    for each in messages:
        evse_id = each.evse_id or places.get((each.station_id, each.transaction_id), 0)
        if evse_id > 0:
            by_evse[each.station_id, evse_id] += samples(each.readings, each.received_at)
    return by_evse


async def _plan_soon(batch: Batch, under_site: Mapping[str, str], keys: Iterable[EvseKey]) -> None:
    """Have the sites of EVSEs planned soon, by what is known of the sites of their stations.

    Those under none are looked up again: a site that was described since then did not see what is written here.
    """
    stations = {station_id for station_id, _ in keys}
    unplaced = stations - under_site.keys()
    known = {**under_site, **(await evses.sites_of(batch.connection, unplaced) if unplaced else {})}
    await due.mark_by(batch, {known[each] for each in stations if each in known}, batch.now + SOON)
