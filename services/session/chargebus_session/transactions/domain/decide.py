"""Owns the decisions: what an event does to its session, and what its token is told."""

from typing import Final

import msgspec

from chargebus_session.tokens.domain import IdToken, Judgement, judge
from chargebus_session.transactions.domain import registers
from chargebus_session.transactions.domain.events import CLOCKLESS, TIMESTAMP_UNREADABLE, Event
from chargebus_session.transactions.domain.fold import Fold, flagged, merge
from chargebus_session.transactions.domain.sessions import TRANSACTION_ID_REUSED, Report, Session, issued, summarize
from chargebus_session.transactions.domain.state import (
    Change,
    Contradiction,
    FirstAnswer,
    Recorded,
    TransactionState,
    Use,
)

_TIME: Final = "time"
_METER_VALUE: Final = "meter value"


def record(state: TransactionState, report: Report) -> Recorded | bytes:
    """Decide what an event does to its session.

    The caller answers what is new and hands it to `state.keep`, answer and all.

    Returns:
        The session after the event, or, for an event that came before, what it was answered then.

    Spec: OCPP 1.6 4.8, 4.10 (never left unanswered), errata 3.18 (transactionId -1); OCPP 2.0.1 E01.FR.11, E13
    """
    session = state.session(report.station_id, report.reference)
    if session and _starts_anew(session, report):
        _give_up_start(state, session)
        session = None
    first = session and state.first_answer(session, report.event)
    if session and first:
        state.duplicates += 1
        _compare(state, session, first, report.event)
        return first.payload
    return _add(state, report, session)


def _starts_anew(session: Session, report: Report) -> bool:
    """Tell whether a start that equals a known one is another: without a clock they are all alike.

    It is the same one, sent again, only as long as the station may lack our answer. To end the transaction it had to
    have it, for the id.
    """
    if not report.reference.start or session.fold.ended is None:
        return False
    return not CLOCKLESS.isdisjoint(report.event.flags)


def _give_up_start(state: TransactionState, session: Session) -> None:
    """Leave what identifies a start to the next one."""
    state.change(Change(session, msgspec.structs.replace(session, start=""), summarize(session.fold)))


def _compare(state: TransactionState, session: Session, first: FirstAnswer, event: Event) -> None:
    """Note where an event that came again is not what came first.

    One that starts at another time a transaction that is over is of another transaction, whose id was there before.

    Spec: OCPP 2.0.1 E01.FR.08 (a station must not use a transactionId again)
    """
    other_time = first.at != event.at and TIMESTAMP_UNREADABLE not in event.flags
    if other_time or registers.contradict(session.fold.registers, event):
        state.contradictions.append(Contradiction(session, event, _TIME if other_time else _METER_VALUE))
    if other_time and event.kind == "Started" and session.fold.ended:
        _mark(state, session, event, TRANSACTION_ID_REUSED)


def _mark(state: TransactionState, session: Session, event: Event, flag: str) -> None:
    """Put a flag on a session, once."""
    if flag not in session.fold.flags:
        fold = flagged(session.fold, flag)
        state.change(Change(session, _updated(session, event, fold), summarize(fold)))


def _add(state: TransactionState, report: Report, session: Session | None) -> Recorded:
    event = _with_remote_start(state, report)
    judgement = None if event.token is None else _judge(state, session, report, event.token)
    fold = merge(session.fold if session else Fold(event.at, max_power_w=state.max_power_w), event, judgement)
    after = _new(state, report, fold) if session is None else _updated(session, event, fold)
    return Recorded(session, after, summarize(fold), event, judgement)


def _new(state: TransactionState, report: Report, fold: Fold) -> Session:
    reference, received_at = report.reference, report.event.received_at
    transaction_id = reference.transaction_id or state.issue.transaction_id()
    return Session(
        session_id=state.issue.session_id(),
        station_id=report.station_id,
        version=report.version,
        name=reference.names[-1] if reference.names else issued(transaction_id),
        start=reference.start,
        transaction_id=transaction_id,
        created_at=received_at,
        updated_at=received_at,
        fold=fold,
    )


def _updated(session: Session, event: Event, fold: Fold) -> Session:
    return msgspec.structs.replace(session, fold=fold, updated_at=max(session.updated_at, event.received_at))


def _with_remote_start(state: TransactionState, report: Report) -> Event:
    """Add the remote start that a station of OCPP 1.6 cannot name: an open one for this EVSE and token."""
    remote_start_id = state.take_remote_start(report) if report.reference.start else None
    if remote_start_id is None:
        return report.event
    return msgspec.structs.replace(report.event, remote_start_id=remote_start_id)


def _judge(state: TransactionState, session: Session | None, report: Report, presented: IdToken) -> Judgement:
    """Judge the token of an event: by what is known of it now, but for its expiry, as the event may have waited long.

    ConcurrentTx is told at whatever event brings the token to charge, not only at Started: else plugging in first
    would be a way round it. Across stations it is best effort: two starts at the same moment may not see each other.

    Spec: OCPP 2.0.1 AuthorizationStatusEnumType.ConcurrentTx; OCPP 1.6 7.2
    """
    token = state.token(presented.key)
    judgement = judge(presented, token, report.event.happened_at)
    if token is None or token.concurrent or judgement.status != "Accepted" or not report.event.starts:
        return judgement
    if any(_is_elsewhere(use, session, report) for use in state.uses(presented.key)):
        return msgspec.structs.replace(judgement, status="ConcurrentTx", billable=False)
    return judgement


def _is_elsewhere(use: Use, session: Session | None, report: Report) -> bool:
    """Tell whether a token's other session stands against this one.

    Not one on the same EVSE: there it must be over, though its end is still on the way. Not one that began later:
    then this event waited in a queue, and was first.
    """
    if session is not None and use.session_id == session.session_id:
        return False
    evse_id = session.fold.evse.value if session and session.fold.evse else report.event.evse_id
    return use.begun_at <= report.event.happened_at and (use.station_id, use.evse_id) != (report.station_id, evse_id)
