"""Owns what operators decide about sessions: each in one transaction, kept with its reason, and told like a report."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from chargebus_events.topics import frames_topic
from chargebus_runtime import offsets
from chargebus_runtime.database import Database, Transaction

from chargebus_session.names import SERVICE
from chargebus_session.tokens import store as tokens
from chargebus_session.tokens.domain import Token, token_key
from chargebus_session.transactions.domain import settling
from chargebus_session.transactions.domain.announcements import decided
from chargebus_session.transactions.domain.sessions import Session
from chargebus_session.transactions.domain.settling import Action, Decision, Values
from chargebus_session.transactions.domain.state import Change
from chargebus_session.transactions.errors import UnknownSessionError, UnknownTokenError
from chargebus_session.transactions.store import batch, decisions


class Decider(msgspec.Struct, frozen=True):
    """Who decides, and why."""

    key_id: str
    reason: str


class SessionDecisions:
    """Ends, corrects and reopens sessions.

    Sessions are written by the one consumer that holds their station's partition; who decides here holds its offsets
    meanwhile, so that neither overwrites what the other wrote.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self, session_id: str | None, said: Values, decider: Decider) -> None:
        """End a session.

        Raises:
            UnknownSessionError, EndedAlreadyError, ImpossibleError: it cannot be.
        """
        async with self._database.transaction() as tx:
            await _decide(tx, session_id, "end", decider, lambda session, now: settling.end(session, said, now), said)

    async def correct(self, session_id: str | None, said: Values, payer: str | None, decider: Decider) -> None:
        """Correct a session; `payer` is the token that pays.

        Raises:
            UnknownSessionError, NotEndedError, ImpossibleError, UnknownTokenError: it cannot be.
        """
        async with self._database.transaction() as tx:
            token = await _token(tx, payer) if payer is not None else None

            def apply(session: Session, now: datetime) -> Change:
                return settling.correct(session, said, token, now)

            await _decide(tx, session_id, "correct", decider, apply, said, payer)

    async def reopen(self, session_id: str | None, decider: Decider) -> None:
        """Let a session go on.

        Raises:
            UnknownSessionError, NotEndedError: it cannot be.
        """
        async with self._database.transaction() as tx:
            await _decide(tx, session_id, "reopen", decider, settling.reopen, Values())


async def _decide(  # noqa: PLR0913, PLR0917 - what is decided, and what is kept of it
    tx: Transaction,
    session_id: str | None,
    action: Action,
    decider: Decider,
    apply: Callable[[Session, datetime], Change],
    said: Values,
    payer: str | None = None,
) -> None:
    await hold(tx)
    found = await decisions.load(tx.connection, [session_id]) if session_id else {}
    if not found or session_id is None:
        raise UnknownSessionError("See /v1/sessions for those there are.")
    session, before = found[session_id]
    change = apply(session, tx.now)
    values = {**msgspec.to_builtins(said), **({} if payer is None else {"id_token": payer})}
    decision = Decision(session_id, before + 1, action, decider.key_id, decider.reason, tx.now, values)
    await batch.save(tx.connection, [change])
    await decisions.add(tx.connection, [decision])
    tx.send(decided(change, decision))


async def hold(tx: Transaction) -> None:
    """Keep the consumer from applying frames until the transaction ends."""
    await offsets.lock_topic(tx.connection, frames_topic(SERVICE))


async def _token(tx: Transaction, text: str) -> Token:
    key = token_key(text)
    found = await tokens.load(tx.connection, [key])
    if key not in found:
        raise UnknownTokenError(f"The token {text} is not registered. Register it with POST /v1/tokens first.")
    return found[key]
