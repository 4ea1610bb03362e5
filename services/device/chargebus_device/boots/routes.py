"""The rows of BootNotification."""

from functools import partial
from typing import Final

from chargebus_calls import Routes, Row

from chargebus_device.boots import v16, v201
from chargebus_device.boots.block import Boots, report
from chargebus_device.boots.domain import BootAnswer, BootReport
from chargebus_device.boots.payload import boot_answer

BOOT_S: Final = 0.02
"""Of the half minute that a booting station waits: many come at once when an edge or a mast is back."""

_V16: Final[Row[BootReport, BootAnswer]] = Row(partial(report, v16.boot), Boots, boot_answer, BOOT_S)
_V201: Final[Row[BootReport, BootAnswer]] = Row(partial(report, v201.boot), Boots, boot_answer, BOOT_S)

ROUTES: Final[Routes] = {
    ("1.6", "BootNotification"): _V16,
    ("2.0.1", "BootNotification"): _V201,
    ("2.1", "BootNotification"): _V201,
}
