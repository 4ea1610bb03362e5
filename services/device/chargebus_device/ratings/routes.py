"""The rows of NotifyReport; the edge has answered it."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_device.ratings import v201
from chargebus_device.ratings.block import Ratings
from chargebus_device.ratings.domain import RatingReport

REPORT_S: Final = 0.25
"""Nobody waits for what becomes of a report."""

_REPORT: Final[Row[RatingReport, None]] = Row(v201.report, Ratings, wait_s=REPORT_S)

ROUTES: Final[Routes] = {("2.0.1", "NotifyReport"): _REPORT, ("2.1", "NotifyReport"): _REPORT}
