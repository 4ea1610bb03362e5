"""A request for what a station knows of a customer, and its parts, in whatever order they come."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Literal

import msgspec

MOST_PARTS: Final = 10_000
"""Parts of a request that are kept: those with a `seqNo` below."""

_MOST_MISSING: Final = 1000

Status = Literal["asked", "accepted", "refused", "unsupported", "failed", "deleted"]
State = Literal["asked", "receiving", "complete", "incomplete", "done", "refused", "unsupported", "failed", "deleted"]


class Wanted(msgspec.Struct, frozen=True):
    """What is asked: of whom, to report it, to clear it. It is personal, and kept nowhere here.

    Exactly one of the three says who: `customer_identifier`, `id_token` with its `id_token_type`, or the hash data of
    a certificate (`hash_algorithm`, `issuer_name_hash`, `issuer_key_hash`, `serial_number`).
    """

    report: bool
    clear: bool
    customer_identifier: str = ""
    id_token: str = ""
    id_token_type: str = ""
    certificate: Mapping[str, str] = {}

    @property
    def who(self) -> str:
        """By what the customer is named."""
        if self.customer_identifier:
            return "customer_identifier"
        return "id_token" if self.id_token else "customer_certificate"


class Request(msgspec.Struct, frozen=True):
    """A request as it is kept: nothing in it tells who the customer is."""

    request_id: int
    station_id: str
    who: str
    report: bool
    clear: bool
    asked_at: datetime
    status: Status = "asked"
    reason: str = ""
    detail: str = ""
    ended_at: datetime | None = None
    command_id: str = ""


class Part(msgspec.Struct, frozen=True):
    """A NotifyCustomerInformation; `sealed`: its data is, by its edge."""

    station_id: str
    request_id: int
    seq_no: int
    data: str
    is_last: bool
    sealed: bool = False


class Gathered(msgspec.Struct, frozen=True):
    """What came of a request: `missing` are the numbers of parts that others tell of, and that have not come."""

    state: State
    text: str
    parts: int
    missing: tuple[int, ...]


def gathered(request: Request, parts: Mapping[int, tuple[str, bool]], now: datetime, wait: timedelta) -> Gathered:
    """Put together what came: parts by their numbers, each with whether it says that it is the last.

    The last part says how many there are. Until all of them are here it is being received for `wait`, and incomplete
    afterwards.

    Spec: OCPP 2.0.1 N09.FR.05, N09.FR.06
    """
    text = "".join(data for _, (data, _) in sorted(parts.items()))
    if request.status not in ("asked", "accepted"):
        return Gathered(request.status, text, len(parts), ())  # type: ignore[arg-type]
    if not request.report:
        return Gathered("done" if request.status == "accepted" else "asked", text, len(parts), ())
    last = max((number for number, (_, is_last) in parts.items() if is_last), default=None)
    expected = max(parts, default=-1) if last is None else last
    missing = tuple(islice((number for number in range(expected + 1) if number not in parts), _MOST_MISSING))
    if last is not None and not missing:
        return Gathered("complete", text, len(parts), ())
    if now - request.asked_at > wait:
        return Gathered("incomplete", text, len(parts), missing)
    return Gathered("receiving" if parts or request.status == "accepted" else "asked", text, len(parts), missing)
