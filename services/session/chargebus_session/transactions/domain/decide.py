"""Owns the decisions: what an event does to its session, and what its token is told."""

from collections.abc import Sequence
from typing import Final

import msgspec

from chargebus_session.tokens.domain import IdToken, Judgement, Token, judge
from chargebus_session.transactions.domain import registers
from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, Event
from chargebus_session.transactions.domain.fold import Fold, flagged, merge
from chargebus_session.transactions.domain.identity import charging, meant, objection, starts_anew
from chargebus_session.transactions.domain.sessions import (
    IDENTITY_IN_DOUBT,
    TRANSACTION_ID_REUSED,
    Report,
    Session,
    issued,
    reused_prefix,
    settled_anew,
    summarize,
)
from chargebus_session.transactions.domain.state import (
    Change,
    Contradiction,
    Recorded,
    Refusal,
    TransactionState,
    Use,
)

_TIME: Final = "time"
_METER_VALUE: Final = "meter value"
_CONTENT: Final = "content"


def record(state: TransactionState, report: Report) -> Recorded | bytes:
    """Decide what an event does to its session.

    The caller answers what is new and hands it to `state.keep`, answer and all.

    Returns:
        The session after the event, or, for an event that came before, what it was answered then.

    Spec: OCPP 1.6 4.8, 4.10 (never left unanswered), errata 3.18 (transactionId -1); OCPP 2.0.1 E01.FR.11, E13
    """
    report = _by_contract(state, report)
    event = report.event
    named = state.sessions(report.station_id, report.reference)
    for known in named:
        first = state.first_answer(known, event)
        if first is not None and not starts_anew(known, event):
            state.duplicates += 1
            return first.payload
    if report.reference.start:
        return _start(state, report, named)
    session = meant(named, event) if named else _guessed(state, report)
    if session is None:
        return _begin(state, report, named)
    return _add(state, report, session)


def _by_contract(state: TransactionState, report: Report) -> Report:
    """Have a token whose station does not tell that it is an eMAID be the same as with those that do."""
    presented = report.event.token
    token = None if presented is None or presented.type else state.token(presented)
    if presented is None or token is None or not token.itself.is_contract:
        return report
    same = msgspec.structs.replace(presented, key=token.itself.key)
    return msgspec.structs.replace(report, event=msgspec.structs.replace(report.event, token=same))


def _guessed(state: TransactionState, report: Report) -> Session | None:
    """Return the session that a station may mean by a name that finds none: the one that is charging."""
    if not report.reference.guessed:
        return None
    guessed = charging(state.unfinished(report.station_id), report)
    if guessed is not None:
        state.name(guessed, report.reference.names[-1])
    return guessed


def _start(state: TransactionState, report: Report, known: Sequence[Session]) -> Recorded:
    """Begin a transaction whose id we issue; one that equals it and is over leaves to it what identifies a start."""
    for session in known:
        state.change(Change(session, msgspec.structs.replace(session, start=""), summarize(session.fold)))
    return _add(state, report, None)


def _begin(state: TransactionState, report: Report, known: Sequence[Session]) -> Recorded:
    """Begin a transaction whose id the station made up; where that is another one's, both are marked and told apart."""
    if not known:
        return _add(state, report, None)
    for session in known:
        if session.is_current:
            _leave_id(state, session, report.event)
    begun = _add(state, report, None)
    fold = flagged(begun.session.fold, TRANSACTION_ID_REUSED)
    session = msgspec.structs.replace(begun.session, fold=fold)
    return msgspec.structs.replace(begun, session=session, summary=summarize(fold))


def _leave_id(state: TransactionState, session: Session, event: Event) -> None:
    name = f"{reused_prefix(session.transaction_id)}{session.session_id}"
    fold = flagged(session.fold, TRANSACTION_ID_REUSED)
    left = msgspec.structs.replace(_updated(session, event, fold), name=name)
    state.change(Change(session, left, summarize(fold)))


def _add(state: TransactionState, report: Report, session: Session | None) -> Recorded:
    event = _with_remote_start(state, report)
    judgement = None if event.token is None else _judge(state, session, report, event, event.token)
    if session is None:
        fold = _held(state, report, None, merge(Fold(event.at, max_power_w=state.max_power_w), event, judgement))
        doubted = report.reference.guessed and bool(state.unfinished(report.station_id))
        after = _new(state, report, flagged(fold, IDENTITY_IN_DOUBT) if doubted else fold)
        return Recorded(None, after, summarize(after.fold), event, judgement)
    objected = objection(session, event)
    if objected:
        fold = flagged(session.fold, objected)
    else:
        fold = _held(state, report, session.fold, merge(session.fold, event, judgement))
    fold = settled_anew(session, fold, event.received_at)
    after = _updated(session, event, fold)
    again = _is_namesake(state, session, event)
    return Recorded(session, after, summarize(fold), event, judgement, again=again, counts=not objected)


def _held(state: TransactionState, report: Report, before: Fold | None, fold: Fold) -> Fold:
    """Hold a transaction to the largest power of its place as that is known when the place is told."""
    if fold.evse is None or (before is not None and before.place == fold.place):
        return fold
    return msgspec.structs.replace(fold, max_power_w=state.power_limit(report.station_id, *fold.place))


def _is_namesake(state: TransactionState, session: Session, event: Event) -> bool:
    """Tell whether another event had the number and kind of a new one, and note in what they differ."""
    first = state.namesake(session, event)
    if first is None:
        return False
    other_time = first.at != event.at and TIMESTAMP_UNREADABLE not in event.flags
    other_value = registers.contradict(session.fold.registers, event)
    about = _TIME if other_time else _METER_VALUE if other_value else _CONTENT
    state.contradictions.append(Contradiction(session, event, about))
    return True


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
    """Add the remote start that a station of OCPP 1.6 cannot name: an open one for this EVSE and token.

    A station that names one and no token charges for whom the remote start named.

    Spec: OCPP 2.0.1 F01.FR.25, F02.FR.01 (remoteStartId); there idToken should come along, and does not always
    """
    event = report.event
    remote_start_id = state.take_remote_start(report) if report.reference.start else None
    if remote_start_id is not None:
        return msgspec.structs.replace(event, remote_start_id=remote_start_id)
    named = state.named_token(report) if event.tells_nobody else None
    return event if named is None else msgspec.structs.replace(event, token=named, starts=True, by_remote_start=True)


def _judge(
    state: TransactionState, session: Session | None, report: Report, event: Event, presented: IdToken
) -> Judgement:
    """Judge the token of an event: by what is known of it now, but for its expiry, as the event may have waited long.

    A contract whose certificate was refused at this station is refused with the word that it was told there.

    ConcurrentTx is told at whatever event brings the token to charge, not only at Started: else plugging in first
    would be a way round it. Across stations it is best effort: two starts at the same moment may not see each other.

    Spec: OCPP 2.0.1 AuthorizationStatusEnumType.ConcurrentTx, C07.FR.16, C07.FR.17; OCPP 1.6 7.2
    """
    token = state.token(presented)
    judgement = judge(presented, token, report.event.happened_at)
    if token is None or judgement.status != "Accepted" or not report.event.starts:
        return judgement
    refusal = _refusal(state, session, report, event, token)
    if refusal is not None:
        return msgspec.structs.replace(judgement, status=refusal.status, billable=False)
    if token.concurrent:
        return judgement
    if any(_is_elsewhere(use, session, report) for use in state.uses(presented.key)):
        return msgspec.structs.replace(judgement, status="ConcurrentTx", billable=False)
    return judgement


def _refusal(
    state: TransactionState, session: Session | None, report: Report, event: Event, token: Token
) -> Refusal | None:
    """Return why a contract may not charge though its token may; where an operator started it since, it may.

    Not what its station was told after the contract had begun to charge: somebody else may have shown another
    certificate with the contract's name. What waited in the station's queue may be from before that, too.
    """
    refusal = state.refusal(report.station_id, token.itself.key)
    if refusal is None or refusal.is_outweighed_by(event.remote_start_id, session):
        return None
    if session is not None and event.token is not None and session.fold.is_charged_to(event.token.key):
        return None
    at = event.happened_at if event.offline else event.received_at
    return refusal if at >= refusal.shown_at else None


def _is_elsewhere(use: Use, session: Session | None, report: Report) -> bool:
    """Tell whether a token's other session stands against this one.

    Not one on the same EVSE: there it must be over, though its end is still on the way. Not one that began later:
    then this event waited in a queue, and was first.
    """
    if session is not None and use.session_id == session.session_id:
        return False
    evse_id = session.fold.evse.value if session and session.fold.evse else report.event.evse_id
    return use.begun_at <= report.event.happened_at and (use.station_id, use.evse_id) != (report.station_id, evse_id)
