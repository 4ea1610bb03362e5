"""OCPP 2.0.1, and what is the same in 2.1: all logs come by GetLog."""

from typing import Final

from chargebus_events.frames import Frame

from chargebus_firmware.logs import payload
from chargebus_firmware.logs.domain.log import Kind
from chargebus_firmware.logs.domain.status import LogStatus

_ALL: Final[frozenset[Kind]] = frozenset(payload.LOG_TYPES)


def log_status(frame: Frame) -> LogStatus:
    """Read LogStatusNotification. Spec: OCPP 2.0.1 N01."""
    return payload.log_status(frame, _ALL)
