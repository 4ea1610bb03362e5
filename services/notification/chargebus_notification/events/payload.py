"""SecurityEventNotification, which is the same in all versions, and times as stations write them."""

from datetime import datetime

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.public import SecurityEvent
from chargebus_ocppj.payloads import Payload, clean, reader
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_notification.events.domain import counts_from, identity


class _SecurityEventNotification(Payload, frozen=True, rename="camel"):
    type: str
    timestamp: str | None = None
    tech_info: str | None = None


_read = reader(_SecurityEventNotification)


def time(text: str | None) -> datetime | None:
    """Return a station's timestamp, None for one that is missing or cannot be read."""
    try:
        return parse_timestamp(text or "")
    except ValueError:
        return None


def security_events(frame: Frame) -> tuple[SecurityEvent, ...]:
    """Read a SecurityEventNotification; without a time that can be read it is another one each time it is sent.

    Raises:
        UnusableCallError: it cannot be read.

    Spec: OCPP 1.6 security white paper 4.2 (A04); OCPP 2.0.1 A04.FR.01 to FR.04
    """
    try:
        said = _read(frame.payload)
    except msgspec.ValidationError as error:
        raise UnusableCallError(str(error)) from error
    said_at = time(said.timestamp)
    once = said.timestamp if said_at else frame.id
    return (
        SecurityEvent(
            event_id=identity(frame.station_id, "security", said.type, once, said.tech_info),
            station_id=frame.station_id,
            at=counts_from(said_at, frame.received_at),
            received_at=frame.received_at,
            type=clean(said.type),
            tech_info=clean(said.tech_info),
        ),
    )
