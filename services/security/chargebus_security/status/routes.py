"""The table: which calls are taken, how each is read, and how it is answered."""

from typing import Any, Final

from chargebus_calls import Routes, Row

from chargebus_security.status import v21, v201
from chargebus_security.status.block import StatusCalls

_ROWS: Final[dict[tuple[str, str], Row[Any, Any]]] = {
    ("2.0.1", "GetCertificateStatus"): Row(v201.asked, StatusCalls, v201.answer),
    ("2.1", "GetCertificateStatus"): Row(v201.asked, StatusCalls, v21.answer),
    ("2.1", "GetCertificateChainStatus"): Row(v21.chain_asked, StatusCalls, v21.chain_answer),
}
ROUTES: Final[Routes] = _ROWS
ACTIONS: Final = tuple(dict.fromkeys(action for _, action in _ROWS))


def row_of(version: str, action: str) -> Row[Any, Any]:
    """Return how a call is answered that waited."""
    return _ROWS[version, action]
