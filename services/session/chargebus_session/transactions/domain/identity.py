"""Owns which of a station's transactions an event is of, where several have the same id, and whether that is certain.

An event that came before is found by its content, whichever transaction it is of. What is new goes by kind and time:

| what comes | whose it is |
|---|---|
| a start, and no start is known of the one it would be the start of | that one's |
| a start of the same moment and token as a known one | that one's, told differently |
| any other start | another transaction's: the station gave the id out again |
| anything else | the last one's to begin in whose time and free numbers it has a place; else the newest one's |

Nothing counts that is from after the end, or from before the start under a number that was there: whose it is, is in
doubt.

Spec: OCPP 2.0.1 E01.FR.08 (a station must not use a transactionId again)
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_session.transactions.domain.events import CLOCKLESS, Event
from chargebus_session.transactions.domain.fold import SETTLED_BEFORE, has_number
from chargebus_session.transactions.domain.sessions import IDENTITY_IN_DOUBT, Report, Session, summarize

CLOCKS_APART: Final = timedelta(minutes=1)
"""How far apart the times in one transaction may be without telling of another one: clocks are set."""


def meant(sessions: Sequence[Session], event: Event) -> Session | None:
    """Return the one of the sessions under one id that a new event is of, None if it is of another one.

    Args:
        sessions: the newest first.
        event: none that came before.
    """
    if event.kind == "Started":
        return next((session for session in sessions if _may_start(session, event)), None)
    if len(sessions) < 2:  # noqa: PLR2004 - the usual case
        return sessions[0] if sessions else None
    there = [session for session in sessions if _is_there(session, event)] or sessions
    fitting = [] if event.clockless else [session for session in there if _has_place(session, event)]
    return max(fitting, key=lambda session: session.begun_at) if fitting else there[0]


def charging(unfinished: Sequence[Session], report: Report) -> Session | None:
    """Return the session that a station ends without knowing its id: the only one that is charging there.

    It is by the same card, or none is presented, and neither its time nor its meter began after the end. Of several, it
    is the only one by the card that is presented.
    """
    token = report.event.token
    if len(unfinished) > 1:
        unfinished = [each for each in unfinished if token and each.fold.token and each.fold.token.key == token.key]
    if len(unfinished) != 1:
        return None
    [session] = unfinished
    event, fold = report.event, session.fold
    same_card = token is None or fold.token is None or token.key == fold.token.key
    began = session.begun_at <= event.happened_at + CLOCKS_APART
    lowest_wh = min((reading.wh for each in fold.registers.values() for reading in each.readings()), default=0.0)
    risen = all(sample.wh >= lowest_wh for sample in event.samples)
    return session if same_card and began and risen and session.version == report.version else None


def objection(session: Session, event: Event) -> str:
    """Return the flag that says why a new event of a session does not count; empty if it does."""
    fold = session.fold
    if event.kind == "Started":
        return IDENTITY_IN_DOUBT if fold.started and session.over else ""
    if fold.ended is not None and event.kind == "Ended":
        return SETTLED_BEFORE
    if event.clockless or not CLOCKLESS.isdisjoint(fold.flags):
        return ""
    if fold.ended is not None and event.at > fold.ended.at + CLOCKS_APART:
        return IDENTITY_IN_DOUBT
    early = fold.started is not None and event.at < fold.started.at - CLOCKS_APART
    return IDENTITY_IN_DOUBT if early and has_number(fold.seen, event.number) else ""


def starts_anew(session: Session, event: Event) -> bool:
    """Tell whether a start that equals a known one is another: without a clock they are all alike.

    It is the same one, sent again, as long as the station may lack our answer, and afterwards if the register tells:
    one that stood above 0 and rose since does not stand there again.
    """
    if event.kind != "Started" or not session.over or not event.clockless:
        return False
    summary = summarize(session.fold)
    start_wh, stop_wh = summary.meter_start_wh, summary.meter_stop_wh
    return not start_wh or stop_wh is None or stop_wh <= start_wh


def _is_there(session: Session, event: Event) -> bool:
    """Tell whether an event may be of the EVSE of a session: two transactions may go on at once under one id."""
    evse = session.fold.evse
    return evse is None or event.evse_id is None or evse.value == event.evse_id


def _has_place(session: Session, event: Event) -> bool:
    """Tell whether an event lies within a session's time, under a number that is free there."""
    fold = session.fold
    if event.happened_at < session.begun_at or has_number(fold.seen, event.number):
        return False
    if fold.ended is None:
        return True
    return event.number < fold.ended.number and event.at <= fold.ended.at + CLOCKS_APART


def _may_start(session: Session, event: Event) -> bool:
    """Tell whether a new start is that of a session."""
    fold = session.fold
    if fold.started is not None:
        return not event.clockless and event.at == fold.started.at and _same_token(session, event)
    if event.clockless:
        return True
    if fold.ended is not None:
        return event.at <= fold.ended.at
    return event.at <= fold.first_at + CLOCKS_APART


def _same_token(session: Session, event: Event) -> bool:
    token = session.fold.token
    return token is None or event.token is None or event.token.key == token.key
