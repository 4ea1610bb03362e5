"""The table: which calls are taken, how each is read, and how it is answered."""

from typing import Any, Final

from chargebus_calls import Routes, Row

from chargebus_security.contracts import v21, v201
from chargebus_security.contracts.block import ACTION, CHECKED, CertificateRequests, ContractChecks
from chargebus_security.contracts.domain.checks import Shown
from chargebus_security.contracts.domain.provisioning import CertificateRequest, Provided

_REQUESTS: Final[dict[tuple[str, str], Row[CertificateRequest, Provided]]] = {
    ("2.0.1", ACTION): Row(v201.wanted, CertificateRequests, v201.given),
    ("2.1", ACTION): Row(v21.wanted, CertificateRequests, v21.given),
}
_LONGEST: Final = {"2.0.1": v201.LONGEST, "2.1": v21.LONGEST}
_CHECKS: Final[dict[tuple[str, str], Row[Shown, None]]] = {
    ("2.0.1", CHECKED): Row(v201.shown, ContractChecks),
    ("2.1", CHECKED): Row(v201.shown, ContractChecks),
}
_ROWS: Final[dict[tuple[str, str], Row[Any, Any]]] = {**_REQUESTS, **_CHECKS}
ROUTES: Final[Routes] = _ROWS


def request_row(version: str) -> Row[CertificateRequest, Provided]:
    """Return how a request for contracts is read and answered."""
    return _REQUESTS[version, ACTION]


def longest_contract(version: str) -> int:
    """Return how many characters of a contract an answer carries."""
    return _LONGEST[version]


def check_row(version: str) -> Row[Shown, None]:
    """Return how an Authorize with a contract certificate is read; `session` answers it."""
    return _CHECKS[version, CHECKED]
