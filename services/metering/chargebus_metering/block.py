"""Readings of a batch: told where their transaction is, stored once, what was new published."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
from chargebus_calls import Block, Call
from chargebus_events.frames import Frame
from chargebus_events.public import METER_READINGS, MeterReadings, event
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_metering.domain.identity import Place, Transaction
from chargebus_metering.domain.readings import Message, Normalised, PlaceError, normalise, without_place
from chargebus_metering.metrics import Metrics
from chargebus_metering.store import readings, sessions, values
from chargebus_metering.store.values import KeptValue

log = logging.getLogger(__name__)

SOURCE: Final = "/metering"
READINGS_AT_ONCE: Final = 2000

Read = Callable[[str, bytes], Message]


@dataclass(frozen=True, slots=True)
class Report:
    """The readings that one record brings; `message_id` names the message that brought them, for ever the same."""

    message_id: str
    received_at: datetime
    place: Place
    values: Normalised

    def placed(self, places: Mapping[Transaction, Place]) -> MeterReadings:
        """Return the readings, at the EVSE of their transaction if only that is known."""
        place = self.place
        if place.asks_evse:
            place = places.get(place.transaction, place.stored())
        return MeterReadings(
            station_id=place.station_id,
            evse_id=place.evse_id or 0,
            received_at=self.received_at,
            readings=tuple(self.values.readings),
            connector_id=place.connector_id,
            transaction_id=place.transaction_id,
        )


def report(read: Read, frame: Frame) -> Report:
    """Read a frame; a message whose place cannot be (connector -1) is set aside as a whole.

    Raises:
        msgspec.DecodeError: it should be readable and is not; that is our fault.
    """
    try:
        message = read(frame.station_id, frame.payload)
    except PlaceError:
        aside = without_place(frame.station_id, frame.payload.decode())
        return Report(frame.id, frame.received_at, Place(frame.station_id, None), aside)
    return Report(frame.id, frame.received_at, message.place, normalise(message, frame.received_at))


@dataclass
class Reported:
    """A batch's reports with the records that brought them, and where transactions are as far as anybody told."""

    places: dict[Transaction, Place]
    reports: list[tuple[Received, Report]] = field(default_factory=list)


class Readings(Block[Report, Reported]):
    """Keeps every reading once; it answers no frame, as the edge or `session` does."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Report]]) -> Reported:
        """Return where the transactions of a batch are: what its own messages tell, else what was told before."""
        told = {call.request.place.transaction: call.request.place for call in calls if call.request.place.tells_evse}
        asking = {call.request.place.transaction for call in calls if call.request.place.asks_evse}
        return Reported(told | await sessions.find_places(batch.connection, asking - told.keys()))

    def decide(self, state: Reported, call: Call[Report]) -> None:
        """Take a report in its turn."""
        state.reports.append((call.record, call.request))

    async def save(self, batch: Batch, state: Reported) -> None:
        """Store what is new and publish it."""
        messages = [told.placed(state.places) for _, told in state.reports]
        new = await readings.insert(batch.connection, messages)
        for (record, told), message in zip(state.reports, new, strict=True):
            for number, part in enumerate(_parts(message)):
                event_id = f"readings/{told.message_id}" + (f"/{number}" if number else "")
                batch.send(event(METER_READINGS, event_id, SOURCE, batch.now, part), because=record)
        aside = [
            KeptValue(told.place.stored(), told.received_at, value)
            for _, told in state.reports
            for value in told.values.set_aside
        ]
        kept = await values.keep(batch.connection, aside)
        self._metrics.count(messages, new, kept)
        _log_set_aside(kept)


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
