"""What a record brings to metering: readings, knowledge of a session, both or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chargebus_events.frames import Frame
from chargebus_events.public import SESSION_STARTED, MeterReadings
from chargebus_events.record import Received
from chargebus_events.topics import SESSION_EVENTS

from chargebus_metering.domain.identity import Place, Transaction
from chargebus_metering.domain.readings import Normalised, PlaceError, normalise, without_place
from chargebus_metering.routes import READERS
from chargebus_metering.session_events import KnownSession, meter_start, place_of, read_session


@dataclass(frozen=True, slots=True)
class Intake:
    """The readings of one record; `message_id` names the message that brought them, for ever the same."""

    record: Received
    message_id: str
    received_at: datetime
    place: Place
    values: Normalised
    session: KnownSession | None = None

    def placed(self, places: Mapping[Transaction, Place]) -> MeterReadings:
        """Return the readings, at the EVSE of their transaction if only that is known."""
        place = self.place
        if place.asks_evse:
            place = places.get(place.transaction, place)
        return MeterReadings(
            station_id=place.station_id,
            evse_id=place.evse_id or 0,
            received_at=self.received_at,
            readings=tuple(self.values.readings),
            connector_id=place.connector_id,
            transaction_id=place.transaction_id,
        )


def read(record: Received) -> Intake | None:
    """Read a record; None if it is nothing of metering's.

    Raises:
        msgspec.DecodeError, KeyError, ValueError: it should be readable and is not; that is our fault.
    """
    return _read_session_event(record) if record.topic == SESSION_EVENTS else _read_frame(record)


def _read_frame(record: Received) -> Intake | None:
    # Most frames of `session` are not for us, so the headers decide before anything is read.
    reader = READERS.get((record.headers.get("ocpp_version", b""), record.headers.get("ocpp_action", b"")))
    if reader is None:
        return None
    frame = Frame.read(record)
    try:
        message = reader(frame.station_id, frame.payload)
    except PlaceError:
        values = without_place(frame.station_id, frame.payload.decode())
        return Intake(record, frame.id, frame.received_at, Place(frame.station_id, None), values)
    return Intake(record, frame.id, frame.received_at, message.place, normalise(message))


def _read_session_event(record: Received) -> Intake:
    session = read_session(record.value or b"")
    start = meter_start(session) if record.type == SESSION_STARTED else None
    values = Normalised([], []) if start is None else normalise(start)
    return Intake(record, record.text("ce_id"), session.updated_at, place_of(session), values, session)
