"""The table: which events are taken, and how each is read; the edge has answered them."""

from typing import Any, Final

from chargebus_calls import Routes, Row

from chargebus_notification.events import payload, v21, v201
from chargebus_notification.events.block import SecurityEvents, StationEvents

EVENT_S: Final = 0.25
"""How long an event may wait for others: nobody waits for what becomes of it."""

_SECURITY: Final[Row[Any, None]] = Row(payload.security_events, SecurityEvents, wait_s=EVENT_S)

ROUTES: Final[Routes] = {
    ("1.6", "SecurityEventNotification"): _SECURITY,
    ("2.0.1", "SecurityEventNotification"): _SECURITY,
    ("2.1", "SecurityEventNotification"): _SECURITY,
    ("2.0.1", "NotifyEvent"): Row(v201.station_events, StationEvents, wait_s=EVENT_S),
    ("2.1", "NotifyEvent"): Row(v21.station_events, StationEvents, wait_s=EVENT_S),
}
