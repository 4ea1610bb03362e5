"""Owns what becomes of a session by a decision that is not its station's: a rule's or an operator's.

What the station said stays as it is, beneath: what it says later still adds up, and shows where nobody said otherwise.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from chargebus_session.tokens.domain import Token
from chargebus_session.transactions.domain.energy import Energy
from chargebus_session.transactions.domain.fold import Closing, Correction, Fold, TokenMark, flagged
from chargebus_session.transactions.domain.sessions import NOTHING_SAID, Session, Summary, summarize
from chargebus_session.transactions.domain.state import Change
from chargebus_session.transactions.errors import EndedAlreadyError, ImpossibleError, NotEndedError

Action = Literal["end", "correct", "reopen"]

ENDED_BY_RULE: Final = "ended_by_rule"
ENDED_BY_OPERATOR: Final = "ended_by_operator"
CORRECTED: Final = "corrected"
REOPENED: Final = "reopened"
OPERATOR: Final = "operator"
RULE: Final = "rule"


class Values(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody says of a session; None: nothing."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    energy_wh: float | None = None
    billable: bool | None = None


class Decision(msgspec.Struct, frozen=True):
    """What was decided about a session, by whom (an API key, or a rule) and why; `number` counts a session's."""

    session_id: str
    number: int
    action: Action
    decided_by: str
    reason: str
    decided_at: datetime
    said: dict[str, object]


def end(session: Session, said: Values, now: datetime) -> Change:
    """End a session for good, with the energy that is known by now.

    Raises:
        EndedAlreadyError: it is over. ImpossibleError: the values cannot be true together.
    """
    if session.over:
        raise EndedAlreadyError("It is over; correct it, or reopen it first.")
    known = summarize(session.fold)
    _check_times(known, said, now)
    energy = _energy(known, said) or _measured(known)
    correction = Correction(ended_at=said.ended_at, energy=energy)
    return _changed(session, ENDED_BY_OPERATOR, now, closing=Closing(now, settled=True), correction=correction)


def end_by_rule(session: Session, at: datetime, now: datetime) -> Change:
    """Take a session for ended, though nobody knows when, until its station says something of it from after `at`."""
    return _changed(session, ENDED_BY_RULE, now, closing=Closing(at, settled=False))


def correct(session: Session, said: Values, payer: Token | None, now: datetime) -> Change:
    """Say otherwise of a session that is over; what was said of it before stays where nothing is said now.

    Raises:
        NotEndedError: it goes on. ImpossibleError: the values cannot be true together.
    """
    if not session.over:
        raise NotEndedError("It goes on; end it first.")
    known = summarize(session.fold)
    _check_times(known, said, now)
    before = session.fold.correction or NOTHING_SAID
    correction = Correction(
        started_at=said.started_at or before.started_at,
        ended_at=said.ended_at or before.ended_at,
        energy=_energy(known, said) or before.energy,
        payer=_payer(payer) if payer else before.payer,
        billable=before.billable if said.billable is None else said.billable,
    )
    return _changed(session, CORRECTED, now, correction=correction)


def reopen(session: Session, now: datetime) -> Change:
    """Let a session go on that is over; what was said of it by others than its station is forgotten.

    Raises:
        NotEndedError: it goes on.
    """
    if not session.over:
        raise NotEndedError("It goes on.")
    return _changed(session, REOPENED, now, ended=None, reason=None, closing=None, correction=None)


def _changed(session: Session, flag: str, now: datetime, **changes: object) -> Change:
    fold: Fold = flagged(msgspec.structs.replace(session.fold, **changes), flag)
    after = msgspec.structs.replace(session, fold=fold, updated_at=max(session.updated_at, now))
    return Change(session, after, summarize(fold))


def _check_times(known: Summary, said: Values, now: datetime) -> None:
    started_at, ended_at = said.started_at or known.started_at, said.ended_at or known.ended_at
    if any(at > now for at in (said.started_at, said.ended_at) if at is not None):
        raise ImpossibleError("A time lies in the future.")
    told = said.started_at is not None or said.ended_at is not None
    if told and started_at is not None and ended_at is not None and ended_at < started_at:
        raise ImpossibleError(f"It would end ({ended_at}) before it began ({started_at}).")


def _energy(known: Summary, said: Values) -> Energy | None:
    """Return the energy that is said, None if none is."""
    if said.meter_start_wh is said.meter_stop_wh is said.energy_wh is None:
        return None
    start_wh = known.meter_start_wh if said.meter_start_wh is None else said.meter_start_wh
    stop_wh = known.meter_stop_wh if said.meter_stop_wh is None else said.meter_stop_wh
    if said.energy_wh is not None and (said.meter_start_wh is None or said.meter_stop_wh is None):
        return Energy(start_wh, stop_wh, said.energy_wh, OPERATOR)
    if start_wh is None or stop_wh is None:
        raise ImpossibleError("One of the meter's values is not known: give both, or the energy.")
    risen_wh = round(stop_wh - start_wh, 3)
    if risen_wh < 0:
        raise ImpossibleError(f"The meter would go back, from {start_wh} to {stop_wh} Wh; give the energy instead.")
    if said.energy_wh is not None and said.energy_wh != risen_wh:
        raise ImpossibleError(f"The meter's values say {risen_wh} Wh, and energy_wh says {said.energy_wh}.")
    return Energy(start_wh, stop_wh, risen_wh, OPERATOR)


def _measured(known: Summary) -> Energy | None:
    """Return the energy as it is known, so that it stays so; None where it is not."""
    if known.energy_wh is None:
        return None
    return Energy(known.meter_start_wh, known.meter_stop_wh, known.energy_wh, known.energy_source)


def _payer(token: Token) -> TokenMark:
    return TokenMark(
        0, 0, 0, token.id_token, token.type, token.itself.key, "Accepted", billable=True, group_id=token.group_id
    )
