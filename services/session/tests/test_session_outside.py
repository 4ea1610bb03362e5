"""Readings that come apart from a transaction's events."""

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations

import msgspec
import pytest
from chargebus_events.topics import frames_topic
from chargebus_session.routes import ROUTES
from chargebus_session.transactions.domain.events import Event, Sample
from chargebus_session.transactions.domain.fold import NumberMark, merge
from chargebus_session.transactions.domain.outside import LATELY, LatelyEnded, Readings, whose, with_readings
from chargebus_session.transactions.domain.sessions import Session, summarize
from chargebus_session.transactions.domain.settling import Values
from chargebus_session.transactions.domain.state import Change
from chargebus_session.transactions.operations import Decider, SessionDecisions

IMPLAUSIBLE = ("energy_from_readings", "energy_implausible")
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def sample(wh, minutes, context="Sample.Periodic"):
    return Sample(NOON + timedelta(minutes=minutes), float(wh), context, "Outlet", 0)


def event(number, kind, minutes, *samples, **more):
    return Event(number, kind, NOON + timedelta(minutes=minutes), NOON, samples=samples, **more)


def readings(*samples):
    return Readings("CS1", (), 1, NOON, samples)


def fold_of(*told):
    fold = None
    for each in told:
        fold = with_readings(fold, each) if isinstance(each, Readings) else merge(fold, each, None)
    return fold


START = event(0, "Started", 0, sample(0, 0, "Transaction.Begin"))
STOP = event(1, "Ended", 60, sample(4_076_000, 60, "Transaction.End"))


def test_readings_from_outside_tell_what_a_meter_start_of_zero_did_not():
    summary = summarize(fold_of(START, readings(sample(4_075_900, 5)), readings(sample(4_075_950, 30)), STOP))

    assert (summary.energy_wh, summary.energy_source) == (100, "readings")
    assert summary.flags == IMPLAUSIBLE


def test_the_order_of_readings_and_their_repetition_make_no_difference():
    parts = (readings(sample(4_075_900, 5)), readings(sample(4_075_950, 30)), STOP, readings(sample(4_075_950, 30)))

    assert len({json.dumps(summarize(fold_of(START, *order)).energy_wh) for order in permutations(parts)}) == 1
    assert fold_of(START, *parts) == fold_of(START, *reversed(parts))


def test_readings_that_are_known_change_nothing():
    fold = fold_of(START, readings(sample(50, 5)))

    assert with_readings(fold, readings(sample(50, 5))) is fold


def test_a_begin_and_an_end_from_outside_bound_nothing():
    summary = summarize(fold_of(START, readings(sample(9, 1, "Transaction.Begin"), sample(30, 50, "Transaction.End"))))

    assert (summary.meter_start_wh, summary.meter_stop_wh) == (0, 30)
    assert summarize(fold_of(START, readings(sample(30, 60, "Transaction.End")), STOP)).meter_stop_wh == 4_076_000


def test_readings_from_before_the_start_and_after_the_end_are_of_another_transaction():
    fold = fold_of(START, STOP)

    assert with_readings(fold, readings(sample(5, -10), sample(6, 90))) is fold


def test_without_a_clock_all_readings_are_taken():
    fold = fold_of(event(0, "Started", 0, flags=("clock_implausible",)))

    assert with_readings(fold, readings(sample(5, -10))) is not fold


def test_a_transaction_whose_events_bring_readings_needs_no_others():
    fold = fold_of(START, event(1, "Updated", 10, sample(500, 10)))

    assert with_readings(fold, readings(sample(700, 15))) is fold


@pytest.fixture
def read(frame):
    return lambda version, payload: ROUTES[version, "MeterValues"].read(frame(version, "MeterValues", payload))


def metered(wh, minute=30, **more):
    at = f"2025-06-01T12:{minute:02d}:00Z"
    values = [{"value": f"{wh}", "measurand": "Energy.Active.Import.Register"}]
    return {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": values}], **more}


@pytest.mark.parametrize(
    "unreadable", [b'{"value"', b'{"connectorId":1,"meterValue":[{"sampledValue":[{"value":7}]}]}']
)
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_what_cannot_be_read_is_passed_over(read, version, unreadable):
    assert read(version, unreadable).samples == ()


def test_readings_without_energy_are_not_looked_at(read):
    voltage = {"value": "230", "measurand": "Voltage"}
    payload = {"connectorId": 1, "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [voltage]}]}

    assert read("1.6", json.dumps(payload).encode()).samples == ()


def test_a_value_without_a_measurand_is_the_register(read):
    values = [{"value": "230", "measurand": "Voltage"}, {"value": "7"}]
    payload = {"connectorId": 1, "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": values}]}

    assert [each.wh for each in read("1.6", json.dumps(payload).encode()).samples] == [7]


@pytest.mark.parametrize(
    ("more", "names", "taken"),
    [
        ({"transactionId": 7}, ("issued/7", "unknown/7"), 1),
        ({"transactionId": -1}, (), 1),
        ({}, (), 1),
        ({"connectorId": 0}, (), 0),
        ({"connectorId": 0, "transactionId": 7}, ("issued/7", "unknown/7"), 1),
    ],
)
def test_1_6_readings_are_of_a_transaction_or_of_a_connector(read, more, names, taken):
    told = read("1.6", json.dumps(metered(5, **more)).encode())

    assert (told.names, len(told.samples)) == (names, taken)


START_16 = {"connectorId": 1, "idTag": "GOOD", "meterStart": 0, "timestamp": "2025-06-01T12:00:00Z"}


def heard(service, request, version="1.6"):
    frame = service.frame("MeterValues", request, version, expects=False)
    return msgspec.structs.replace(frame, topic=frames_topic("metering"))


@pytest.mark.parametrize("named", [True, False])
async def test_readings_of_1_6_reach_their_session_and_answer_nothing(service, named):
    [started] = (await service.apply(service.frame("StartTransaction", START_16))).answers
    of = {"transactionId": started["transactionId"]} if named else {}
    applied = await service.apply(
        heard(service, metered(4_075_900, 10, **of)), heard(service, metered(4_075_950, **of))
    )
    stop = {"transactionId": started["transactionId"], "meterStop": 4_076_000, "timestamp": "2025-06-01T12:59:00Z"}
    stopped = await service.apply(service.frame("StopTransaction", stop))

    assert applied.answers == []
    assert [(kind, told.flags) for kind, told in applied.events] == [("updated", IMPLAUSIBLE)]
    assert (stopped.events[0][1].energy_wh, stopped.events[0][1].energy_source) == (100, "readings")


async def test_readings_that_come_after_the_end_settle_it_anew(service):
    [started] = (await service.apply(service.frame("StartTransaction", START_16))).answers
    named = {"transactionId": started["transactionId"]}
    stop = {**named, "meterStop": 4_076_000, "timestamp": "2025-06-01T12:59:00Z"}
    stopped = await service.apply(service.frame("StopTransaction", stop))
    first = await service.apply(heard(service, metered(4_075_950, **named)))
    second = await service.apply(heard(service, metered(4_075_900, 10, **named)))
    again = await service.apply(heard(service, metered(4_075_900, 10, **named)))

    assert [each.events[0][1].energy_wh for each in (stopped, first, second)] == [None, 50, 100]
    assert (first.events[0][0], second.events[0][0], again.records) == ("updated", "updated", [])
    assert await service.rows("SELECT energy_wh, flags FROM charging_session") == [
        (100.0, ["energy_from_readings", "energy_implausible"])
    ]


def test_a_stations_events_and_its_readings_are_applied_one_after_the_other(service):
    assert service.consumed.together == {frames_topic("session"), frames_topic("metering")}


async def test_an_event_that_changes_nothing_of_what_an_operator_settled_is_not_told(service):
    def told(number, minute, wh):
        at = f"2025-06-01T11:{minute:02d}:00Z"
        values = {"meterValue": [{"timestamp": at, "sampledValue": [{"value": wh}]}]}
        request = {"eventType": "Updated" if number else "Started", "timestamp": at, "triggerReason": "Trigger"}
        return service.frame(
            "TransactionEvent",
            {**request, "seqNo": number, "transactionInfo": {"transactionId": "t"}, **values},
            "2.0.1",
        )

    await service.apply(told(0, 0, 1000))
    [(session_id,)] = await service.rows("SELECT session_id::text FROM charging_session")
    decisions = SessionDecisions(service.database)
    await decisions.end(session_id, Values(ended_at=NOON, meter_stop_wh=1500.0), Decider("key", "towed"))

    assert (await service.apply(told(1, 10, 2000))).events == []
    assert await service.rows("SELECT state, energy_wh FROM charging_session") == [("ended", 500.0)]


def later(service, request, version="1.6"):
    frame = service.frame("MeterValues", request, version, expects=False, at=service.now + timedelta(seconds=1))
    return msgspec.structs.replace(frame, topic=frames_topic("metering"))


@pytest.mark.parametrize("late", [True, False])
async def test_a_late_reading_that_contradicts_what_was_settled_is_never_silent(service, late):
    [started] = (await service.apply(service.frame("StartTransaction", START_16 | {"meterStart": 1000}))).answers
    named = {"transactionId": started["transactionId"]}
    stop = {**named, "meterStop": 2000, "timestamp": "2025-06-01T12:59:00Z"}
    [settled] = (await service.apply(service.frame("StopTransaction", stop))).events
    [(kind, told)] = (await service.apply((later if late else heard)(service, metered(2500, **named)))).events

    assert (settled[1].energy_wh, settled[1].flags) == (1000, ())
    assert (kind, told.energy_wh) == ("updated", 1500)
    flags = ("energy_from_readings", "meter_went_back")
    assert told.flags == ((*flags, "settled_anew") if late else flags)


async def test_a_late_event_that_changes_what_was_settled_is_never_silent(service):
    def told(number, kind, minute, wh, seconds):
        at = f"2025-06-01T12:{minute:02d}:00Z"
        request = {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": "Trigger",
            "seqNo": number,
            "transactionInfo": {"transactionId": "t"},
            "meterValue": [{"timestamp": at, "sampledValue": [{"value": wh}]}],
        }
        received_at = service.now + timedelta(seconds=seconds)
        return service.frame("TransactionEvent", request, "2.0.1", at=received_at)

    await service.apply(told(0, "Started", 0, 1000, 0), told(3, "Ended", 50, 2000, 1))
    [(_, agrees)] = (await service.apply(told(1, "Updated", 10, 1500, 2))).events
    [(_, differs)] = (await service.apply(told(2, "Updated", 20, 2500, 3))).events

    assert (agrees.energy_wh, agrees.flags) == (1000, ())
    assert (differs.energy_wh, differs.flags) == (1500, ("energy_from_readings", "meter_went_back", "settled_anew"))


async def test_readings_that_change_nothing_of_an_ended_session_are_not_written(service):
    [started] = (await service.apply(service.frame("StartTransaction", START_16))).answers
    named = {"transactionId": started["transactionId"]}
    stop = {**named, "meterStop": 5000, "timestamp": "2025-06-01T12:59:00Z"}
    await service.apply(service.frame("StopTransaction", stop))

    applied = await service.apply(heard(service, metered(3000, **named)))

    assert applied.records == []
    assert not any("UPDATE charging_session" in statement for statement in service.statements)


async def test_readings_of_an_evse_are_of_the_transaction_that_goes_on_there(service):
    started = {
        "eventType": "Started",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 2},
    }
    ended = started | {"eventType": "Ended", "seqNo": 1, "timestamp": "2025-06-01T12:59:00Z"}
    await service.apply(service.frame("TransactionEvent", started, "2.0.1"))
    for evse_id, wh, minute in ((2, 100, 10), (1, 7000, 20), (0, 9000, 20), (2, 900, 50)):
        values = [{"value": wh}]
        at = f"2025-06-01T12:{minute}:00Z"
        request = {"evseId": evse_id, "meterValue": [{"timestamp": at, "sampledValue": values}]}
        await service.apply(heard(service, request, "2.0.1"))
    applied = await service.apply(service.frame("TransactionEvent", ended, "2.0.1"))

    [(_, told)] = applied.events
    assert (told.energy_wh, told.energy_source, told.flags) == (800, "readings", ("energy_from_readings",))


async def test_readings_of_an_evse_that_come_moments_after_the_end_are_of_what_ended_there(service):
    started = {
        "eventType": "Started",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 2},
    }
    ended = started | {"eventType": "Ended", "seqNo": 1, "timestamp": "2025-06-01T12:59:00Z"}
    late = [
        {"evseId": 2, "meterValue": [{"timestamp": f"2025-06-01T12:{minute}:00Z", "sampledValue": [{"value": wh}]}]}
        for minute, wh in ((10, 100), (50, 900))
    ]
    told = await service.apply(
        service.frame("TransactionEvent", started, "2.0.1"), service.frame("TransactionEvent", ended, "2.0.1")
    )
    applied = await service.apply(*(heard(service, request, "2.0.1") for request in late))

    assert told.events[-1][1].energy_wh is None
    assert [body.energy_wh for _, body in applied.events] == [800]


def test_of_what_ended_it_is_forgotten_in_time():
    over, goes_on = (session(station) for station in ("CS1", "CS2"))
    ended = msgspec.structs.replace(over, fold=fold_of(START, STOP))
    lately = LatelyEnded()
    lately.note([Change(over, ended, None), Change(None, goes_on, None), Change(ended, ended, None)], NOON)

    assert lately.of({"CS1", "CS2"}, NOON + LATELY) == ["s-CS1"]
    assert lately.of({"CS2"}, NOON) == []
    assert lately.of({"CS1"}, NOON + LATELY + timedelta(seconds=1)) == []
    lately.note([], NOON + LATELY + timedelta(seconds=1))
    assert not lately._ended


def test_what_goes_on_at_an_evse_goes_before_what_ended_there():
    evse = NumberMark(0, 0, 1)
    older, newer = (
        msgspec.structs.replace(session("CS1"), session_id=name, fold=msgspec.structs.replace(fold, evse=evse))
        for name, fold in (("s-1", fold_of(START)), ("s-2", fold_of(START, STOP)))
    )

    assert whose(readings(), [older, newer]) is older
    assert whose(readings(), [newer]) is newer


def session(station_id):
    return Session(f"s-{station_id}", station_id, "2.0.1", "n", "", "t", NOON, NOON, fold_of(START))


async def test_readings_of_no_session_are_passed_over(service):
    applied = await service.apply(heard(service, metered(5, transactionId=4711)), heard(service, metered(5)))

    assert applied.records == []


async def test_readings_without_energy_ask_the_database_nothing(service):
    voltage = {"value": "230", "measurand": "Voltage"}
    request = {"connectorId": 1, "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [voltage]}]}

    await service.apply(heard(service, request))

    assert service.statements == []
