"""Owns what others are told of sessions: the records of `session.events`.

A new event of a transaction makes one record, whose id is the event's own, so that the same fact has the same id; so
does a mark that comes without a new event, named after the mark. Mere progress of the meter makes none while a session
is active: that is what `meter.values` is for.
"""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_session.names import SOURCE
from chargebus_session.transactions.domain.events import Kind
from chargebus_session.transactions.domain.sessions import Session, Summary, summarize
from chargebus_session.transactions.domain.settling import Decision
from chargebus_session.transactions.domain.state import Change, Recorded

_FIELDS: Final = public.Session.__struct_fields__
_SUMMARIZED: Final = frozenset(Summary.__struct_fields__)
_NAMED_OTHERWISE: Final = {"authorization": "summary.token_status"}
_NOW: Final = _FIELDS.index("updated_at")


def _path(name: str) -> str:
    """Return where a change has what the public event calls `name`."""
    return _NAMED_OTHERWISE.get(name, f"summary.{name}" if name in _SUMMARIZED else f"session.{name}")


_values: Final = attrgetter(*(_path(name) for name in _FIELDS if name != "updated_at"))

_TYPES: Final[Mapping[Kind, str]] = {
    "Started": public.SESSION_STARTED,
    "Updated": public.SESSION_UPDATED,
    "Ended": public.SESSION_ENDED,
}


def announcement(change: Change, now: datetime) -> Record | None:
    """Return the record that tells of a change, None where there is nothing to tell."""
    fact = _event(change) if isinstance(change, Recorded) and change.counts else _mark(change)
    if fact is None:
        return None
    kind, name = fact
    body = _body(change, now)
    return public.event(_TYPES[kind], f"{change.session.session_id}/{name}", SOURCE, now, body)


def decided(change: Change, decision: Decision) -> Record:
    """Return the record that tells of a decision about a session."""
    ends = change.before is not None and not change.before.over and change.session.over
    kind = _TYPES["Ended" if ends else "Updated"]
    body = _body(change, decision.decided_at)
    event_id = f"{change.session.session_id}/decision/{decision.number}"
    return public.event(kind, event_id, SOURCE, decision.decided_at, body)


def new_flags(change: Change) -> set[str]:
    """Return the marks that a change brought upon its session."""
    flags = set(change.summary.flags)
    return flags.difference(summarize(change.before.fold).flags) if flags and change.before else flags


def _event(recorded: Recorded) -> tuple[Kind, str] | None:
    event = recorded.event
    if event.kind == "Updated" and not _is_news(recorded.before, recorded.summary):
        return None
    name = f"{event.number}/{event.kind}"
    return event.kind, f"{name}/{event.content}" if recorded.again else name


def _mark(change: Change) -> tuple[Kind, str] | None:
    flags = new_flags(change)
    if flags:
        return "Updated", "/".join(sorted(flags))
    if change.before is not None and change.before.over and not change.session.over:  # a rule had taken it for ended
        return "Updated", f"goes on/{change.session.updated_at.isoformat()}"
    return ("Updated", f"energy/{change.summary.energy_wh}") if _is_settled_anew(change) else None


def _is_settled_anew(change: Change) -> bool:
    """Tell whether the energy of an ended session is another one by readings that came apart from its events."""
    if change.before is None or change.summary.state != "ended":
        return False
    before = summarize(change.before.fold)
    return before.state == "ended" and before.energy_wh != change.summary.energy_wh


def _is_news(before: Session | None, after: Summary) -> bool:
    if before is None:
        return True
    known = summarize(before.fold)
    return known != after if after.state == "ended" else _shown(known) != _shown(after)


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


def _body(change: Change, now: datetime) -> public.Session:
    """Return the event's body: what the session and its summary have under the same names."""
    values: list[Any] = [*_values(change)]
    values.insert(_NOW, now)
    return public.Session(*values)
