"""Owns what others are told of sessions: the records of `session.events`.

A new event of a transaction makes one record, whose id is the event's own, so that the same fact has the same id; so
does a mark that comes without a new event, named after the mark. Mere progress of the meter makes none while a session
is active: that is what `meter.values` is for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_session.domain.desk import Change, Recorded
from chargebus_session.domain.events import Kind
from chargebus_session.domain.sessions import Session, Summary, summarize

SOURCE: Final = "/session"

_TYPES: Final[Mapping[Kind, str]] = {
    "Started": public.SESSION_STARTED,
    "Updated": public.SESSION_UPDATED,
    "Ended": public.SESSION_ENDED,
}


def announcement(change: Change, now: datetime) -> Record | None:
    """Return the record that tells of a change, None where there is nothing to tell."""
    fact = _event(change) if isinstance(change, Recorded) else _mark(change)
    if fact is None:
        return None
    kind, name = fact
    body = _body(change.session, change.summary, now)
    return public.event(_TYPES[kind], f"{change.session.session_id}/{name}", SOURCE, now, body)


def new_flags(change: Change) -> set[str]:
    """Return the marks that a change brought upon its session."""
    flags = set(change.summary.flags)
    return flags.difference(summarize(change.before.fold).flags) if flags and change.before else flags


def _event(recorded: Recorded) -> tuple[Kind, str] | None:
    event = recorded.event
    if event.kind == "Updated" and not _is_news(recorded.before, recorded.summary):
        return None
    return event.kind, f"{event.number}/{event.kind}"


def _mark(change: Change) -> tuple[Kind, str] | None:
    flags = new_flags(change)
    return ("Updated", "/".join(sorted(flags))) if flags else None


def _is_news(before: Session | None, after: Summary) -> bool:
    return before is None or after.state == "ended" or _shown(summarize(before.fold)) != _shown(after)


def _shown(summary: Summary) -> tuple[object, ...]:
    return (
        summary.token_key,
        summary.token_status,
        summary.evse_id,
        summary.connector_id,
        summary.charging_state,
        summary.remote_start_id,
        summary.gaps,
        summary.flags,
    )


def _body(session: Session, summary: Summary, now: datetime) -> public.Session:
    return public.Session(
        session_id=session.session_id,
        station_id=session.station_id,
        transaction_id=session.transaction_id,
        version=session.version,
        state=summary.state,
        updated_at=now,
        evse_id=summary.evse_id,
        connector_id=summary.connector_id,
        id_token=summary.id_token,
        id_token_type=summary.id_token_type,
        authorization=summary.token_status,
        billable=summary.billable,
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        meter_start_wh=summary.meter_start_wh,
        meter_stop_wh=summary.meter_stop_wh,
        energy_wh=summary.energy_wh,
        stop_reason=summary.stop_reason,
        charging_state=summary.charging_state,
        remote_start_id=summary.remote_start_id,
        gaps=summary.gaps,
        missing=summary.missing,
        flags=summary.flags,
    )
