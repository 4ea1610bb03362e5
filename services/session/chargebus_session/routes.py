"""Owns the tables: which action is read, decided and answered how, and which message carries an intent, by version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from chargebus_events.frames import Frame

from chargebus_session import v16, v21, v201
from chargebus_session.domain.decide import authorize, record
from chargebus_session.domain.desk import Desk, Recorded
from chargebus_session.domain.remote import Start, Stop
from chargebus_session.domain.sessions import Authorize, Report
from chargebus_session.domain.tokens import Judgement


class Call(msgspec.Struct, frozen=True):
    """A frame that was read: what must be known to settle it, and how; `settle` returns the answer's payload."""

    settle: Callable[[Desk], bytes]
    token_key: str = ""
    report: Report | None = None


@dataclass(frozen=True)
class AuthorizeRoute:
    """How one version asks about a token and is told."""

    read: Callable[[Frame], Authorize]
    answer: Callable[[Authorize, Judgement], bytes]

    def call(self, frame: Frame) -> Call:
        """Read a frame.

        Raises:
            msgspec.MsgspecError: the payload cannot be read.
        """
        request = self.read(frame)
        return Call(partial(self.settle, request), request.token.key)

    def settle(self, request: Authorize, desk: Desk) -> bytes:
        """Decide, and return the answer's payload."""
        judgement = authorize(desk, request)
        desk.judged.append(judgement)
        return self.answer(request, judgement)


@dataclass(frozen=True)
class ReportRoute:
    """How one action of one version reports an event of a transaction and is answered."""

    read: Callable[[Frame], Report]
    answer: Callable[[Report, Recorded], bytes]

    def call(self, frame: Frame) -> Call:
        """Read a frame.

        Raises:
            msgspec.MsgspecError: the payload cannot be read.
        """
        report = self.read(frame)
        token = report.event.token
        return Call(partial(self.settle, report), token.key if token else "", report)

    def settle(self, request: Report, desk: Desk) -> bytes:
        """Decide, keep the decision at the desk, and return the answer's payload: for a resent event the first one."""
        recorded = record(desk, request)
        if isinstance(recorded, bytes):
            return recorded
        answer = self.answer(request, recorded)
        desk.keep(msgspec.structs.replace(recorded, payload=answer))
        return answer


Route = AuthorizeRoute | ReportRoute

_TRANSACTION_EVENT: Final = ReportRoute(v201.transaction_event, v201.transaction_noted)
_AUTHORIZE: Final = AuthorizeRoute(v201.authorize, v201.authorized)

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    ("1.6", "Authorize"): AuthorizeRoute(v16.authorize, v16.authorized),
    ("1.6", "StartTransaction"): ReportRoute(v16.start_transaction, v16.transaction_started),
    ("1.6", "StopTransaction"): ReportRoute(v16.stop_transaction, v16.transaction_stopped),
    ("2.0.1", "Authorize"): _AUTHORIZE,
    ("2.0.1", "TransactionEvent"): _TRANSACTION_EVENT,
    ("2.1", "Authorize"): _AUTHORIZE,
    ("2.1", "TransactionEvent"): _TRANSACTION_EVENT,
}


@dataclass(frozen=True)
class Remote:
    """The messages by which a version starts and stops remotely.

    `family` are the versions that take them: a transaction lives on when its station changes between those.
    """

    family: tuple[str, ...]
    start_action: str
    start: Callable[[Start], dict[str, object]]
    stop_action: str
    stop: Callable[[Stop], dict[str, object]]
    id_token_limit: int


_V16: Final = ("1.6",)
_V2: Final = ("2.0.1", "2.1")
_START: Final = ("RequestStartTransaction", v201.remote_start)
_STOP: Final = ("RequestStopTransaction", v201.remote_stop)

REMOTE: Final[Mapping[str, Remote]] = {
    "1.6": Remote(
        _V16,
        "RemoteStartTransaction",
        v16.remote_start,
        "RemoteStopTransaction",
        v16.remote_stop,
        v16.ID_TAG_LIMIT,
    ),
    "2.0.1": Remote(_V2, *_START, *_STOP, v201.ID_TOKEN_LIMIT),
    "2.1": Remote(_V2, *_START, *_STOP, v21.ID_TOKEN_LIMIT),
}
