"""Owns what operators decide about sessions: each in one transaction, kept with its reason, and told like a report."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_commanding import Ask, Commanding
from chargebus_events.topics import frames_topic
from chargebus_runtime import offsets
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_session.names import SERVICE
from chargebus_session.tokens import store as tokens
from chargebus_session.tokens.domain import Token, keys_meant, meant
from chargebus_session.transactions.domain import settling
from chargebus_session.transactions.domain.announcements import decided
from chargebus_session.transactions.domain.endings import Doubt, asking, next_step, place_is_idle, waiting
from chargebus_session.transactions.domain.sessions import Session
from chargebus_session.transactions.domain.settling import Action, Decision, Values
from chargebus_session.transactions.domain.state import Change
from chargebus_session.transactions.errors import UnknownSessionError, UnknownTokenError
from chargebus_session.transactions.routes import TRANSACTION_STATUS, status_forms
from chargebus_session.transactions.store import batch, decisions, endings

log = logging.getLogger(__name__)

_AT_ONCE: Final = 20
_TTL_S: Final = 30.0


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
    await batch.save(tx.connection, [change], tx.now, timedelta(0))
    await decisions.add(tx.connection, [decision])
    tx.send(decided(change, decision))


class Endings:
    """Looks after sessions that may be over: asks their stations, and ends those that the rule ends.

    `grace` is how long the end may still be on its way.
    """

    def __init__(self, database: Database, commanding: Commanding, grace: timedelta) -> None:
        self._commanding = commanding
        self._grace = grace
        self._due = DueWork(database, _AT_ONCE, self._take, self._carry_out)

    async def sweep(self) -> None:
        """Carry out what is due."""
        await self._due.sweep()

    async def _take(self, tx: Transaction, limit: int) -> Sequence[Doubt]:
        if not await endings.any_due(tx.connection, tx.now):
            return ()
        await hold(tx)  # before the doubts, as batches do
        return await endings.due(tx.connection, tx.now, limit)

    async def _carry_out(self, tx: Transaction, doubts: Sequence[Doubt]) -> int:
        found = await decisions.load(tx.connection, [doubt.session_id for doubt in doubts])
        states = await endings.states(tx.connection, {session.station_id for session, _ in found.values()})
        gone, changed = [], []
        for doubt in doubts:
            session, before = found[doubt.session_id]
            forms = status_forms(session) if session.is_current else ()
            step = next_step(doubt, session, askable=bool(forms), idle=place_is_idle(session, states))
            if step == "ask":
                ask = Ask(session.station_id, TRANSACTION_STATUS, forms, ttl_s=_TTL_S, subject=session.session_id)
                await self._commanding.ask(tx, ask)
                changed.append(asking(doubt, tx.now))
            elif step == "wait":
                changed.append(waiting(doubt, session, tx.now, self._grace))
            else:
                gone.append(doubt.session_id)
            if step == "end":
                await _end_by_rule(tx, session, before, doubt)
        await endings.change(tx.connection, changed)
        await endings.drop(tx.connection, gone)
        return len(doubts)


async def _end_by_rule(tx: Transaction, session: Session, before: int, doubt: Doubt) -> None:
    change = settling.end_by_rule(session, doubt.at, tx.now)
    values: dict[str, object] = {"at": doubt.at.isoformat()}
    decision = Decision(session.session_id, before + 1, "end", settling.RULE, doubt.sign, tx.now, values)
    await batch.save(tx.connection, [change], tx.now, timedelta(0))
    await decisions.add(tx.connection, [decision])
    tx.send(decided(change, decision))
    log.warning("station %s: session %s is taken for ended: %s", session.station_id, session.session_id, doubt.sign)


async def hold(tx: Transaction) -> None:
    """Keep the consumer from applying frames until the transaction ends."""
    for topic in sorted(map(frames_topic, (SERVICE, "metering"))):  # the order of `offsets.lock`
        await offsets.lock_topic(tx.connection, topic)


async def _token(tx: Transaction, text: str) -> Token:
    found = meant(text, await tokens.load(tx.connection, keys_meant(text)))
    if found is None:
        raise UnknownTokenError(f"The token {text} is not registered. Register it with POST /v1/tokens first.")
    return found
