"""What is the same in every version that has GetLog, and the event by which others learn of a log.

Spec: OCPP 1.6 security white paper, GetLog, LogStatusNotification; OCPP 2.0.1 and 2.1 N01
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chargebus_events.frames import Frame
from chargebus_events.public import STATION_LOG, StationLog, event
from chargebus_events.record import Record
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_firmware.logs.domain.log import Kind, Log, Reply
from chargebus_firmware.logs.domain.status import LogStatus
from chargebus_firmware.names import SOURCE

LOG_TYPES: Final[Mapping[Kind, str]] = {
    "diagnostics": "DiagnosticsLog",
    "security": "SecurityLog",
    "data_collector": "DataCollectorLog",
}
NAME_LIMIT: Final = 255
_TEXT_LIMIT: Final = 500


class _StatusInfo(Payload, frozen=True):
    reason_code: str = ""
    additional_info: str = ""


class _LogStatusNotification(Payload, frozen=True):
    status: str
    request_id: int | None = None
    status_info: _StatusInfo | None = None


_status: Final = reader(_LogStatusNotification)


def get_log(log: Log, location: str) -> dict[str, object]:
    """Return GetLog."""
    wanted = log.wanted
    return {
        "logType": LOG_TYPES[wanted.kind],
        "requestId": log.log_id,
        "retries": wanted.retries,
        "retryInterval": wanted.retry_interval_s,
        "log": present(remoteLocation=location, oldestTimestamp=wanted.oldest, latestTimestamp=wanted.latest),
    }


def log_status(frame: Frame, kinds: frozenset[Kind]) -> LogStatus:
    """Read LogStatusNotification; without a request id it is of a log of one of these kinds."""
    said = _status(frame.payload)
    info = said.status_info
    detail = "" if info is None else ": ".join(filter(None, (clean(info.reason_code), clean(info.additional_info))))
    return LogStatus(
        frame.station_id, word(said.status), frame.received_at, said.request_id, kinds, detail[:_TEXT_LIMIT]
    )


def get_log_reply(members: Mapping[str, Any], detail: str) -> Reply:
    """Read the answer to GetLog; whatever is no refusal may be a yes: the file tells."""
    name = file_name(members.get("filename"))
    match str(members.get("status", "")).lower():
        case "rejected":
            return Reply("rejected", name, detail)
        case "acceptedcanceled":
            return Reply("replaces", name, detail)
        case _:
            return Reply("accepted", name, detail)


def file_name(told: object) -> str:
    """Return the name that a station gives a file."""
    return clean(told)[:NAME_LIMIT] if isinstance(told, str) else ""


def word(told: str) -> str:
    """Return a status as it may be kept."""
    return clean(told)[:50]


def present(**members: object) -> dict[str, object]:
    """Return the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def news(before: Log | None, log: Log, now: datetime) -> Record | None:
    """Return the event that tells of a log, if its state is another than before."""
    if before is not None and (before.state, before.reason) == (log.state, log.reason):
        return None
    shown = log.shown
    body = StationLog(
        log_id=str(log.log_id),
        station_id=log.station_id,
        at=now,
        kind=log.wanted.kind,
        state=log.state,
        reason=log.reason,
        detail=log.detail,
        status=log.status,
        file_name="" if shown is None else shown.name or log.answered_name,
        size=None if shown is None else shown.size,
        sha256="" if shown is None else shown.sha256,
    )
    return event(STATION_LOG, f"log/{log.log_id}/{log.state}/{now.isoformat()}", SOURCE, now, body)
