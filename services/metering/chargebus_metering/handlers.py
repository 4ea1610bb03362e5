"""Kafka in: a batch's readings into the table, and what was new in it out to `meter.values`."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from chargebus_events.public import METER_READINGS, MeterReadings, event
from chargebus_events.topics import SESSION_EVENTS, frames_topic
from chargebus_runtime.batch import Batch
from chargebus_runtime.consumer import ConsumerSpec

from chargebus_metering import store
from chargebus_metering.intake import Intake, read
from chargebus_metering.metrics import Metrics
from chargebus_metering.store import Kept

log = logging.getLogger(__name__)

SOURCE = "/metering"
TOPICS = (frames_topic("metering"), frames_topic("session"), SESSION_EVENTS)
READINGS_AT_ONCE = 2000
GATHER_S = 0.2  # no station waits for metering


def consumer(metrics: Metrics) -> ConsumerSpec:
    """Return what metering consumes; it answers no frame, so a parked one is answered by nobody from here."""

    async def handle(batch: Batch) -> None:
        taken = [intake for record in batch.records if (intake := read(record)) is not None]
        sessions = {intake.session.session_id: intake.session for intake in taken if intake.session is not None}
        await store.remember_sessions(batch.connection, list(sessions.values()))
        places = {intake.place.transaction: intake.place for intake in taken if intake.place.tells_evse}
        asking = {intake.place.transaction for intake in taken if intake.place.asks_evse}
        places |= await store.find_places(batch.connection, asking - places.keys())
        messages = [intake.placed(places) for intake in taken]
        new = await store.insert_readings(batch.connection, messages)
        _publish(batch, taken, new)
        kept = [Kept(each.place, each.received_at, value) for each in taken for value in each.values.set_aside]
        kept_anew = await store.insert_set_aside(batch.connection, kept)
        metrics.count(messages, new, kept_anew)
        _log_set_aside(kept_anew)

    return ConsumerSpec(TOPICS, handle, gather_s=GATHER_S)


def _publish(batch: Batch, taken: Sequence[Intake], new: Sequence[MeterReadings]) -> None:
    for intake, message in zip(taken, new, strict=True):
        for number, part in enumerate(_parts(message)):
            event_id = f"readings/{intake.message_id}" + (f"/{number}" if number else "")
            batch.send(event(METER_READINGS, event_id, SOURCE, batch.now, part), because=intake.record)


def _parts(message: MeterReadings) -> Iterator[MeterReadings]:
    """Cut a message's readings so that each part fits in a record: a reading is ten times what a station may write."""
    if len(message.readings) <= READINGS_AT_ONCE:
        yield from (message,) if message.readings else ()
        return
    for start in range(0, len(message.readings), READINGS_AT_ONCE):
        yield msgspec.structs.replace(message, readings=message.readings[start : start + READINGS_AT_ONCE])


def _log_set_aside(kept: Counter[tuple[str, str]]) -> None:
    for (station_id, reason), count in kept.items():
        log.warning("%s: set aside %d values: %s", station_id, count, reason)
