"""Owns when a session is taken for ended though its station has not said so.

A sign makes it doubtful: after a time of grace, in which the end may still come out of a queue, the station is asked
where OCPP can tell, and else the rule holds. The end is unknown, the energy is that of the last reading, and flags say
so.

| sign | asked first | without an answer |
|---|---|---|
| another session began on its EVSE | yes | ended |
| its EVSE's connector is Available | yes | ended |
| the station booted | yes | goes on |
| the station now speaks a version in which the transaction cannot go on, or was removed | no | ended |

Spec: OCPP 2.0.1 E14 (GetTransactionStatus)
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_session.transactions.domain.sessions import Session

Sign = Literal["next_start", "available", "boot", "version", "removed"]
Answer = Literal["", "over", "ongoing", "queued", "refused", "silent"]
Step = Literal["end", "ask", "wait", "drop"]

ASKED_FOR: Final = timedelta(minutes=10)
"""How long an answer is waited for that nobody tells of."""

_CERTAIN: Final = frozenset({"version", "removed"})
_WEAK: Final = frozenset({"boot"})
_ATTEMPTS: Final = 5


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


def next_step(doubt: Doubt, session: Session, *, askable: bool) -> Step:
    """Return what is done about a doubt that is due; `askable`: OCPP can tell how it is about this transaction."""
    if session.over or doubt.answer == "ongoing":
        return "drop"
    if doubt.sign in _CERTAIN or doubt.answer == "over":
        return "end"
    if doubt.answer == "queued":
        return "wait"
    if askable and doubt.answer != "refused" and doubt.attempts < _ATTEMPTS:
        return "wait" if doubt.asked else "ask"
    if doubt.sign in _WEAK:
        return "drop"
    return "wait" if session.updated_at > doubt.noticed_at else "end"


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
