"""Owns reserving and cancelling: what is checked, what is asked of the station, and what is done as time goes on."""

from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_commanding import Ask, Commanding, Intents, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_session.metrics import Metrics
from chargebus_session.reservations import routes, store
from chargebus_session.reservations.domain.reservation import (
    BY_OPERATOR,
    CANCEL,
    NOT_ACCEPTED,
    RESERVE,
    Question,
    Reservation,
    Told,
    answered,
    asking,
    next_step,
    over,
    unwanted,
)
from chargebus_session.reservations.domain.room import Wanted, check_place, check_room
from chargebus_session.reservations.errors import (
    EndedError,
    OverError,
    TokenRefusedError,
    UnknownReservationError,
    UnknownStationError,
    UnknownTokenError,
)
from chargebus_session.tokens import store as tokens
from chargebus_session.tokens.domain import Token, judge, keys_meant, meant, token_key

_TIMEOUT_S: Final = 30.0
_TTL_S: Final = 60.0
_AT_ONCE: Final = 100
_UNKNOWN: Final = "See /v1/reservations for those there are."


class Reservations:
    """Reserves EVSEs, and sees to it that a station keeps what is shown, and nothing else."""

    def __init__(self, database: Database, commanding: Commanding, metrics: Metrics) -> None:
        self._database = database
        self._commanding = commanding
        self._metrics = metrics
        self._due = DueWork(database, _AT_ONCE, self._take, self._carry_out)

    async def reserve(self, wanted: Wanted, key: str | None) -> Reservation:
        """Ask a station to keep an EVSE; under the same key it is the same reservation.

        Raises:
            UnknownStationError, NoSuchPlaceError, OverError, UnknownTokenError, TokenRefusedError: it cannot be.
            ReservedError: others are in its way.
            KeyReusedError: something else was asked under the key.
        """
        content = (wanted.station_id, wanted.place, wanted.id_token, wanted.group_id, wanted.expires_at)
        async with self._database.transaction() as tx:
            await store.hold(tx.connection, wanted.station_id)
            before = await self._commanding.asked_before(tx, wanted.station_id, key, RESERVE, content)
            if before is not None:
                return await _locked(tx, int(before.subject))
            new = await self._new(tx, wanted)
            ask = Ask(
                new.station_id,
                RESERVE,
                routes.reserve_forms(new),
                _TIMEOUT_S,
                _TTL_S,
                subject=str(new.reservation_id),
                idempotency_key=key,
                content=content,
            )
            asked = await self._commanding.ask(tx, ask)
            new = asking(new, "reserve", asked.command_id)
            await store.add(tx.connection, new)
        self._metrics.reserved([new.state])
        return new

    async def cancel(self, reservation_id: int) -> Reservation:
        """Have a station give up a reservation, at once, or once it has answered what it is asked now.

        Raises:
            UnknownReservationError: there is none. EndedError: it is over.
        """
        async with self._database.transaction() as tx:
            reservation = await _locked(tx, reservation_id)
            if not reservation.is_open:
                reason = f"It is {reservation.state} since {reservation.changed_at}; there is nothing to cancel."
                raise EndedError(reason)
            if not reservation.cancel_reason:
                reservation = unwanted(reservation, BY_OPERATOR, tx.now)
                if not reservation.question:
                    reservation = await self._ask(tx, reservation, "cancel")
                await store.keep(tx.connection, [reservation])
        return reservation

    async def sweep(self) -> None:
        """Carry out what is due: ends, what has to be asked anew or cancelled."""
        await self._due.sweep()

    async def _new(self, tx: OwnTransaction, wanted: Wanted) -> Reservation:
        station = await store.station(tx.connection, wanted.station_id)
        if station is None:
            raise UnknownStationError(f"There is no station {wanted.station_id}. See /v1/stations for those there are.")
        if wanted.expires_at <= tx.now:
            raise OverError(f"{wanted.expires_at.isoformat()} has passed; say a later time.")
        check_place(wanted.place, station.evses)
        token = await _token(tx, wanted)
        check_room(wanted.place, await self._running(tx, wanted.station_id), station.evses)
        return Reservation(
            reservation_id=await store.next_id(tx.connection),
            station_id=wanted.station_id,
            evse_id=wanted.place.evse_id,
            connector_type=wanted.place.connector_type,
            id_token=token.id_token,
            id_token_type=token.type,
            token_key=token_key(token.id_token),
            group_id=wanted.group_id,
            expires_at=wanted.expires_at,
            created_at=tx.now,
            changed_at=tx.now,
        )

    async def _running(self, tx: OwnTransaction, station_id: str) -> list[Reservation]:
        """Return the open reservations of a station; those whose time is over end here, if not by the sweep before."""
        found = (await store.lock_of_stations(tx.connection, [station_id])).values()
        ended = [over(each, "expired", tx.now, "time") for each in found if each.expires_at <= tx.now]
        await store.keep(tx.connection, ended)
        self._metrics.reserved(each.state for each in ended)
        return [each for each in found if each.expires_at > tx.now]

    async def _take(self, tx: OwnTransaction, limit: int) -> Sequence[Reservation]:
        return await store.due(tx.connection, tx.now, limit)

    async def _carry_out(self, tx: OwnTransaction, due: Sequence[Reservation]) -> int:
        changed = [await self._step(tx, reservation) for reservation in due]
        await store.keep(tx.connection, changed)
        self._metrics.reserved(
            after.state for before, after in zip(due, changed, strict=True) if after.state != before.state
        )
        return len(due)

    async def _step(self, tx: OwnTransaction, reservation: Reservation) -> Reservation:
        is_due = reservation.due_at is not None and reservation.due_at <= tx.now
        if not is_due:  # it was taken for its token's sake
            reservation = unwanted(reservation, NOT_ACCEPTED, tx.now)
        step = next_step(reservation, tx.now)
        if step == "expire":
            return over(reservation, "expired", tx.now, "time")
        if step == "wait":
            return msgspec.structs.replace(reservation, due_at=reservation.expires_at)
        return await self._ask(tx, reservation, step)

    async def _ask(self, tx: OwnTransaction, reservation: Reservation, question: Question) -> Reservation:
        is_cancel = question == "cancel"
        forms = routes.cancel_forms(reservation) if is_cancel else routes.reserve_forms(reservation)
        intent, subject = CANCEL if is_cancel else RESERVE, str(reservation.reservation_id)
        ask = Ask(reservation.station_id, intent, forms, _TIMEOUT_S, _TTL_S, subject=subject)
        asked = await self._commanding.ask(tx, ask)
        return asking(reservation, question, asked.command_id)


class Answers:
    """Takes what stations answered about reservations."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @property
    def intents(self) -> Intents:
        """The rows of the table of intents."""
        return {RESERVE: self.ended, CANCEL: self.ended}

    async def ended(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Keep what came of asking; where something else is asked by now, it has nothing to do with that."""
        by_command = {each.command_id: each for each in outcomes}
        known = await store.lock(tx.connection, {int(each.subject) for each in outcomes})
        changed = [
            answered(each, _told(by_command[each.command_id]), tx.now)
            for each in known.values()
            if each.command_id in by_command and each.question
        ]
        await store.keep(tx.connection, changed)
        self._metrics.reserved(each.state for each in changed if each.state != known[each.reservation_id].state)


def _told(outcome: Outcome) -> Told:
    return Told(outcome.name, outcome.ended_at, outcome.status, outcome.why, outcome.broken, outcome.error_code)


async def _locked(tx: OwnTransaction, reservation_id: int) -> Reservation:
    found = (await store.lock(tx.connection, [reservation_id])).get(reservation_id)
    if found is None:
        raise UnknownReservationError(_UNKNOWN)
    return found


async def _token(tx: OwnTransaction, wanted: Wanted) -> Token:
    """Return the token that a reservation is for: the one that is said, or the first of the group.

    Raises:
        UnknownTokenError, TokenRefusedError: it cannot be for that.
    """
    text = wanted.id_token or await store.token_of_group(tx.connection, wanted.group_id, tx.now)
    if text is None:
        raise UnknownTokenError(f"No token of the group {wanted.group_id} may charge. See /v1/tokens?group_id=.")
    token = meant(text, await tokens.load(tx.connection, keys_meant(text)))
    if token is None:
        raise UnknownTokenError(f"The token {text} is not registered. Register it with POST /v1/tokens first.")
    if wanted.group_id not in ("", token.group_id):
        raise UnknownTokenError(f"The token {text} is not of the group {wanted.group_id}.")
    status = judge(token.itself, token, tx.now).status
    if status != "Accepted":
        raise TokenRefusedError(f"The token {text} may not charge: {status}.")
    return token
