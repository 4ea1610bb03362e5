"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_session.reservations import routes as reservations
from chargebus_session.tokens import routes as tokens
from chargebus_session.transactions import routes as transactions

ROUTES: Final[Routes] = {**tokens.ROUTES, **transactions.ROUTES, **reservations.ROUTES}
