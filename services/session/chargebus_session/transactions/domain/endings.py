"""Owns when a session is taken for ended though its station has not said so.

A sign makes it doubtful: after a time of grace, in which the end may still come out of a queue, the station is asked
where OCPP can tell, and else the rule holds. The end is unknown, the energy is that of the last reading, and flags say
so.

| sign | asked first | without an answer |
|---|---|---|
| another session began on its EVSE | yes | ended |
| its EVSE's connector is Available | yes | ended |
| another station has its identity: another serial number, or another make | yes | ended |
| the station booted | yes | goes on, unless its connector says that nothing charges there |
| the station now speaks a version in which the transaction cannot go on, or was removed | no | ended |

A station of OCPP 1.6 cannot be asked: one that lost power and tells neither readings nor the end of its transaction
shows by the state of its connector that there is none any more.

Spec: OCPP 2.0.1 E14 (GetTransactionStatus); OCPP 1.6 4.9, 7.7 (ChargePointStatus)
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_session.transactions.domain.sessions import Session

Sign = Literal["next_start", "available", "boot", "replaced", "version", "removed"]
Answer = Literal["", "over", "ongoing", "queued", "refused", "silent"]
Step = Literal["end", "ask", "wait", "drop"]

ASKED_FOR: Final = timedelta(minutes=10)
"""How long an answer is waited for that nobody tells of."""

_CERTAIN: Final = frozenset({"version", "removed"})
_WEAK: Final = frozenset({"boot"})
_ATTEMPTS: Final = 5

_IDLE: Final = frozenset({"Available", "Reserved", "Unavailable", "Faulted"})
_IDLE_DETAILS: Final = frozenset({"Preparing", "Finishing"})


class Doubt(msgspec.Struct, frozen=True):
    """A session that may be over: since `at` by the station's clock, `noticed_at` by ours."""

    session_id: str
    sign: Sign
    at: datetime
    noticed_at: datetime
    due_at: datetime
    asked: bool = False
    answer: Answer = ""
    attempts: int = 0


class StationSign(msgspec.Struct, frozen=True):
    """A sign that some of a station's sessions may be over: those on an EVSE (0: on any).

    Of a sign that names `versions`, those that began in none of them.
    """

    station_id: str
    sign: Sign
    at: datetime
    evse_id: int = 0
    connector_id: int = 0
    versions: tuple[str, ...] = ()


class ConnectorState(msgspec.Struct, frozen=True):
    """What a connector (0: its EVSE as a whole) last said; `idle`: no transaction can be charging there."""

    station_id: str
    evse_id: int
    connector_id: int
    idle: bool
    status: str = ""


def is_idle(status: str, detail: str) -> bool:
    """Tell whether nothing can be charging at a connector of this status; `detail` is OCPP 1.6's word for it."""
    return status in _IDLE or detail in _IDLE_DETAILS


def place_is_idle(session: Session, states: Collection[ConnectorState]) -> bool:
    """Tell whether a session's connector, or all of its EVSE where that is not known, says that nothing charges."""
    fold = session.fold
    if fold.evse is None:
        return False
    connectors = {0, fold.connector.value} if fold.connector and fold.connector.value else None
    there = [
        each.idle
        for each in states
        if (each.station_id, each.evse_id) == (session.station_id, fold.evse.value)
        and (connectors is None or each.connector_id in connectors)
    ]
    return bool(there) and all(there)


def next_step(doubt: Doubt, session: Session, *, askable: bool, idle: bool) -> Step:
    """Return what is done about a doubt that is due.

    `askable`: OCPP can tell how it is about this transaction. `idle`: its connector says that nothing charges there.
    """
    if session.over or doubt.answer == "ongoing":
        return "drop"
    if doubt.sign in _CERTAIN or doubt.answer == "over":
        return "end"
    if doubt.answer == "queued":
        return "wait"
    if askable and doubt.answer != "refused" and doubt.attempts < _ATTEMPTS:
        return "wait" if doubt.asked else "ask"
    heard = session.updated_at > doubt.noticed_at
    if doubt.sign in _WEAK and not idle:
        return "drop" if heard or doubt.answer == "refused" or doubt.attempts >= _ATTEMPTS else "wait"
    return "wait" if heard else "end"


def waiting(doubt: Doubt, session: Session, now: datetime, grace: timedelta) -> Doubt:
    """Return a doubt as it waits for more: for longer each time that the station is silent."""
    return msgspec.structs.replace(
        doubt,
        noticed_at=max(doubt.noticed_at, session.updated_at),
        due_at=now + grace * 2 ** min(doubt.attempts, _ATTEMPTS),
        asked=False,
        answer="",
        attempts=doubt.attempts + 1,
    )


def asking(doubt: Doubt, now: datetime) -> Doubt:
    """Return a doubt whose station is being asked."""
    return msgspec.structs.replace(doubt, asked=True, due_at=now + ASKED_FOR)
