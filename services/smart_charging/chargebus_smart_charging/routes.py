"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_smart_charging.limits import routes as limits
from chargebus_smart_charging.vehicles import routes as vehicles

ROUTES: Final[Routes] = {**limits.ROUTES, **vehicles.ROUTES}
