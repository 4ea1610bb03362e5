"""The table of the service: the rows of each subject, and what has the same answer whatever it says."""

from typing import Final

from chargebus_calls import Fixed, Routes

from chargebus_device import v21
from chargebus_device.boots import routes as boots
from chargebus_device.payload import unknown_vendor
from chargebus_device.statuses import routes as statuses
from chargebus_device.variables import routes as variables

_NO_VENDOR: Final = Fixed(unknown_vendor())

ROUTES: Final[Routes] = {
    **boots.ROUTES,
    **statuses.ROUTES,
    **variables.ROUTES,
    ("1.6", "DataTransfer"): _NO_VENDOR,
    ("2.0.1", "DataTransfer"): _NO_VENDOR,
    ("2.1", "DataTransfer"): _NO_VENDOR,
    ("2.1", "OpenPeriodicEventStream"): Fixed(v21.stream_refused()),
}
