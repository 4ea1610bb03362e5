"""Owns what others are told of sessions: the records of `session.events`.

A new event of a transaction makes one record, whose id is the event's own, so that the same fact has the same id. Mere
progress of the meter makes none while a session is active: that is what `meter.values` is for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_session.domain.desk import Recorded
from chargebus_session.domain.events import Kind
from chargebus_session.domain.sessions import Session, Summary, summarize

SOURCE: Final = "/session"

_TYPES: Final[Mapping[Kind, str]] = {
    "Started": public.SESSION_STARTED,
    "Updated": public.SESSION_UPDATED,
    "Ended": public.SESSION_ENDED,
}


def announcement(recorded: Recorded, now: datetime) -> Record | None:
    """Return the record that tells of an event, None where there is nothing to tell."""
    event, summary = recorded.event, recorded.summary
    if event.kind == "Updated" and not _is_news(recorded.before, summary):
        return None
    event_id = f"{recorded.session.session_id}/{event.number}/{event.kind}"
    return public.event(_TYPES[event.kind], event_id, SOURCE, now, _body(recorded.session, summary, now))


def new_flags(recorded: Recorded) -> set[str]:
    """Return the marks that an event brought upon its session."""
    flags = set(recorded.summary.flags)
    return flags.difference(summarize(recorded.before.fold).flags) if flags and recorded.before else flags


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
