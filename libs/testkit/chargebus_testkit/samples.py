"""A record of every topic as its owner would write it: small, valid, of a station of the test's own."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from chargebus_events.commands import CommandForm, CommandOutcome, CommandRequested, Delivery
from chargebus_events.credentials import CredentialsChange
from chargebus_events.deviations import DeviationCount, DeviationReport
from chargebus_events.frames import Frame
from chargebus_events.presence import EdgeHeartbeat, Presence
from chargebus_events.public import (
    ALERT_CHANGED,
    CHARGING_LIMIT,
    FIRMWARE_UPDATE,
    GRID_SERIES_TOLD,
    METER_READINGS,
    SECURITY_EVENT,
    SESSION_STARTED,
    STATION_CONNECTION,
    Alert,
    ChargingLimit,
    FirmwareUpdate,
    GridSeries,
    MeterReadings,
    Reading,
    SecurityEvent,
    Session,
    StationConnection,
    event,
)
from chargebus_events.record import Record
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import (
    ALERT_EVENTS,
    ASKING_SERVICES,
    CHARGING_LIMITS,
    COMMANDS,
    CREDENTIALS,
    DELIVERIES,
    DEVIATIONS,
    EDGES,
    FIRMWARE_EVENTS,
    FRAMES_PREFIX,
    GRID_SERIES,
    METER_VALUES,
    PRESENCE,
    REGISTRY,
    SECURITY_EVENTS,
    SESSION_EVENTS,
    STATION_EVENTS,
    outcomes_topic,
)
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.official import read_schema
from chargebus_ocppj.schemas import validate_call
from chargebus_ocppj.versions import Version

SLOT: Final = 31
_EPOCH: Final = 7
_SMALLEST: Final = {"string": "1", "boolean": False, "integer": 1, "number": 1}


def sample(topic: str, station_id: str, number: int = 1) -> Record:
    """Return the `number`th record of a station for a topic.

    Raises:
        KeyError: the topic is new; give it a sample here.
    """
    if topic.startswith(FRAMES_PREFIX):
        return sample_frame(topic, station_id, number).record(topic)
    return _SAMPLES[topic](station_id, number)


def sample_frame(topic: str, station_id: str, number: int = 1) -> Frame:
    """Return a call of the first action whose station waits for the owner of the topic, or else of its first one.

    Of `security` it is the one that is answered at once, whatever others than it and its database say.
    """
    owned = [one for one in ACTIONS if one.initiator == "station" and one.service == topic.removeprefix(FRAMES_PREFIX)]
    waited_for = [one for one in owned if one.answered_by == "service"]
    action = next((one for one in waited_for if one.name == "SignCertificate"), (waited_for or owned)[0])
    version = action.versions[0]
    payload = msgspec.json.encode(smallest(version, action.name))
    validate_call(version, action.name, payload)
    at = datetime.now(UTC)
    return Frame(station_id, version, action.name, f"m{number}", SLOT, _EPOCH, number, payload, at)


def smallest(version: Version, action: str) -> dict[str, Any]:
    """Return a request with what its schema requires, and nothing else."""
    return _of_schema(read_schema(version, action, "request"))


def smallest_reply(version: Version, action: str) -> dict[str, Any]:
    """Return a response with what its schema requires, and nothing else."""
    return _of_schema(read_schema(version, action, "response"))


def _of_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = _smallest(schema, schema.get("definitions", {}))
    return payload


def _smallest(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if "$ref" in schema:
        return _smallest(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if schema.get("format") == "date-time":
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if schema.get("format") == "uri":
        return "ftp://localhost/1"
    match schema["type"]:
        case "object":
            members = schema.get("properties", {})
            return {name: _smallest(members[name], definitions) for name in schema.get("required", ())}
        case "array":
            return [_smallest(schema["items"], definitions)] * schema.get("minItems", 0)
        case kind:
            return schema.get("enum", (schema.get("minimum", _SMALLEST[kind]),))[0]


def _presence(station_id: str, _number: int) -> Record:
    return Presence(station_id, connected=True, slot=SLOT, edge_epoch=1, at=datetime.now(UTC), version="1.6").record()


def _heartbeat(_station_id: str, _number: int) -> Record:
    return EdgeHeartbeat(SLOT, "sample", datetime.now(UTC)).record()


def _deviations(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    counted = DeviationCount("Heartbeat", "extra_property", "extra", number, now, now)
    return DeviationReport(station_id, "1.6", SLOT, _EPOCH, now, (counted,)).record()


def _connected(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = StationConnection(station_id, now, connected=True, epoch=number, version="1.6")
    return event(STATION_CONNECTION, f"{station_id}/{number}", "/device", now, body)


def _credentials(station_id: str, number: int) -> Record:
    change = CredentialsChange(station_id, str(number), "security", datetime.now(UTC), security_profile=0)
    return change.record()


def _registered(station_id: str, _number: int) -> Record:
    return RegisteredStation(station_id, "accepted", "hash", datetime.now(UTC)).record()


def _request(station_id: str, number: int) -> Record:
    form = CommandForm("ClearCache", msgspec.Raw(b"{}"))
    requester = ASKING_SERVICES[0]
    return CommandRequested(f"{station_id}-{number}", station_id, requester, datetime.now(UTC), (form,)).record()


def _delivery(station_id: str, number: int) -> Record:
    return Delivery(f"{station_id}-{number}", station_id, _EPOCH, "undeliverable", datetime.now(UTC)).record(SLOT)


def _outcome_for(requester: str) -> Callable[[str, int], Record]:
    def outcome(station_id: str, number: int) -> Record:
        now = datetime.now(UTC)
        return CommandOutcome(f"{station_id}-{number}", station_id, requester, "expired", now, now).record()

    return outcome


def _session(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = Session(
        f"{station_id}-{number}",
        station_id,
        f"{number}",
        "1.6",
        "active",
        now,
        1,
        1,
        started_at=now,
        meter_start_wh=0.0,
    )
    return event(SESSION_STARTED, f"{station_id}/{number}", "/session", now, body)


def _readings(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    reading = Reading(f"{station_id}-{number}", now, "Energy.Active.Import.Register", 1.0, "Wh", "1")
    return event(
        METER_READINGS, f"{station_id}/{number}", "/metering", now, MeterReadings(station_id, 1, now, (reading,))
    )


def _limit(site_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = ChargingLimit(site_id, f"{number}", "sample", now, phase_a=63.0)
    return event(CHARGING_LIMIT, f"{site_id}/{number}", "/sample", now, body)


def _series(zone: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = GridSeries(zone, "price", "sample", "EUR/kWh", now, now, 900, (0.25,))
    return event(GRID_SERIES_TOLD, f"{zone}/{number}", "/sample", now, body)


def _alert(site_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = Alert(f"{site_id}/{number}", site_id, "site_overloaded", "open", "critical", now, "It draws too much")
    return event(ALERT_CHANGED, f"{site_id}/{number}/open", "/smart_charging", now, body)


def _updated(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    body = FirmwareUpdate(f"{station_id}/{number}", station_id, now, "2.0", "requested")
    return event(FIRMWARE_UPDATE, f"{station_id}/{number}/requested", "/firmware", now, body)


def _security_event(station_id: str, number: int) -> Record:
    now = datetime.now(UTC)
    event_id = f"{station_id}/{number}"
    body = SecurityEvent(event_id, station_id, now, now, "SettingSystemTime")
    return event(SECURITY_EVENT, event_id, "/notification", now, body)


_SAMPLES: Final[Mapping[str, Callable[[str, int], Record]]] = {
    PRESENCE: _presence,
    EDGES: _heartbeat,
    REGISTRY: _registered,
    CREDENTIALS: _credentials,
    STATION_EVENTS: _connected,
    COMMANDS: _request,
    DELIVERIES: _delivery,
    DEVIATIONS: _deviations,
    SESSION_EVENTS: _session,
    METER_VALUES: _readings,
    CHARGING_LIMITS: _limit,
    GRID_SERIES: _series,
    ALERT_EVENTS: _alert,
    FIRMWARE_EVENTS: _updated,
    SECURITY_EVENTS: _security_event,
    **{outcomes_topic(requester): _outcome_for(requester) for requester in ASKING_SERVICES},
}
