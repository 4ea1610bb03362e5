"""What the checker objects to, on plain values: each test plants one lie."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_station.history import CommandEntry, Fate, History, MessageEntry, Reading, TransactionEntry
from chargebus_testkit import against_commands, against_readings, against_sessions
from chargebus_testkit.against_commands import CommandFacts

START = datetime(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
STOP = START + timedelta(hours=1)


def charged() -> History:
    messages = [
        MessageEntry("TransactionEvent", "Started", 0, START, False, (Reading(START, 1000, "Transaction.Begin"),)),
        MessageEntry("TransactionEvent", "Ended", 1, STOP, False, (Reading(STOP, 8000, "Transaction.End"),)),
    ]
    for message in messages:
        message.fate = Fate.ANSWERED
    entry = TransactionEntry("key", "CS1", "2.0.1", 1, 1, START, 1000, "AB12", "tx-1", messages=messages)
    entry.token_statuses.append("Accepted")
    history = History("CS1", "2.0.1")
    history.open(entry)
    history.close(entry, STOP, 8000, "Local")
    return history


def session(**changes: object) -> dict[str, object]:
    return {
        "session_id": "s-1",
        "station_id": "CS1",
        "transaction_id": "tx-1",
        "state": "ended",
        "evse_id": 1,
        "id_token": "AB12",
        "billable": True,
        "started_at": "2025-03-01T12:00:00.123Z",
        "ended_at": "2025-03-01T13:00:00.123Z",
        "meter_start_wh": 1000.0,
        "meter_stop_wh": 8000.0,
        "energy_wh": 7000.0,
        "stop_reason": "Local",
        "remote_start_id": None,
        "gaps": [],
        "missing": [],
        **changes,
    }


def test_what_agrees_meets_no_objection():
    assert against_sessions.compare(charged(), [session()]) == []


def test_a_lost_transaction():
    (objection,) = against_sessions.compare(charged(), [])

    assert "is lost" in objection


def test_a_doubled_transaction_even_under_another_id():
    sessions = [session(), session(session_id="s-2", transaction_id="tx-2")]

    (objection,) = against_sessions.compare(charged(), sessions)

    assert "is there 2 times" in objection


def test_a_session_that_nobody_charged():
    stranger = session(session_id="s-2", transaction_id="tx-9", started_at="2025-03-01T14:00:00Z")

    (objection,) = against_sessions.compare(charged(), [session(), stranger])

    assert "none that the station knows of" in objection


@pytest.mark.parametrize(
    "changes",
    [
        {"energy_wh": 6999.0},
        {"energy_wh": None},
        {"meter_start_wh": 0.0},
        {"meter_stop_wh": 8001.0},
        {"id_token": "CD34"},
        {"stop_reason": "Remote"},
        {"state": "active"},
        {"started_at": "2025-03-01T12:00:01.123Z"},
        {"ended_at": None},
        {"evse_id": 2},
        {"gaps": [[1, 1]]},
        {"missing": ["started"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_wrong_detail(changes):
    (objection,) = against_sessions.compare(charged(), [session(**changes)])

    assert next(iter(changes)) in objection


def test_what_was_never_answered_may_be_unknown_or_known_but_not_twice():
    history = charged()
    for message in history.transactions[0].messages:
        message.fate = Fate.QUEUED

    assert against_sessions.compare(history, []) == []
    assert against_sessions.compare(history, [session()]) == []
    assert against_sessions.compare(history, [session(), session(session_id="s-2")]) != []


def test_a_refused_token_must_not_be_billed():
    history = charged()
    history.transactions[0].token_statuses[:] = ["Blocked"]

    assert against_sessions.compare(history, [session(billable=False)]) == []
    assert "billable" in against_sessions.compare(history, [session(billable=True)])[0]


def test_a_version_says_a_reason_in_its_own_words():
    history = charged()
    history.transactions[0].version, history.transactions[0].stopped_reason = "1.6", "Timeout"

    assert against_sessions.compare(history, [session(stop_reason="Other")]) == []


def value(at: str = "2025-03-01T12:00:00.123Z", wh: float = 1000.0, context: str = "Transaction.Begin"):
    return {"sampled_at": at, "value": wh, "context": context}


END = value("2025-03-01T13:00:00.123Z", 8000.0, "Transaction.End")


@pytest.mark.parametrize(
    ("values", "objection"),
    [
        ([value()], "is lost"),
        ([value(), END, END], "is there 2 times"),
        ([value(), END, value(wh=5000.0)], "was never sent"),
    ],
    ids=["lost", "doubled", "made up"],
)
def test_readings(values, objection):
    entry = charged().transactions[0]

    assert against_readings.compare(entry, [value(), END]) == []
    assert objection in against_readings.compare(entry, values)[0]


LEDGER = {
    "station_id": "CS1",
    "action": "Reset",
    "requester": "session",
    "outcome": "answered",
    "reply": {"status": "Accepted"},
    "error": None,
}


def answered() -> CommandEntry:
    return CommandEntry("c-1", "Reset", {}, START, answered={"status": "Accepted"})


def facts(**changes: object) -> CommandFacts:
    known = {"command_id": "c-1", "ledger": deepcopy(LEDGER), "told": [LEDGER], "heard": [answered()]}
    return CommandFacts(**{**known, **changes})


def test_a_command_with_one_outcome_that_agrees():
    assert against_commands.compare(facts()) == []


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"ledger": None}, "not in the ledger"),
        ({"ledger": {**LEDGER, "outcome": None}}, "no outcome"),
        ({"told": []}, "has 0 outcomes"),
        ({"ledger": {**LEDGER, "requester": "http"}}, "has 1 outcomes"),
        ({"told": [LEDGER, {**LEDGER, "ended_at": "later"}]}, "has 2 outcomes"),
        ({"told": [{**LEDGER, "outcome": "timed_out"}]}, "timed_out on ocpp.outcomes"),
        ({"heard": [answered(), answered()]}, "reached the station 2 times"),
        ({"heard": []}, "was answered None"),
        ({"ledger": {**LEDGER, "reply": {"status": "Rejected"}}}, "the ledger has {'status': 'Rejected'}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_that_went_wrong(changes, objection):
    assert any(objection in found for found in against_commands.compare(facts(**changes)))


@pytest.mark.parametrize("outcome", ["undeliverable", "expired"])
def test_a_command_that_was_never_sent_must_not_reach_the_station(outcome):
    ledger = {**LEDGER, "outcome": outcome}

    assert "the station got it" in against_commands.compare(facts(ledger=ledger, told=[ledger]))[0]
    assert against_commands.compare(facts(ledger=ledger, told=[ledger], heard=[])) == []


def test_a_refusal_with_another_code():
    ledger = {**LEDGER, "outcome": "refused", "error": {"code": "NotSupported"}}
    entry = CommandEntry("c-1", "Reset", {}, START, refused="InternalError")

    assert "InternalError" in against_commands.compare(facts(ledger=ledger, told=[ledger], heard=[entry]))[0]


def test_a_command_that_nobody_asked_for():
    history = charged()
    history.note(answered())

    assert against_commands.strangers(history, ["c-1"]) == []
    assert "nobody asked for" in against_commands.strangers(history, [])[0]
