"""OCPP 2.0.1: NotifyEvent. Its parts need not be put together: each datum stands for itself."""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.public import StationEvent
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_notification.events.domain import counts_from, identity
from chargebus_notification.events.payload import time

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What a database can hold: the schema of 2.0.1 has no bounds."""


class Evse(Payload, frozen=True, rename="camel"):
    """EVSEType."""

    id: Whole
    connector_id: Whole = 0


class Named(Payload, frozen=True, rename="camel"):
    """ComponentType or VariableType."""

    name: str
    instance: str | None = None
    evse: Evse | None = None


class EventData(Payload, frozen=True, rename="camel"):
    """EventDataType."""

    event_id: Whole
    trigger: str
    actual_value: str
    component: Named
    variable: Named
    event_notification_type: str
    timestamp: str | None = None
    cause: Whole | None = None
    tech_code: str | None = None
    tech_info: str | None = None
    cleared: bool = False
    transaction_id: str | None = None
    variable_monitoring_id: Whole | None = None

    @property
    def how_severe(self) -> int | None:
        """OCPP 2.0.1 does not tell it."""
        return None


class _NotifyEvent(Payload, frozen=True, rename="camel"):
    event_data: list[EventData]


_read: Final = reader(_NotifyEvent)


def station_events(frame: Frame) -> tuple[StationEvent, ...]:
    """Read a NotifyEvent.

    Raises:
        UnusableCallError: it cannot be read.

    Spec: OCPP 2.0.1 N07.FR.02 to FR.07, N08
    """
    return tuple(station_event(frame, each) for each in usable(lambda: _read(frame.payload).event_data))


def usable(read: Callable[[], list[EventData]]) -> list[EventData]:
    """Return what is read.

    Raises:
        UnusableCallError: it cannot be.
    """
    try:
        return read()
    except msgspec.ValidationError as error:
        raise UnusableCallError(str(error)) from error


def station_event(frame: Frame, said: EventData) -> StationEvent:
    """Return a datum as an event; without a time that can be read it is another one each time it is sent."""
    said_at = time(said.timestamp)
    once = None if said_at else frame.id
    told = {name: value for name, value in msgspec.to_builtins(said).items() if value is not None}
    evse = said.component.evse
    return StationEvent(
        event_id=identity(frame.station_id, "station", once, told),
        station_id=frame.station_id,
        at=counts_from(said_at, frame.received_at),
        received_at=frame.received_at,
        number=said.event_id,
        component=clean(said.component.name),
        component_instance=clean(said.component.instance),
        variable=clean(said.variable.name),
        variable_instance=clean(said.variable.instance),
        evse_id=evse.id if evse else 0,
        connector_id=evse.connector_id if evse else 0,
        value=clean(said.actual_value),
        trigger=clean(said.trigger),
        kind=clean(said.event_notification_type),
        cause=said.cause,
        cleared=said.cleared,
        severity=said.how_severe,
        tech_code=clean(said.tech_code),
        tech_info=clean(said.tech_info),
        transaction_id=clean(said.transaction_id),
        variable_monitoring_id=said.variable_monitoring_id,
    )
