"""The table of the service: the rows of each subject."""

from typing import Final

from chargebus_calls import Routes

from chargebus_security.contracts.routes import ROUTES as CONTRACTS
from chargebus_security.signing import routes as signing
from chargebus_security.status.routes import ROUTES as STATUS

ROUTES: Final[Routes] = {**signing.ROUTES, **STATUS, **CONTRACTS}
