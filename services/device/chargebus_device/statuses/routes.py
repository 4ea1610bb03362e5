"""The rows of StatusNotification; the edge has answered it."""

from functools import partial
from typing import Final

from chargebus_calls import Routes, Row

from chargebus_device.statuses import v16, v201
from chargebus_device.statuses.block import Statuses, report
from chargebus_device.statuses.domain import Report

STATUS_S: Final = 0.25
"""Nobody waits for what becomes of a status."""

_V16: Final[Row[Report, None]] = Row(partial(report, v16.status), Statuses, wait_s=STATUS_S)
_V201: Final[Row[Report, None]] = Row(partial(report, v201.status), Statuses, wait_s=STATUS_S)

ROUTES: Final[Routes] = {
    ("1.6", "StatusNotification"): _V16,
    ("2.0.1", "StatusNotification"): _V201,
    ("2.1", "StatusNotification"): _V201,
}
