"""What stations wrote down of their transactions, against the sessions that the system shows; pure.

An objection is a sentence. Only what a station got an answer for is the system's promise; what it sent without
hearing back may be known or not, but never twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from chargebus_station.history import Fate, History, TransactionEntry

Json = Mapping[str, Any]

_WH: Final = 0.01

# The words that a version has no room for, and what its stations say instead; elsewhere they are those of 2.x.
_OTHER_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "1.6": {"Timeout": "Other", "GroundFault": "Other", "ImmediateReset": "Reboot"},
    "2.0.1": {"HardReset": "ImmediateReset", "SoftReset": "ImmediateReset", "UnlockCommand": "Other"},
    "2.1": {"HardReset": "ImmediateReset", "SoftReset": "ImmediateReset", "UnlockCommand": "Other"},
}


def compare(history: History, sessions: Sequence[Json]) -> list[str]:
    """Return the objections about one station's transactions; `sessions` are all that the system has of the station."""
    found, claimed = [], set()
    for entry in history.transactions:
        mine = [session for session in sessions if is_of(entry, session)]
        claimed |= {session["session_id"] for session in mine}
        found += _count(entry, len(mine))
        found += [objection for session in mine[:1] for objection in _details(entry, session)]
    return found + [
        f"{history.station_id}: the session {session['session_id']} (transaction {session['transaction_id']}, begun "
        f"{session['started_at']}) is none that the station knows of"
        for session in sessions
        if session["session_id"] not in claimed
    ]


def by_station(items: Iterable[Json]) -> Mapping[str, list[Json]]:
    """Group what the API lists by station."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for item in items:
        grouped[item["station_id"]].append(item)
    return grouped


def moment(text: str | None) -> datetime | None:
    """Return a time of the API, cut to milliseconds as stations write them."""
    return None if text is None else to_ms(datetime.fromisoformat(text))


def to_ms(at: datetime) -> datetime:
    """Cut a time to milliseconds."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def name(entry: TransactionEntry) -> str:
    """Name a transaction for a reader."""
    return (
        f"{entry.station_id} ({entry.version}): the transaction {entry.transaction_id or '(no id)'} "
        f"on EVSE {entry.evse_id} from {entry.started_at:%H:%M:%S.%f}"
    )


def is_of(entry: TransactionEntry, session: Json) -> bool:
    """Tell whether a session is this transaction: by its id, or, as a doubled one has another id, by its start."""
    if entry.transaction_id is not None and session["transaction_id"] == entry.transaction_id:
        return True
    same_place = session["evse_id"] == entry.evse_id and session["meter_start_wh"] == entry.meter_start_wh
    return same_place and moment(session["started_at"]) == to_ms(entry.started_at)


def _count(entry: TransactionEntry, times: int) -> list[str]:
    if times == 0 and entry.any_answered:
        return [f"{name(entry)} is lost: the station was answered and the system does not know it"]
    return [f"{name(entry)} is there {times} times"] if times > 1 else []


def _details(entry: TransactionEntry, session: Json) -> list[str]:
    expected: dict[str, object] = {}
    if entry.start_answered:
        expected |= {
            "evse_id": entry.evse_id,
            "started_at": to_ms(entry.started_at),
            "meter_start_wh": entry.meter_start_wh,
        }
    if entry.start_answered and entry.remote_start_id is not None:
        expected["remote_start_id"] = entry.remote_start_id
    if entry.start_answered and entry.id_token is not None and entry.settled:
        expected["id_token"] = entry.id_token
    if entry.stop_answered:
        expected |= {
            "state": "ended",
            "ended_at": None if entry.ended_at is None else to_ms(entry.ended_at),
            "meter_stop_wh": entry.meter_stop_wh,
            "stop_reason": _reason(entry),
        }
    if entry.start_answered and entry.stop_answered:
        expected["energy_wh"] = entry.energy_wh
    if entry.settled and all(message.fate is Fate.ANSWERED for message in entry.messages):
        expected |= {"gaps": [], "missing": []}
    if entry.ended_at is None:
        expected["state"] = "active"
    if entry.token_statuses and "Accepted" not in entry.token_statuses:
        expected["billable"] = False
    differences = [
        f"{field} is {session.get(field)!r} and should be {wanted!r}"
        for field, wanted in expected.items()
        if not _same(_value(session, field), wanted)
    ]
    return [f"{name(entry)} is wrong: {'; '.join(differences)}"] if differences else []


def _reason(entry: TransactionEntry) -> str:
    reason = entry.stopped_reason or "Local"
    return _OTHER_WORDS[entry.version].get(reason, reason)


def _value(session: Json, field: str) -> object:
    value = session.get(field)
    if field.endswith("_at"):
        return moment(value)
    return list(value or ()) if field in {"gaps", "missing"} else value


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return abs(found - wanted) < _WH
    return found == wanted
