"""Owns making remote starts and stops into commands, and waiting for what becomes of them."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import msgspec
from chargebus_events.commands import CommandForm, CommandRequested
from chargebus_ocppj.schemas import encode_call
from chargebus_ocppj.versions import Version, as_version
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.problems import Problem
from chargebus_runtime.waiters import Waiters

from chargebus_session.names import SERVICE
from chargebus_session.remote import domain as remote
from chargebus_session.remote.resources import StartIn, StopIn, Waiting
from chargebus_session.remote.routes import REMOTE
from chargebus_session.remote.store import intents, stations
from chargebus_session.remote.store.intents import Intent, Result
from chargebus_session.tables import SessionRow
from chargebus_session.tokens.domain import Status, Token, id_token, judge
from chargebus_session.transactions.domain.state import Known
from chargebus_session.transactions.store import batch, sessions

_GRACE_S: Final = 2.0
_REFUSED: Final[dict[Status, tuple[int, str]]] = {
    "Unknown": (422, "Register it with POST /v1/tokens first."),
    "Blocked": (409, "Unblock it with PATCH /v1/tokens/… first."),
    "Expired": (409, "Give it a later expiry with PATCH /v1/tokens/… first."),
}


@dataclass(frozen=True)
class Message:
    """What goes to the station."""

    action: str
    payload: dict[str, object]
    version: Version


class Intents:
    """Remote starts and stops."""

    def __init__(self, database: Database, waiters: Waiters, ttl_s: float) -> None:
        self._database = database
        self._waiters = waiters
        self._usual_ttl_s = ttl_s

    async def start(self, station_id: str, evse_id: int, wanted: StartIn) -> tuple[Intent, Result | None]:
        """Have a station start charging; the result comes along if the caller waits and it comes in time.

        Raises:
            Problem: 404 for a station never seen; 409 or 422 for a token that may not charge there.
        """
        key = id_token(wanted.id_token).key
        async with self._database.transaction() as tx:
            speaks = await self._version(tx, station_id)
            carrier = REMOTE[speaks]
            token = _usable(await batch.load(tx.connection, {key}, ()), wanted.id_token, (station_id, evse_id), tx)
            if len(token.id_token) > carrier.id_token_limit:
                detail = f"Station {station_id} takes tokens of at most {carrier.id_token_limit} characters."
                raise Problem(422, "token too long", detail)
            remote_start_id = await intents.next_remote_start_id(tx.connection)
            intent = Intent(str(uuid4()), "start", station_id, tx.now, evse_id, key, remote_start_id)
            payload = carrier.start(remote.Start(evse_id, token, remote_start_id))
            await self._send(tx, intent, Message(carrier.start_action, payload, speaks), wanted)
        return intent, await self._result(intent, wanted)

    async def stop(self, session_id: str | None, wanted: StopIn) -> tuple[Intent, Result | None]:
        """Have a station stop a session; the result comes along if the caller waits and it comes in time.

        Raises:
            Problem: 404 for an unknown session; 409 for one that ended, or whose station speaks another version now.
        """
        stored = session_id and await sessions.get(self._database.pool, session_id)
        if not stored:
            raise Problem(404, "no such session", "See /v1/sessions for those there are.")
        if stored.state == "ended":
            raise Problem(409, "session ended", f"It ended at {stored.ended_at}; there is nothing to stop.")
        async with self._database.transaction() as tx:
            speaks = await self._version_for(tx, stored)
            carrier = REMOTE[speaks]
            intent = Intent(
                str(uuid4()), "stop", stored.station_id, tx.now, stored.evse_id, session_id=str(stored.session_id)
            )
            payload = carrier.stop(remote.Stop(stored.transaction_id))
            await self._send(tx, intent, Message(carrier.stop_action, payload, speaks), wanted)
        return intent, await self._result(intent, wanted)

    async def _version(self, tx: Transaction, station_id: str) -> Version:
        version = (await stations.versions(tx.connection, (station_id,))).get(station_id)
        if version is None:
            raise Problem(404, "no such station", f"Station {station_id} was never seen; see /v1/stations.")
        return as_version(version)

    async def _version_for(self, tx: Transaction, stored: SessionRow) -> Version:
        versions = await stations.versions(tx.connection, (stored.station_id,))
        speaks = as_version(versions.get(stored.station_id, stored.version))
        if stored.version not in REMOTE[speaks].family:
            detail = f"The session began under OCPP {stored.version}; its station speaks {speaks} now."
            raise Problem(409, "another version", detail)
        return speaks

    async def _send(self, tx: Transaction, intent: Intent, message: Message, wanted: Waiting) -> None:
        await intents.add(tx.connection, intent)
        payload = encode_call(message.version, message.action, message.payload)
        request = CommandRequested(
            command_id=intent.command_id,
            station_id=intent.station_id,
            requester=SERVICE,
            requested_at=tx.now,
            forms=(CommandForm(message.action, msgspec.Raw(payload), REMOTE[message.version].family),),
            timeout_s=wanted.timeout_s,
            ttl_s=self._ttl_s(wanted),
        )
        tx.send(request.record())

    def _ttl_s(self, wanted: Waiting) -> float:
        return self._usual_ttl_s if wanted.ttl_s is None else wanted.ttl_s

    async def _result(self, intent: Intent, wanted: Waiting) -> Result | None:
        if not wanted.wait:
            return None
        async with self._waiters.waiting(intent.command_id) as waiter:
            ended = await intents.result(self._database.pool, intent.command_id)
            if ended is not None:
                return ended
            await waiter.wait(self._ttl_s(wanted) + wanted.timeout_s + _GRACE_S)
            return await intents.result(self._database.pool, intent.command_id)


def _usable(known: Known, text: str, place: tuple[str, int], tx: Transaction) -> Token:
    """Return the token if it may charge at a place now.

    Raises:
        Problem: it may not.
    """
    presented = id_token(text)
    token = known.tokens.get(presented.key)
    status = judge(presented, token, tx.now).status
    if token is None or status != "Accepted":
        code, advice = _REFUSED.get(status, (409, ""))
        raise Problem(code, f"token {status.lower()}", f"The token {text} may not charge: {status}. {advice}".strip())
    elsewhere = [use for use in known.uses.get(presented.key, ()) if (use.station_id, use.evse_id) != place]
    if elsewhere:
        detail = f"The token {text} may be in one transaction at a time, and charges at {elsewhere[0].station_id}."
        raise Problem(409, "token in use", detail)
    return token
