"""Owns remote starts and stops: who may start, what is asked of the station, and waiting for what becomes of it."""

from dataclasses import dataclass, replace
from typing import Final

from chargebus_commanding import Ask, Asked, Commanding, Outcome
from chargebus_runtime.database import Database, Transaction

from chargebus_session.remote import store
from chargebus_session.remote.domain import START, STOP, ProfileOfStart, RemoteStart, Start, Stop
from chargebus_session.remote.errors import (
    EvseReservedError,
    NoSessionError,
    SessionEndedError,
    TokenInUseError,
    TokenRefusedError,
)
from chargebus_session.remote.routes import start_forms, stop_forms
from chargebus_session.reservations import store as reservations
from chargebus_session.tokens.domain import EMAID, Status, Token, id_token, judge, meant, token_key
from chargebus_session.transactions.domain.state import Known
from chargebus_session.transactions.store import batch, sessions

_GRACE_S: Final = 2.0
_ADVICE: Final[dict[Status, str]] = {
    "Unknown": "Register it with POST /v1/tokens first.",
    "Blocked": "Unblock it with PATCH /v1/tokens/… first.",
    "Expired": "Give it a later expiry with PATCH /v1/tokens/… first.",
}


@dataclass(frozen=True)
class Patience:
    """How long the station may take to answer, how long it is waited for, and whether the caller waits as well.

    Under the same `idempotency_key` the same is asked once.
    """

    timeout_s: float
    ttl_s: float
    wait: bool
    idempotency_key: str | None = None

    def applied_to(self, ask: Ask) -> Ask:
        """Return what is asked with these times and this key."""
        return replace(ask, timeout_s=self.timeout_s, ttl_s=self.ttl_s, idempotency_key=self.idempotency_key)


@dataclass(frozen=True)
class StartWanted:
    """Where charging is to start, for which token, under which profile."""

    station_id: str
    evse_id: int
    id_token: str
    profile: ProfileOfStart | None = None


class RemoteControl:
    """Asks stations to start and stop charging; knows neither the version that they speak nor where they are."""

    def __init__(self, database: Database, commanding: Commanding) -> None:
        self._database = database
        self._commanding = commanding

    async def start(self, wanted: StartWanted, patience: Patience) -> tuple[Asked, Outcome | None]:
        """Have a station start charging; its outcome comes along if the caller waits and it comes in time.

        Raises:
            TokenRefusedError, TokenInUseError: the token may not charge there.
            EvseReservedError: the EVSE is kept for another token.
            KeyReusedError: something else was asked under the idempotency key.
        """
        station_id, evse_id, key = wanted.station_id, wanted.evse_id, id_token(wanted.id_token).key
        profile = () if wanted.profile is None else (wanted.profile,)
        content = (evse_id, key, patience.timeout_s, patience.ttl_s, *profile)
        async with self._database.transaction() as tx:
            asked = await self._commanding.asked_before(tx, station_id, patience.idempotency_key, START, content)
            if asked is None:
                ways = {id_token(wanted.id_token), id_token(wanted.id_token, EMAID)}
                known = await batch.load(tx.connection, ways, ())
                token = _usable(known, wanted.id_token, (station_id, evse_id), tx)
                await _check_reservations(tx, station_id, evse_id, token)
                remote_start_id = await store.next_id(tx.connection)
                forms = start_forms(Start(evse_id, token, remote_start_id, wanted.profile))
                ask = Ask(station_id, START, forms, subject=str(remote_start_id), content=content)
                asked = await self._commanding.ask(tx, patience.applied_to(ask))
                if not asked.again:
                    asked_key = token_key(token.id_token)  # as it is sent: stations of OCPP 1.6 tell it so, and no type
                    await store.add(tx.connection, RemoteStart(remote_start_id, station_id, evse_id, asked_key, tx.now))
        return asked, await self._outcome(asked, patience)

    async def stop(self, session_id: str | None, patience: Patience) -> tuple[Asked, Outcome | None]:
        """Have a station stop a session; its outcome comes along if the caller waits and it comes in time.

        Raises:
            NoSessionError: there is none of this id. SessionEndedError: there is nothing to stop.
            KeyReusedError: something else was asked under the idempotency key.
        """
        stored = session_id and await sessions.get(self._database.pool, session_id)
        if not stored:
            raise NoSessionError("See /v1/sessions for those there are.")
        content = (session_id, patience.timeout_s, patience.ttl_s)
        async with self._database.transaction() as tx:
            key = patience.idempotency_key
            asked = await self._commanding.asked_before(tx, stored.station_id, key, STOP, content)
            if asked is None:
                if stored.state == "ended":
                    raise SessionEndedError(f"It ended at {stored.ended_at}; there is nothing to stop.")
                forms = stop_forms(Stop(stored.transaction_id), stored.version)
                ask = Ask(stored.station_id, STOP, forms, subject=str(stored.session_id), content=content)
                asked = await self._commanding.ask(tx, patience.applied_to(ask))
        return asked, await self._outcome(asked, patience)

    async def _outcome(self, asked: Asked, patience: Patience) -> Outcome | None:
        if not patience.wait:
            return None
        return await self._commanding.wait(asked, patience.ttl_s + patience.timeout_s + _GRACE_S)


async def _check_reservations(tx: Transaction, station_id: str, evse_id: int, token: Token) -> None:
    """Refuse a start on an EVSE that is kept for somebody else: its station would, too, and say no more than Rejected.

    Raises:
        EvseReservedError: it is.

    Spec: OCPP 2.0.1 F01, H03
    """
    running = await reservations.running(tx.connection, station_id, tx.now)
    kept = next((each for each in running if each.evse_id == evse_id), None)
    if kept is not None and not kept.serves(token.itself.key, token.group_id):
        until = kept.expires_at.isoformat()
        raise EvseReservedError(
            f"EVSE {evse_id} is reserved for another token until {until} (reservation {kept.reservation_id})."
        )


def _usable(known: Known, text: str, place: tuple[str, int], tx: Transaction) -> Token:
    """Return the token if it may charge at a place now.

    Raises:
        TokenRefusedError, TokenInUseError: it may not.
    """
    token = meant(text, known.tokens)
    presented = id_token(text) if token is None else token.itself
    status = judge(presented, token, tx.now).status
    if token is None or status != "Accepted":
        advice = _ADVICE.get(status, "")
        raise TokenRefusedError(status, f"The token {text} may not charge: {status}. {advice}".strip())
    uses = known.uses.get(presented.key, ())
    elsewhere = [use for use in uses if (use.station_id, use.evse_id) != place]
    if elsewhere:
        raise TokenInUseError(
            f"The token {text} may be in one transaction at a time, and charges at {elsewhere[0].station_id}."
        )
    return token
