"""OCPP 1.6: GetDiagnostics, and GetLog for security logs, by the security extension."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_firmware.logs import payload
from chargebus_firmware.logs.domain.log import Kind, Log, Reply
from chargebus_firmware.logs.domain.status import LogStatus

_DIAGNOSTICS: Final[frozenset[Kind]] = frozenset({"diagnostics"})
_BY_GET_LOG: Final[frozenset[Kind]] = frozenset({"security"})


class _DiagnosticsStatusNotification(Payload, frozen=True):
    status: str


_status: Final = reader(_DiagnosticsStatusNotification)


def get_diagnostics(log: Log, location: str) -> dict[str, object]:
    """Return GetDiagnostics; 1.6 has no place for its id. Spec: OCPP 1.6 6.23."""
    wanted = log.wanted
    return payload.present(
        location=location,
        retries=wanted.retries,
        retryInterval=wanted.retry_interval_s,
        startTime=wanted.oldest,
        stopTime=wanted.latest,
    )


def get_diagnostics_reply(members: Mapping[str, Any], detail: str) -> Reply:
    """Read the answer to GetDiagnostics: the name of the file, or none where there is nothing. Spec: OCPP 1.6 5.7."""
    name = payload.file_name(members.get("fileName"))
    return Reply("accepted", name, detail) if name else Reply("no_log", "", detail)


def diagnostics_status(frame: Frame) -> LogStatus:
    """Read DiagnosticsStatusNotification. Spec: OCPP 1.6 4.4."""
    said = _status(frame.payload)
    return LogStatus(frame.station_id, payload.word(said.status), frame.received_at, None, _DIAGNOSTICS)


def log_status(frame: Frame) -> LogStatus:
    """Read LogStatusNotification of the security extension."""
    return payload.log_status(frame, _BY_GET_LOG)
