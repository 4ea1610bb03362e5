"""Owns turning what is stored into the JSON of the HTTP API."""

from datetime import datetime
from uuid import UUID

import msgspec

from chargebus_session.domain.sessions import duration
from chargebus_session.domain.tokens import token_key
from chargebus_session.resources import (
    EventOut,
    IntentOut,
    SessionDetail,
    SessionOut,
    TokenChangeIn,
    TokenIn,
    TokenOut,
    TokensIn,
)
from chargebus_session.store.intents import Intent, Result
from chargebus_session.store.sessions import StoredEvent, StoredSession
from chargebus_session.store.tokens import StoredToken


def new_token(wanted: TokenIn, now: datetime) -> StoredToken:
    """Return a token as it is to be stored."""
    return StoredToken(
        token_key=token_key(wanted.id_token),
        id_token=wanted.id_token,
        type=wanted.type,
        group_id=wanted.group_id,
        blocked=wanted.blocked,
        expires_at=wanted.expires_at,
        concurrent=wanted.concurrent_transactions,
        note=wanted.note,
        created_at=now,
        updated_at=now,
    )


def new_tokens(wanted: TokensIn, now: datetime) -> list[StoredToken]:
    """Return tokens as they are to be stored: of those with the same key the first."""
    stored: dict[str, StoredToken] = {}
    for each in wanted.tokens:
        stored.setdefault(token_key(each.id_token), new_token(each, now))
    return list(stored.values())


def changed_token(stored: StoredToken, change: TokenChangeIn, now: datetime) -> StoredToken:
    """Return a token after a change: null changes nothing but the expiry."""
    given = change.model_dump(exclude_unset=True)
    concurrent = given.pop("concurrent_transactions", None)
    fields = {name: value for name, value in given.items() if value is not None or name == "expires_at"}
    if concurrent is not None:
        fields["concurrent"] = concurrent
    return msgspec.structs.replace(stored, **fields, updated_at=now)


def token(stored: StoredToken) -> TokenOut:
    """Return a token as callers see it."""
    return TokenOut(
        id_token=stored.id_token,
        type=stored.type,
        group_id=stored.group_id,
        blocked=stored.blocked,
        expires_at=stored.expires_at,
        concurrent_transactions=stored.concurrent,
        note=stored.note,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )


def session(stored: StoredSession) -> SessionOut:
    """Return a session as callers see it."""
    return SessionOut.model_validate(_session_fields(stored))


def detail(stored: StoredSession, events: list[StoredEvent]) -> SessionDetail:
    """Return a session with its events."""
    return SessionDetail.model_validate(_session_fields(stored) | {"events": [_event(each) for each in events]})


def intent(started: Intent, ended: Result | None = None) -> IntentOut:
    """Return an intent as callers see it."""
    return IntentOut(
        command_id=started.command_id,
        station_id=started.station_id,
        remote_start_id=started.remote_start_id,
        session_id=started.session_id,
        outcome=ended.outcome if ended else None,
        status=ended.status or None if ended else None,
        reason=ended.reason or None if ended else None,
    )


def session_id(text: str) -> str | None:
    """Return a session id as it is stored, None for what cannot be one."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _session_fields(stored: StoredSession) -> dict[str, object]:
    lasted = duration(stored.started_at, stored.ended_at)
    fields = msgspec.structs.asdict(stored)
    fields["authorization"] = fields.pop("token_status")
    fields["duration_s"] = None if lasted is None else max(lasted.total_seconds(), 0)
    return fields


def _event(stored: StoredEvent) -> EventOut:
    return EventOut(
        seq_no=stored.number,
        type=stored.kind,
        occurred_at=stored.occurred_at,
        received_at=stored.received_at,
        trigger=stored.trigger,
        offline=stored.offline,
        charging_state=stored.charging_state,
        reason=stored.reason,
        id_token=stored.id_token,
        authorization=stored.token_status,
    )
