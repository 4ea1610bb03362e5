"""OCPP 2.1: an event tells the severity of its monitor. It comes as a SEND, too, which nobody answers."""

from typing import Final

from chargebus_events.frames import Frame
from chargebus_events.public import StationEvent
from chargebus_ocppj.payloads import Payload, reader

from chargebus_notification.events.v201 import EventData, Whole, station_event, usable


class _EventData(EventData, frozen=True, rename="camel"):
    severity: Whole | None = None

    @property
    def how_severe(self) -> int | None:
        """0 (danger) to 9 (debug)."""
        return self.severity


class _NotifyEvent(Payload, frozen=True, rename="camel"):
    event_data: list[_EventData]


_read: Final = reader(_NotifyEvent)


def station_events(frame: Frame) -> tuple[StationEvent, ...]:
    """Read a NotifyEvent.

    Raises:
        UnusableCallError: it cannot be read.

    Spec: OCPP 2.1 N07, N08, EventDataType
    """
    return tuple(station_event(frame, each) for each in usable(lambda: list(_read(frame.payload).event_data)))
