"""The public events: a versioned contract for data teams and for the services among each other.

A type changes only by adding optional fields; anything else is a new version of it. The JSON Schemas beside this
package are compared with these types in a test.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import METER_VALUES, SESSION_EVENTS, STATION_EVENTS

STATION_BOOTED = "chargebus.station.booted.v1"
STATION_CONNECTION = "chargebus.station.connection.v1"
CONNECTOR_STATUS = "chargebus.station.connector_status.v1"
SESSION_STARTED = "chargebus.session.started.v1"
SESSION_UPDATED = "chargebus.session.updated.v1"
SESSION_ENDED = "chargebus.session.ended.v1"
METER_READINGS = "chargebus.meter.readings.v1"

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant, with its time zone."""


class StationBooted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station booted and was told its registration status; empty strings where it said nothing."""

    station_id: str
    at: Moment
    registration: str
    version: str
    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""
    reason: str = ""


class StationConnection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station's socket opened or closed; `epoch` orders a station's connections."""

    station_id: str
    at: Moment
    connected: bool
    epoch: int
    version: str = ""


class ConnectorStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """The status of a connector, an EVSE (connector_id 0) or the station (both 0), in the words of OCPP 2.x.

    `status` is one of Available, Occupied, Reserved, Unavailable, Faulted; `detail` is what the station said
    (Preparing, SuspendedEV, … of OCPP 1.6).
    """

    station_id: str
    at: Moment
    evse_id: int
    connector_id: int
    status: str
    detail: str = ""
    error_code: str = ""
    info: str = ""
    vendor_error_code: str = ""


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """A charging session after a change; the same shape for started, updated and ended.

    Energy in Wh of the station's register; `gaps` are inclusive ranges of `seqNo` that never arrived (OCPP 2.x).
    `billable` is False for a session without a valid token. `missing` holds `started` while the station has not
    reported the start; `flags` says what is odd. `energy_source` says what `energy_wh` was made of.
    """

    session_id: str
    station_id: str
    transaction_id: str
    version: str
    state: Literal["active", "ended"]
    updated_at: Moment
    evse_id: int = 0
    connector_id: int = 0
    id_token: str = ""
    id_token_type: str = ""
    authorization: str = ""
    billable: bool = False
    started_at: Moment | None = None
    ended_at: Moment | None = None
    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    energy_wh: float | None = None
    stop_reason: str = ""
    charging_state: str = ""
    remote_start_id: int | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    missing: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    energy_source: str = ""


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sampled value: `value` in the base unit `unit` (Wh, W, A, V, varh, var, VA, VAh, Hz, percent, celsius …).

    `original_value` and `original_unit` are as the station wrote them, with its multiplier applied to neither.
    """

    reading_id: str
    sampled_at: Moment
    measurand: str
    value: float
    unit: str
    original_value: str
    original_unit: str = ""
    multiplier: int = 0
    phase: str = ""
    location: str = "Outlet"
    context: str = "Sample.Periodic"


class MeterReadings(msgspec.Struct, frozen=True, omit_defaults=True):
    """The readings of one message of a station that were not known before.

    `evse_id` 0 is the main meter; with a `transaction_id` it is an EVSE that nobody had told yet: the session knows.
    A very long message is told in several records.
    """

    station_id: str
    evse_id: int
    received_at: Moment
    readings: tuple[Reading, ...]
    connector_id: int = 0
    transaction_id: str = ""


PUBLIC: dict[str, type[msgspec.Struct]] = {
    STATION_BOOTED: StationBooted,
    STATION_CONNECTION: StationConnection,
    CONNECTOR_STATUS: ConnectorStatus,
    SESSION_STARTED: Session,
    SESSION_UPDATED: Session,
    SESSION_ENDED: Session,
    METER_READINGS: MeterReadings,
}

_TOPIC = {"station": STATION_EVENTS, "session": SESSION_EVENTS, "meter": METER_VALUES}
_encode = msgspec.json.Encoder().encode


def topic_of(kind: str) -> str:
    """Return the topic of a public event; `kind` is its CloudEvents type."""
    return _TOPIC[kind.split(".")[1]]


def event(
    kind: str, event_id: str, source: str, at: datetime, body: msgspec.Struct, *more: tuple[str, bytes]
) -> Record:
    """Return a public event as a record for its topic.

    Args:
        kind: one of the types above; it decides the topic.
        event_id: the same for the same fact, so that a reader can drop a record that went out twice.
        source: the service, such as `/session`.
        at: when the fact was recorded.
        body: the event; its `station_id` is the key.
        more: further headers (tracing).
    """
    station_id: str = body.station_id  # type: ignore[attr-defined]
    envelope = Envelope(event_id, kind, source, station_id, at)
    return Record(topic_of(kind), station_id, _encode(body), envelope.headers(*more))
