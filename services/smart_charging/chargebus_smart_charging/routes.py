"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_smart_charging.limits import routes as limits
from chargebus_smart_charging.steering import routes as steering
from chargebus_smart_charging.vehicles import routes as vehicles

ROUTES: Final[Routes] = {**limits.ROUTES, **steering.ROUTES, **vehicles.ROUTES}
