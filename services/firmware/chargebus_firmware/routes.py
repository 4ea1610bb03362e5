"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_firmware.logs import routes as logs
from chargebus_firmware.publications import routes as publications
from chargebus_firmware.updates import routes as updates

ROUTES: Final[Routes] = {**updates.ROUTES, **publications.ROUTES, **logs.ROUTES}
