"""The tables: how parts are read, in which words stations are asked, and what their answers mean."""

from typing import Any, Final

import msgspec
from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Outcome

from chargebus_notification.customer_information import payload
from chargebus_notification.customer_information.block import Parts
from chargebus_notification.customer_information.domain import Request, Status, Wanted

_PART: Final[Row[Any, None]] = Row(payload.part, Parts)

ROUTES: Final[Routes] = {
    ("2.0.1", "NotifyCustomerInformation"): _PART,
    ("2.1", "NotifyCustomerInformation"): _PART,
}
_LONGEST_201: Final = 36
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})


def forms(wanted: Wanted, request_id: int) -> tuple[Form, ...]:
    """Return the forms of a request: none of 2.0.1 for a token that is longer than it can say."""
    versions = ("2.0.1", "2.1") if len(wanted.id_token) <= _LONGEST_201 else ("2.1",)
    return tuple(Form.of((each,), "CustomerInformation", payload.ask(wanted, request_id)) for each in versions)


def ended(request: Request, outcome: Outcome) -> Request:
    """Return a request after the station answered it, or did not.

    Parts may have come before the answer; an answer that is lost does not lose them.
    """
    status, reason = _ending(outcome)
    if request.status == "deleted":
        status = "deleted"
    return msgspec.structs.replace(
        request,
        status=status,
        reason=reason,
        detail="" if status == "accepted" else outcome.why,
        ended_at=outcome.ended_at,
    )


def _ending(outcome: Outcome) -> tuple[Status, str]:
    if outcome.name == "answered":
        return ("accepted" if outcome.status == "Accepted" else "refused"), outcome.status
    if outcome.name == "refused":
        return ("unsupported" if outcome.error_code in _UNSUPPORTED else "refused"), outcome.error_code
    if outcome.name == "timed_out":
        return "asked", outcome.name
    return "failed", outcome.name
