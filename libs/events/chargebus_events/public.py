"""The public events: a versioned contract for data teams and for the services among each other.

A type changes only by adding optional fields; anything else is a new version of it. The JSON Schemas beside this
package are compared with these types in a test.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import (
    ALERT_EVENTS,
    CHARGING_LIMITS,
    CHARGING_PLANS,
    FIRMWARE_EVENTS,
    GRID_SERIES,
    METER_VALUES,
    SECURITY_EVENTS,
    SESSION_EVENTS,
    STATION_EVENTS,
)

STATION_BOOTED = "chargebus.station.booted.v1"
STATION_CONNECTION = "chargebus.station.connection.v1"
CONNECTOR_STATUS = "chargebus.station.connector_status.v1"
STATION_DESCRIBED = "chargebus.station.described.v1"
STATION_DEVIATED = "chargebus.station.deviated.v1"
COMMAND_FAILED = "chargebus.station.command_failed.v1"
STATION_EVENT = "chargebus.station.event.v1"
SECURITY_EVENT = "chargebus.security.event.v1"
CERTIFICATE_EXPIRING = "chargebus.certificate.expiring.v1"
CONNECTION_REFUSED = "chargebus.security.connection_refused.v1"
SESSION_STARTED = "chargebus.session.started.v1"
SESSION_UPDATED = "chargebus.session.updated.v1"
SESSION_ENDED = "chargebus.session.ended.v1"
METER_READINGS = "chargebus.meter.readings.v1"
CHARGING_LIMIT = "chargebus.charging.limit.v1"
CHARGING_PLAN = "chargebus.charging.plan.v1"
GRID_SERIES_TOLD = "chargebus.grid.series.v1"
ALERT_CHANGED = "chargebus.alert.changed.v1"
ALERT_DIGEST = "chargebus.alert.digest.v1"  # of webhooks alone: several alerts in one message
FIRMWARE_UPDATE = "chargebus.firmware.update.v1"
FIRMWARE_CAMPAIGN = "chargebus.firmware.campaign.v1"
FIRMWARE_PUBLICATION = "chargebus.firmware.publication.v1"
STATION_LOG = "chargebus.firmware.log.v1"

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant, with its time zone."""


class StationBooted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station booted and was told its registration status; empty strings where nothing is known.

    `replaced`: it is not the station that had the identity before.
    """

    station_id: str
    at: Moment
    registration: str
    version: str
    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""
    reason: str = ""
    replaced: bool = False


class StationConnection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station's socket opened or closed; `epoch` orders a station's connections.

    `security_profile` is the one by which it came in; null where that was not told.
    """

    station_id: str
    at: Moment
    connected: bool
    epoch: int
    version: str = ""
    security_profile: int | None = None


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


class StationDescribed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator says of a station, each time all of it; `removed`: it is registered no more.

    `time_zone` is its IANA name (`Europe/Amsterdam`); empty where nobody said it: UTC. It is told again now and then,
    so that whoever begins to read learns of every station: the one with the newest `at` counts.
    """

    station_id: str
    at: Moment
    name: str = ""
    labels: dict[str, str] = {}
    time_zone: str = ""
    removed: bool = False


class StationEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a monitor of an OCPP 2.x station told, or the station by itself: one datum of a NotifyEvent.

    `value` is what the variable had then, masked where it is secret. `trigger` is Alerting, Delta or Periodic; `kind`
    HardWiredNotification, HardWiredMonitor, PreconfiguredMonitor or CustomMonitor. `severity` goes from 0 (danger) to
    9 (debug), None where the station does not tell it (OCPP 2.0.1 never does). `cause` is the `number` of the event
    that caused it; `cleared`: what an earlier event told is over.
    """

    event_id: str
    station_id: str
    at: Moment
    received_at: Moment
    number: int
    component: str
    variable: str
    value: str
    trigger: str
    kind: str
    component_instance: str = ""
    variable_instance: str = ""
    evse_id: int = 0
    connector_id: int = 0
    cause: int | None = None
    cleared: bool = False
    severity: int | None = None
    tech_code: str = ""
    tech_info: str = ""
    transaction_id: str = ""
    variable_monitoring_id: int | None = None


class SecurityEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a station told of its security; `type` is a word of OCPP's list, or of the station's vendor."""

    event_id: str
    station_id: str
    at: Moment
    received_at: Moment
    type: str
    tech_info: str = ""


class CertificateExpiring(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate runs out before long, or nobody needs it any more.

    Attributes:
        certificate_id: names the certificate, for ever.
        kind: what it is for, such as `ChargingStationCertificate`, or `server` of an edge.
        subject, issuer: their names (RFC 4514).
        serial_number: in hexadecimal digits.
        station_id: whose it is, or where it is installed; empty: it is of the CSMS.
        expires_at: when it runs out.
        replaced: another has taken its place, or it was taken away: nothing is to be done about it.
    """

    certificate_id: str
    kind: str
    expires_at: Moment
    at: Moment
    subject: str = ""
    serial_number: str = ""
    issuer: str = ""
    station_id: str = ""
    replaced: bool = False

    @property
    def key(self) -> str:
        """The key of its record: the station, or else the certificate."""
        return self.station_id or self.certificate_id


class ConnectionRefused(msgspec.Struct, frozen=True, omit_defaults=True):
    """Connections that an edge refused for one reason, added up over some time for a station or an address.

    Attributes:
        reason: a word, such as `bad_password`, `bad_certificate`, `low_profile`, `tls`.
        count: how many there were from `first_at` to `last_at`; the next event counts anew.
        station_id: as whom somebody tried to connect; empty: nobody said, or it is no station that is known.
        address: from where; empty: from several.
        detail: what else is known of the last of them.
    """

    reason: str
    count: int
    first_at: Moment
    last_at: Moment
    at: Moment
    station_id: str = ""
    address: str = ""
    detail: str = ""

    @property
    def key(self) -> str:
        """The key of its record: the station, or else the address."""
        return self.station_id or self.address


class StationDeviated(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station breaks the specification in a way that it did not before, or goes on to: told twice a day at most.

    A refused handshake, of which `detail` says what to do, is told again when that changes, once a minute at most.
    `kind` says how frames of `action` break their schema, or OCPP-J, at `path`; `refused`: they were not taken. `count`
    is how many there were until then. `detail` is empty where it would show a text that the station sent.
    """

    station_id: str
    at: Moment
    action: str
    kind: str
    path: str = ""
    count: int = 1
    refused: bool = False
    detail: str = ""
    version: str = ""


class CommandFailed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command that was sent to a station failed: it did not answer in time, or with an error of its own.

    That it does not know an action is none. `requester` is who asked; `error_code` the CALLERROR's.
    """

    station_id: str
    command_id: str
    at: Moment
    action: str
    outcome: Literal["timed_out", "refused"]
    requester: str = ""
    error_code: str = ""
    version: str = ""


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """A charging session after a change; the same shape for started, updated and ended.

    Energy in Wh of the station's register; `gaps` are inclusive ranges of `seqNo` that never arrived (OCPP 2.x).
    `billable` is False for a session without a valid token. `missing` holds `started` while the station has not
    reported the start; `flags` says what is odd. `energy_source` says what `energy_wh` was made of.
    `token_group` is the group that the token was of when it was presented.
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
    token_group: str = ""


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sampled value: `value` in the base unit `unit` (Wh, W, A, V, varh, var, VA, VAh, Hz, percent, celsius …).

    `original_value` and `original_unit` are as the station wrote them, with its multiplier applied to neither.
    `quality` is empty, or `time_of_arrival` where the station told no time that can be read.
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
    quality: str = ""


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


PerPhase: TypeAlias = tuple[float, float, float]
"""Amperes on L1, L2 and L3 of a site."""


class LimitPeriod(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a limit is for some time; None: from the beginning, until it is cleared, or not limited."""

    valid_from: Moment | None = None
    valid_until: Moment | None = None
    phase_a: float | None = None
    total_w: float | None = None
    total_va: float | None = None


class ChargingLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit that somebody sets on a part of a site, changes or, `cleared`, takes away.

    `source` and `limit_id` together say which limit it is; what is told later of the same replaces it. It stands on a
    node (none: the whole site), on a station, or on one EVSE of it, from `valid_from` (none: at once) until
    `valid_until` (none: until it is cleared). At least one of `phase_a` (amperes on each phase), `total_w` and
    `total_va` is given, and the strictest counts. A limit that changes over time has `periods` in place of all five.
    What is drawn there by others than vehicles is taken off it, unless it `covers` charging only; its floor is left in
    any case. Where it is to be renewed every `renewed_every_s` and is not, its fallback holds in its place.
    """

    site_id: str
    limit_id: str
    source: str
    at: Moment
    node_id: str = ""
    station_id: str = ""
    evse_id: int = 0
    phase_a: float | None = None
    total_w: float | None = None
    total_va: float | None = None
    floor_a: float | None = None
    floor_w: float | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    renewed_every_s: float | None = None
    fallback_a: float | None = None
    fallback_w: float | None = None
    cleared: bool = False
    covers: Literal["everything", "charging"] = "everything"
    periods: tuple[LimitPeriod, ...] = ()


class PlannedEvse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an EVSE may draw by a plan.

    `limit_a` is per phase from now on, `schedule` how it is to go on (from when, amperes), which a later plan changes.
    `counted_a` is what the EVSE is reckoned with on each phase of the site until it has shown that it obeys.
    `reasons` say in words what bounds it.
    """

    station_id: str
    evse_id: int
    limit_a: float
    counted_a: PerPhase = (0.0, 0.0, 0.0)
    session_id: str = ""
    schedule: tuple[tuple[Moment, float], ...] = ()
    reasons: tuple[str, ...] = ()


class PlannedNode(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a node of a site may carry now, what the plan puts on it, and what is measured there, each per phase."""

    node_id: str
    limit_a: PerPhase | None = None
    planned_a: PerPhase = (0.0, 0.0, 0.0)
    measured_a: PerPhase | None = None
    reason: str = ""


class ChargingPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A site's plan, whenever it changes what an EVSE may draw.

    `method` is `optimiser` or `allocator`; `fallback` says why it was not the optimiser where it should have been.
    """

    site_id: str
    plan_id: str
    at: Moment
    method: str
    evses: tuple[PlannedEvse, ...] = ()
    nodes: tuple[PlannedNode, ...] = ()
    fallback: str = ""


class GridSeries(msgspec.Struct, frozen=True, omit_defaults=True):
    """Prices, CO2 or demand of the grid over time, for a zone: a site's own, or that of many.

    `kind` is `price` (unit such as EUR/kWh), `co2` (g/kWh) or `demand` (share of what the grid can carry, 0 to 1).
    `values` follow each other by `resolution_s` from `starts_at`; a null is a hole. What is told later replaces, where
    both tell of a time.
    """

    zone: str
    kind: Literal["price", "co2", "demand"]
    source: str
    unit: str
    at: Moment
    starts_at: Moment
    resolution_s: int
    values: tuple[float | None, ...]
    valid_until: Moment | None = None


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that somebody should look at; the same `alert_id` again with `resolved` when it is over.

    `subject` is the station or site that it is about, or `fleet`; `rule` names the kind, `title` and `detail` are for
    people. It comes again under its id when it happened again (`count`, from `first_at` to `last_at`), when somebody
    took it on, or when a silence begins or ends. `labels` are the station's or the site's. Of a group, `members` says
    for how many stations it stands.
    """

    alert_id: str
    subject: str
    rule: str
    state: Literal["open", "resolved"]
    severity: Literal["info", "warning", "critical"]
    at: Moment
    title: str
    detail: str = ""
    site_id: str = ""
    station_id: str = ""
    evse_id: int = 0
    count: int = 1
    first_at: Moment | None = None
    last_at: Moment | None = None
    labels: dict[str, str] = {}
    acknowledged_at: Moment | None = None
    acknowledged_by: str = ""
    note: str = ""
    silenced: bool = False
    members: int = 0


class FirmwareUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A firmware update of one station, in its newest state whenever that changes.

    `state` is how far it has come (`requested`, `accepted`, `downloading`, … `installed`), or how it ended:
    `succeeded`, `failed`, `cancelled`; `reason` names why, `detail` says it for people. `version` is the one that it
    is to bring, `before` the one that the station had. `status` is what the station said last, in its own words.
    """

    update_id: str
    station_id: str
    at: Moment
    version: str
    state: str
    before: str = ""
    reason: str = ""
    detail: str = ""
    status: str = ""
    campaign_id: str = ""
    image_id: str = ""


class FirmwareCampaign(msgspec.Struct, frozen=True, omit_defaults=True):
    """A roll-out to many stations, whenever its state or its wave changes.

    `counts` tells how many of its stations are in which state; `reason` names why it stands still or ended, `detail`
    says it for people. Waves count from 1.
    """

    campaign_id: str
    at: Moment
    state: str
    name: str = ""
    image_id: str = ""
    wave: int = 0
    counts: dict[str, int] = {}
    reason: str = ""
    detail: str = ""


class FirmwarePublication(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that a local controller offers to the stations behind it, whenever the state of that changes.

    `checksum` is the MD5 by which OCPP knows the file, `locations` where stations find it once it is `published`.
    `reason` names why it failed, `detail` says it for people.
    """

    publication_id: str
    station_id: str
    at: Moment
    state: str
    checksum: str = ""
    version: str = ""
    image_id: str = ""
    locations: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


class StationLog(msgspec.Struct, frozen=True, omit_defaults=True):
    """A log that was asked of a station, after each change of its state.

    `kind` is `diagnostics`, `security` or `data_collector`.
    """

    log_id: str
    station_id: str
    at: Moment
    kind: str
    state: str
    reason: str = ""
    detail: str = ""
    status: str = ""
    file_name: str = ""
    size: int | None = None
    sha256: str = ""


PUBLIC: dict[str, type[msgspec.Struct]] = {
    STATION_BOOTED: StationBooted,
    STATION_CONNECTION: StationConnection,
    CONNECTOR_STATUS: ConnectorStatus,
    STATION_DESCRIBED: StationDescribed,
    STATION_DEVIATED: StationDeviated,
    COMMAND_FAILED: CommandFailed,
    STATION_EVENT: StationEvent,
    SECURITY_EVENT: SecurityEvent,
    CERTIFICATE_EXPIRING: CertificateExpiring,
    CONNECTION_REFUSED: ConnectionRefused,
    SESSION_STARTED: Session,
    SESSION_UPDATED: Session,
    SESSION_ENDED: Session,
    METER_READINGS: MeterReadings,
    CHARGING_LIMIT: ChargingLimit,
    CHARGING_PLAN: ChargingPlan,
    GRID_SERIES_TOLD: GridSeries,
    ALERT_CHANGED: Alert,
    FIRMWARE_UPDATE: FirmwareUpdate,
    FIRMWARE_CAMPAIGN: FirmwareCampaign,
    FIRMWARE_PUBLICATION: FirmwarePublication,
    STATION_LOG: StationLog,
}

_TOPIC = {
    "station": STATION_EVENTS,
    "session": SESSION_EVENTS,
    "meter": METER_VALUES,
    "charging.limit": CHARGING_LIMITS,
    "charging.plan": CHARGING_PLANS,
    "grid": GRID_SERIES,
    "alert": ALERT_EVENTS,
    "firmware": FIRMWARE_EVENTS,
    "security": SECURITY_EVENTS,
    "certificate": SECURITY_EVENTS,
}
_KEY = {
    CHARGING_LIMITS: "site_id",
    CHARGING_PLANS: "site_id",
    GRID_SERIES: "zone",
    ALERT_EVENTS: "subject",
    FIRMWARE_CAMPAIGN: "campaign_id",
    CERTIFICATE_EXPIRING: "key",
    CONNECTION_REFUSED: "key",
}
"""Which attribute is the key, where it is not the station: of a topic, or of one kind of event in it."""
_encode = msgspec.json.Encoder().encode


def topic_of(kind: str) -> str:
    """Return the topic of a public event; `kind` is its CloudEvents type."""
    _, subject, fact, *_ = kind.split(".")
    return _TOPIC.get(f"{subject}.{fact}") or _TOPIC[subject]


def event(
    kind: str, event_id: str, source: str, at: datetime, body: msgspec.Struct, *more: tuple[str, bytes]
) -> Record:
    """Return a public event as a record for its topic.

    Args:
        kind: one of the types above; it decides the topic.
        event_id: the same for the same fact, so that a reader can drop a record that went out twice.
        source: the service, such as `/session`.
        at: when the fact was recorded.
        body: the event; it holds the topic's key: a station, a site, a zone, a campaign, a certificate or an address.
        more: further headers (tracing).
    """
    topic = topic_of(kind)
    key: str = getattr(body, _KEY.get(kind) or _KEY.get(topic, "station_id"))
    return Record(topic, key, _encode(body), Envelope(event_id, kind, source, key, at).headers(*more))
