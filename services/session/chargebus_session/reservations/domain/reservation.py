"""Owns the life of a reservation: what its station was asked and said, its use, and its end.

| state | what |
|---|---|
| asked | the station is being asked, and has not answered |
| reserved | the station keeps an EVSE |
| unknown | nobody knows whether it does: it did not answer, or booted since; it is asked again, or asked to cancel |
| refused | the station said no (`reason` is its word), or was never reached |
| used | a transaction of whom it was for began |
| cancelled | by an operator, because its token may not charge any more, or as the station did not answer |
| expired | its time is over |
| removed | the station gave it up (a fault), no longer takes it after a boot, or is no more |

The first three are open: they take room.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_session.tokens.domain import IdToken, id_token

State = Literal["asked", "reserved", "unknown", "refused", "used", "cancelled", "expired", "removed"]
Question = Literal["", "reserve", "cancel"]
Step = Literal["expire", "reserve", "cancel", "wait"]

OPEN: Final[tuple[State, ...]] = ("asked", "reserved", "unknown")
STATES: Final[tuple[State, ...]] = (*OPEN, "refused", "used", "cancelled", "expired", "removed")
ANY_EVSE: Final = 0

RESERVE: Final = "reserve"
CANCEL: Final = "cancel_reservation"

BY_OPERATOR: Final = "operator"
NOT_ACCEPTED: Final = "token_refused"
NO_ANSWER: Final = "no_answer"
BOOT: Final = "boot"
STATION_REMOVED: Final = "station_removed"

CLOCKS_APART: Final = timedelta(minutes=1)
"""How far a station's clock may be behind ours."""

_ACCEPTED: Final = "Accepted"
_ENDED_BY_UPDATE: Final[dict[str, State]] = {"Expired": "expired"}
_ATTEMPTS: Final = 5
_SOONEST: Final = timedelta(seconds=15)
_LONGEST_DOUBLING: Final = 6


class Reservation(msgspec.Struct, frozen=True):
    """An EVSE (0: any of the station) kept until `expires_at` for a token, and for its group if `group_id` is said.

    Attributes:
        connector_type: a connector of this type, empty: any.
        reason: why it is in its state, as a word: the station's own, or one of ours; `detail` says more.
        reserved_at: when the station last said yes.
        question: what the station is being asked, by `command_id`.
        cancel_reason: why it is to be cancelled; empty while it is wanted.
        attempts: how often it was asked since it last answered.
        due_at: when it is looked at next; None once it is over.
        set_anew: how often the station was told it again after a boot, or silence, and took it.
        session_id: the session that used it.
    """

    reservation_id: int
    station_id: str
    evse_id: int
    connector_type: str
    id_token: str
    id_token_type: str
    token_key: str
    group_id: str
    expires_at: datetime
    created_at: datetime
    changed_at: datetime
    state: State = "asked"
    reason: str = ""
    detail: str = ""
    reserved_at: datetime | None = None
    question: Question = ""
    command_id: str = ""
    cancel_reason: str = ""
    attempts: int = 0
    due_at: datetime | None = None
    set_anew: int = 0
    session_id: str = ""

    @property
    def token(self) -> IdToken:
        """The token as whoever presents it shows it."""
        return id_token(self.id_token, self.id_token_type)

    @property
    def is_open(self) -> bool:
        """Whether it takes room."""
        return self.state in OPEN

    def serves(self, token_key: str, group_id: str) -> bool:
        """Tell whether a token with this key and group may use it."""
        return token_key == self.token.key or (bool(group_id) and group_id == self.group_id)


class Told(msgspec.Struct, frozen=True):
    """What came of asking a station: `outcome` is that of the command, at `at`, `status` the station's word."""

    outcome: str
    at: datetime
    status: str = ""
    why: str = ""
    broken: bool = False
    error_code: str = ""


class StatusUpdate(msgspec.Struct, frozen=True):
    """A station tells by itself that a reservation is over; `status` is its word for why."""

    station_id: str
    reservation_id: int
    status: str


class Begun(msgspec.Struct, frozen=True):
    """A transaction that began, or that a token was shown for; `reservation_id` if its station names one."""

    station_id: str
    session_id: str
    evse_id: int
    at: datetime
    token_key: str = ""
    group_id: str = ""
    reservation_id: int | None = None


def asking(reservation: Reservation, question: Question, command_id: str) -> Reservation:
    """Return a reservation whose station is being asked; what comes of the command makes it due, or its end does."""
    return msgspec.structs.replace(
        reservation,
        question=question,
        command_id=command_id,
        attempts=reservation.attempts + 1,
        due_at=reservation.expires_at,
    )


def answered(reservation: Reservation, told: Told, now: datetime) -> Reservation:
    """Return a reservation after its station answered what it was asked, or did not.

    Spec: OCPP 1.6 5.1, 5.13; OCPP 2.0.1 H01, H02
    """
    if not reservation.is_open:
        return reservation
    question, asked = reservation.question, msgspec.structs.replace(reservation, question="")
    if told.outcome == "answered" and told.status and not told.broken:
        return _cancelled(asked, told, now) if question == "cancel" else _taken(asked, told, now)
    never_reached = told.outcome in ("undeliverable", "expired", "refused")
    if question == "reserve" and reservation.state == "asked" and never_reached:
        if reservation.cancel_reason:
            return over(asked, "cancelled", now, reservation.cancel_reason, "the station was never asked")
        return over(asked, "refused", now, told.error_code or told.outcome, told.why)
    return _unknown(asked, told, now)


def _taken(reservation: Reservation, told: Told, now: datetime) -> Reservation:
    if told.status == _ACCEPTED:
        return msgspec.structs.replace(
            reservation,
            state="reserved",
            reason="",
            detail="",
            changed_at=now,
            reserved_at=told.at,
            attempts=0,
            due_at=now if reservation.cancel_reason else reservation.expires_at,
            set_anew=reservation.set_anew + (1 if reservation.reserved_at else 0),
        )
    if reservation.cancel_reason:
        return over(reservation, "cancelled", now, reservation.cancel_reason, f"the station said {told.status}")
    return over(reservation, "removed" if reservation.reserved_at else "refused", now, told.status, told.why)


def _cancelled(reservation: Reservation, told: Told, now: datetime) -> Reservation:
    known = told.status == _ACCEPTED
    detail = "" if known else f"the station said {told.status}: it had no such reservation any more"
    return over(reservation, "cancelled", now, reservation.cancel_reason, detail)


def _unknown(reservation: Reservation, told: Told, now: datetime) -> Reservation:
    waited = _SOONEST * 2 ** min(reservation.attempts, _LONGEST_DOUBLING)
    is_silent = told.outcome in ("timed_out", "answered") and reservation.attempts >= _ATTEMPTS
    return msgspec.structs.replace(
        reservation,
        state="unknown",
        reason=told.error_code or told.outcome,
        detail=told.why,
        changed_at=now,
        due_at=min(now + waited, reservation.expires_at),
        cancel_reason=reservation.cancel_reason or (NO_ANSWER if is_silent else ""),
    )


def over(reservation: Reservation, state: State, now: datetime, reason: str, detail: str = "") -> Reservation:
    """Return a reservation that has come to its end."""
    return msgspec.structs.replace(
        reservation, state=state, reason=reason, detail=detail, changed_at=now, question="", due_at=None
    )


def unwanted(reservation: Reservation, reason: str, now: datetime) -> Reservation:
    """Return a reservation that is to be cancelled: at once, or once its station has answered what it is asked now."""
    due_at = reservation.expires_at if reservation.question else now
    return msgspec.structs.replace(reservation, cancel_reason=reason, attempts=0, due_at=due_at)


def next_step(reservation: Reservation, now: datetime) -> Step:
    """Return what is done about an open reservation that is due."""
    if reservation.expires_at <= now:
        return "expire"
    if reservation.question:
        return "wait"
    if reservation.cancel_reason:
        return "cancel"
    return "reserve" if reservation.state == "unknown" else "wait"


def updated(reservation: Reservation, status: str, now: datetime) -> Reservation:
    """Return a reservation after its station told its end by itself.

    Spec: OCPP 2.0.1 H04, ReservationUpdateStatusEnumType (Expired, Removed; 2.1: NoTransaction)
    """
    if not reservation.is_open:
        return reservation
    return over(reservation, _ENDED_BY_UPDATE.get(status, "removed"), now, status)


def booted(reservation: Reservation, at: datetime, now: datetime) -> Reservation:
    """Return a reservation whose station booted at `at`: it may have forgotten it, and is asked anew.

    A boot from before the station said yes has nothing to say.
    """
    reserved_at = reservation.reserved_at
    if not reservation.is_open or reserved_at is None or at < reserved_at:
        return reservation
    due_at = reservation.due_at if reservation.question else now
    return msgspec.structs.replace(reservation, state="unknown", reason=BOOT, detail="", changed_at=now, due_at=due_at)


def used(reservation: Reservation, begun: Begun, now: datetime) -> Reservation:
    """Return a reservation after a transaction began that may have used it.

    One that names it has used it, also if it was taken for over before the news came. One that names none has, if it is
    of whom the reservation is for, at a place that it keeps, and not from before it was asked for.

    Spec: OCPP 1.6 4.8 (reservationId), 5.13; OCPP 2.0.1 H03, TransactionEventRequest.reservationId
    """
    if begun.station_id != reservation.station_id or reservation.state in ("used", "refused"):
        return reservation
    named = begun.reservation_id == reservation.reservation_id
    if not named and not (reservation.is_open and _may_use(reservation, begun)):
        return reservation
    by = "reservation_id" if named else "id_token" if begun.token_key == reservation.token.key else "group_id"
    return msgspec.structs.replace(over(reservation, "used", now, by), session_id=begun.session_id)


def _may_use(reservation: Reservation, begun: Begun) -> bool:
    """Tell whether a transaction that names no reservation may be of this one."""
    if begun.reservation_id is not None or not begun.token_key:
        return False
    if begun.at < reservation.created_at - CLOCKS_APART:
        return False
    there = reservation.evse_id in (ANY_EVSE, begun.evse_id)
    return there and reservation.serves(begun.token_key, begun.group_id)
