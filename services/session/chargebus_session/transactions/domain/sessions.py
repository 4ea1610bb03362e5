"""Owns charging sessions: how a transaction is identified, and what is known of one."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_session.transactions.domain.energy import Energy, Span, measured
from chargebus_session.transactions.domain.events import CLOCKLESS, STEPS, Event, corrected
from chargebus_session.transactions.domain.fold import Correction, Fold, flagged, gaps

CLOCK_WENT_BACK: Final = "clock_went_back"
TRANSACTION_ID_REUSED: Final = "transaction_id_reused"
IDENTITY_IN_DOUBT: Final = "identity_in_doubt"
SETTLED_ANEW: Final = "settled_anew"
END_UNKNOWN: Final = "end_unknown"
SECOND_PAYER: Final = "second_token"
PAYER_FROM_REMOTE_START: Final = "token_from_remote_start"
USUAL_REASON: Final = "Local"
NOTHING_SAID: Final = Correction()

State = Literal["active", "ended"]


class Reference(msgspec.Struct, frozen=True):
    """How a report names its transaction; all names are of one station.

    `names` are looked up in turn, and the last one becomes the name of a session that none of them finds. Where we
    issue the transaction id, `names` and `transaction_id` are empty, and `start` is what tells the start from others.
    `guessed`: where none is found, the station may not have known the id that we gave it.
    """

    names: tuple[str, ...] = ()
    transaction_id: str = ""
    start: str = ""
    guessed: bool = False


def issued(transaction_id: str) -> str:
    """Return the name of a transaction whose id we issued: apart from ids that stations make up."""
    return f"issued/{transaction_id}"


def of_station(transaction_id: str) -> str:
    """Return the name of a transaction whose id its station made up."""
    return f"station/{transaction_id}"


def reused_prefix(transaction_id: str) -> str:
    """Return how the names begin of all sessions whose transaction id was given to another transaction since."""
    return f"reused/{transaction_id}/"


class Report(msgspec.Struct, frozen=True):
    """A station reports an event of a transaction."""

    station_id: str
    version: str
    reference: Reference
    event: Event


class Session(msgspec.Struct, frozen=True):
    """A charging session: its identity and the sum of its events; the first and newest time we heard of it."""

    session_id: str
    station_id: str
    version: str
    name: str
    start: str
    transaction_id: str
    created_at: datetime
    updated_at: datetime
    fold: Fold

    @property
    def begun_at(self) -> datetime:
        """Its start, or the earliest time known of it, by the station's clock as far as that can be right."""
        begun_at = self.fold.started.at if self.fold.started else self.fold.first_at
        return corrected(begun_at, self.created_at, self.fold.flags)

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.fold.over

    @property
    def is_current(self) -> bool:
        """Whether its transaction id is still its own, as far as is known."""
        return not self.name.startswith(reused_prefix(self.transaction_id))


class Summary(msgspec.Struct, frozen=True):
    """A session as it is shown; `begun_at` is its start, or the earliest time known of it."""

    state: State
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    evse_id: int
    connector_id: int
    id_token: str
    id_token_type: str
    token_key: str
    token_group: str
    token_status: str
    billable: bool
    meter_start_wh: float | None
    meter_stop_wh: float | None
    energy_wh: float | None
    energy_source: str
    stop_reason: str
    charging_state: str
    remote_start_id: int | None
    gaps: tuple[tuple[int, int], ...]
    missing: tuple[str, ...]
    flags: tuple[str, ...]


def summarize(fold: Fold) -> Summary:
    """Return what the events add up to.

    Spec: OCPP 1.6 4.10 and 2.0.1 TransactionType.stoppedReason (may only be left out when the reason is Local)
    """
    said = fold.correction or NOTHING_SAID
    token = said.payer or fold.token
    started_at, ended_at = _times(fold, said)
    lasted = duration(started_at, ended_at)
    energy = _energy(fold, said, started_at, lasted)
    return Summary(
        state="ended" if fold.over else "active",
        begun_at=started_at or fold.first_at,
        started_at=started_at,
        ended_at=ended_at,
        evse_id=fold.evse.value if fold.evse else 0,
        connector_id=fold.connector.value if fold.connector else 0,
        id_token=token.text if token else "",
        id_token_type=token.type if token else "",
        token_key=token.key if token else "",
        token_group=token.group_id if token else "",
        token_status=token.status if token else "",
        billable=said.billable if said.billable is not None else token is not None and token.billable,
        meter_start_wh=energy.meter_start_wh,
        meter_stop_wh=energy.meter_stop_wh,
        energy_wh=energy.energy_wh,
        energy_source=energy.source,
        stop_reason=_stop_reason(fold),
        charging_state=_charging_state(fold),
        remote_start_id=fold.remote_start.value if fold.remote_start else None,
        gaps=gaps(fold.seen),
        missing=() if fold.started else ("started",),
        flags=_flags(fold, energy, lasted, ended_at),
    )


def settled_anew(session: Session, fold: Fold, received_at: datetime) -> Fold:
    """Return what a late message made of a session, marked where it changed an energy that stood after the end.

    What reached us before the end's message did is not late, in whatever order we read them.
    """
    if session.fold.ended is None or received_at <= session.updated_at:
        return fold
    before_wh = energy_of(session.fold).energy_wh
    changed = before_wh is not None and before_wh != energy_of(fold).energy_wh
    return flagged(fold, SETTLED_ANEW) if changed else fold


def energy_of(fold: Fold) -> Energy:
    """Return a session's energy alone: all of the summary that readings from outside can change."""
    said = fold.correction or NOTHING_SAID
    started_at, ended_at = _times(fold, said)
    return _energy(fold, said, started_at, duration(started_at, ended_at))


def _times(fold: Fold, said: Correction) -> tuple[datetime | None, datetime | None]:
    return (
        said.started_at or (fold.started.at if fold.started else None),
        said.ended_at or (fold.ended.at if fold.ended else None),
    )


def _energy(fold: Fold, said: Correction, started_at: datetime | None, lasted: timedelta | None) -> Energy:
    span = Span(fold.over, started_at, lasted, _is_clockless(fold), fold.max_power_w)
    return said.energy or measured(fold.registers, fold.intervals, span)


def duration(started_at: datetime | None, ended_at: datetime | None) -> timedelta | None:
    """Return the time between start and end by the station's clock, None while one of them is unknown."""
    return None if started_at is None or ended_at is None else ended_at - started_at


def _is_clockless(fold: Fold) -> bool:
    return bool(fold.flags) and not CLOCKLESS.isdisjoint(fold.flags)


def _charging_state(fold: Fold) -> str:
    """Return the newest state there is; of a transaction that is over what its end said: an older one holds no more."""
    said = fold.charging
    return "" if said is None or (fold.over and said.step != STEPS["Ended"]) else said.text


def _stop_reason(fold: Fold) -> str:
    if fold.reason:
        return fold.reason.text
    return USUAL_REASON if fold.ended else ""


def _flags(fold: Fold, energy: Energy, lasted: timedelta | None, ended_at: datetime | None) -> tuple[str, ...]:
    found = {*fold.flags, *energy.flags}
    if fold.over and ended_at is None:
        found.add(END_UNKNOWN)
    if lasted is not None and lasted < timedelta(0):
        found.add(CLOCK_WENT_BACK)
    if fold.second is not None and fold.second.shown:
        found.add(SECOND_PAYER)
    if fold.token is not None and fold.token.by_remote_start:
        found.add(PAYER_FROM_REMOTE_START)
    return tuple(sorted(found))
