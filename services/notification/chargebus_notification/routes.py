"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_notification.customer_information import routes as customer_information
from chargebus_notification.displays import routes as displays
from chargebus_notification.events import routes as events

ROUTES: Final[Routes] = {**events.ROUTES, **displays.ROUTES, **customer_information.ROUTES}
