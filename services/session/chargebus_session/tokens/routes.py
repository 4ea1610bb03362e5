"""The rows of Authorize."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_session.tokens import v16, v201
from chargebus_session.tokens.block import Authorizations
from chargebus_session.tokens.domain import Authorize, Judgement

_V16: Final[Row[Authorize, Judgement]] = Row(v16.authorize, Authorizations, v16.authorized)
_V201: Final[Row[Authorize, Judgement]] = Row(v201.authorize, Authorizations, v201.authorized)

ROUTES: Final[Routes] = {("1.6", "Authorize"): _V16, ("2.0.1", "Authorize"): _V201, ("2.1", "Authorize"): _V201}
