"""What the service makes of batches, on a real database."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import asyncpg
import msgspec
import pytest
from chargebus_commanding import Ask, Form
from chargebus_events.frames import CONTRACT_HEADER, Frame
from chargebus_events.topics import DOWNLINK, SESSION_EVENTS, frames_topic
from chargebus_session.remote import store as remote
from chargebus_session.remote.domain import RemoteStart
from chargebus_session.tables import Tables
from chargebus_session.tokens import store as tokens
from chargebus_testkit.tables import table_differences


def start(**changes):
    return {"connectorId": 1, "idTag": "GOOD", "meterStart": 100, "timestamp": "2025-06-01T12:00:00Z"} | changes


def stop(transaction_id, **changes):
    return {"transactionId": transaction_id, "meterStop": 1500, "timestamp": "2025-06-01T12:40:00Z"} | changes


def event(number, kind, **changes):
    request = {
        "eventType": kind,
        "timestamp": f"2025-06-01T12:{number:02d}:00Z",
        "triggerReason": "Trigger",
        "seqNo": number,
        "transactionInfo": {"transactionId": "tx-1"},
    }
    return request | changes


def metered(wh, context="Sample.Periodic", minute=0):
    value = {"value": wh, "context": context}
    return {"meterValue": [{"timestamp": f"2025-06-01T12:{minute:02d}:00Z", "sampledValue": [value]}]}


NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
_IS_CONTRACT = "UPDATE token SET type = 'eMAID', token_key = 'de-8aa-c12345678-d' WHERE token_key = 'good'"
SHOWN = "SELECT station_id, transaction_id, state, energy_wh, billable, stop_reason FROM charging_session"


async def test_the_tables_are_those_of_the_migrations(service):
    assert await table_differences(service.database.url, Tables.metadata) == []


async def test_a_copy_of_the_release_before_does_not_trip_over_a_new_column(service):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    try:
        await service.database.pool.execute("ALTER TABLE charging_session ADD COLUMN later text")
        await service.database.pool.execute("ALTER TABLE session_event ADD COLUMN later text")
        last = await service.apply(service.frame("StopTransaction", stop(started["transactionId"])))
    finally:
        await service.database.pool.execute("ALTER TABLE charging_session DROP COLUMN later")
        await service.database.pool.execute("ALTER TABLE session_event DROP COLUMN later")

    assert last.answers == [{}]


async def test_a_transaction_of_1_6_is_recorded_and_told(service):
    [started] = (first := await service.apply(service.frame("StartTransaction", start()))).answers
    last = await service.apply(service.frame("StopTransaction", stop(started["transactionId"])))

    assert started["idTagInfo"] == {"parentIdTag": "FAMILY", "status": "Accepted"}
    assert last.answers == [{}]
    assert await service.rows(SHOWN) == [("CS1", str(started["transactionId"]), "ended", 1400.0, True, "Local")]
    [(first_type, first_event)], [(last_type, last_event)] = first.events, last.events
    assert (first_type, last_type) == ("started", "ended")
    assert (first_event.meter_start_wh, first_event.evse_id, first_event.connector_id) == (100.0, 1, 1)
    assert (first_event.version, first_event.transaction_id) == ("1.6", str(started["transactionId"]))
    assert first_event.started_at == service.now
    assert (last_event.energy_wh, last_event.state, last_event.billable) == (1400.0, "ended", True)
    assert first_event.session_id == last_event.session_id


async def test_an_answer_goes_to_the_slot_and_connection_that_asked(service):
    [answer] = (await service.apply(service.frame("Authorize", {"idTag": "good"}))).records

    headers = dict(answer.headers)
    assert (answer.topic, answer.partition, headers["ocpp_epoch"], headers["ocpp_number"]) == (DOWNLINK, 3, b"7", b"1")


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_a_resent_start_gets_the_first_answer(service, in_one_batch):
    frames = [service.frame("StartTransaction", start()) for _ in range(2)]
    batches = [frames] if in_one_batch else [[each] for each in frames]
    applied = [await service.apply(*batch) for batch in batches]

    first, second = [answer for each in applied for answer in each.answers]
    assert first == second
    assert len([event for each in applied for event in each.events]) == 1
    assert len(await service.rows(SHOWN)) == 1


async def test_a_resent_start_gets_the_first_answer_though_the_token_was_blocked_since(service):
    first = await service.apply(service.frame("StartTransaction", start()))
    await service.database.pool.execute("UPDATE token SET blocked = true")
    again = await service.apply(service.frame("StartTransaction", start()))

    assert again.answers == first.answers


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_start_stop_and_a_second_stop(service, in_one_batch):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    stops = [
        service.frame("StopTransaction", stop(started["transactionId"], idTag="good")),
        service.frame("StopTransaction", stop(started["transactionId"], meterStop=9999)),
    ]
    batches = [stops] if in_one_batch else [[each] for each in stops]
    applied = [await service.apply(*batch) for batch in batches]

    first, second = [answer for each in applied for answer in each.answers]
    assert (first, second) == ({"idTagInfo": {"parentIdTag": "FAMILY", "status": "Accepted"}}, {})
    assert (await service.rows(SHOWN))[0][3] == 1400.0
    assert await service.rows("SELECT flags FROM charging_session") == [(["settled_before"],)]
    assert await service.rows("SELECT counts FROM session_event ORDER BY number, counts DESC") == [
        (True,),
        (True,),
        (False,),
    ]
    [told] = [event for each in applied for kind, event in each.events if kind == "updated"]
    assert (told.flags, told.energy_wh) == (("settled_before",), 1400.0)


async def test_a_second_stop_with_another_meter_value_is_logged(service, caplog):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    for meter_stop in (1500, 1500, 1400):
        await service.apply(service.frame("StopTransaction", stop(started["transactionId"], meterStop=meter_stop)))

    assert [record.message.split("again with ")[1] for record in caplog.records if "again with" in record.message] == [
        "another meter value"
    ]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_a_stop_that_lost_its_id_ends_the_one_transaction_that_is_charging_and_is_known_again(
    service, in_one_batch
):
    frames = [
        service.frame("StartTransaction", start()),
        service.frame("StopTransaction", stop(-1)),
        service.frame("StopTransaction", stop(-1)),
    ]
    for batch in [frames] if in_one_batch else [[each] for each in frames]:
        await service.apply(*batch)

    assert await service.rows(SHOWN) == [("CS1", "1", "ended", 1400.0, True, "Local")]
    assert await service.rows("SELECT count(*) FROM session_event") == [(2,)]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_transactions_of_a_station_without_a_clock_are_told_apart_by_their_ends(service, in_one_batch):
    begin = start(timestamp="0001-01-01T00:00:00Z", meterStart=0)
    frames = [
        service.frame("StartTransaction", begin),
        service.frame("StopTransaction", stop(1, meterStop=5100)),
        service.frame("StartTransaction", begin),
        service.frame("StartTransaction", begin),
        service.frame("StopTransaction", stop(2, meterStop=7100)),
        service.frame("StartTransaction", begin),
    ]
    batches = [frames] if in_one_batch else [[each] for each in frames]
    answers = [answer for batch in batches for answer in (await service.apply(*batch)).answers]

    assert [answer.get("transactionId") for answer in answers] == [1, None, 2, 2, None, 3]
    assert await service.rows("SELECT transaction_id, energy_wh, start <> '' FROM charging_session ORDER BY 1") == [
        ("1", 5100.0, False),
        ("2", 7100.0, False),
        ("3", None, True),
    ]


@pytest.mark.parametrize("transaction_id", [-1, 0, 4711])
async def test_a_stop_without_a_start_is_recorded_once(service, transaction_id):
    for _ in range(2):
        applied = await service.apply(service.frame("StopTransaction", stop(transaction_id)))
        assert applied.answers == [{}]

    shown = await service.rows("SELECT state, missing, energy_wh, billable FROM charging_session")
    assert shown == [("ended", ["started"], None, False)]


async def test_an_id_of_another_csms_does_not_stand_in_the_way_when_we_come_to_issue_it(service):
    await service.apply(service.frame("StopTransaction", stop(1)))
    [answer] = (await service.apply(service.frame("StartTransaction", start()))).answers
    await service.apply(service.frame("StopTransaction", stop(1)))

    assert answer["transactionId"] == 1
    assert await service.rows("SELECT energy_wh FROM charging_session ORDER BY energy_wh NULLS FIRST") == [
        (None,),
        (1400.0,),
    ]


async def test_a_meter_that_went_back_is_marked_told_and_logged(service, caplog):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    stopped = await service.apply(service.frame("StopTransaction", stop(started["transactionId"], meterStop=5)))

    assert await service.rows("SELECT energy_wh, flags FROM charging_session") == [(None, ["meter_went_back"])]
    [(_, event)] = stopped.events
    assert (event.energy_wh, event.flags) == (None, ("meter_went_back",))
    assert "meter_went_back" in caplog.text


@pytest.mark.parametrize("id_tag", ["blocked", "EXPIRED", "nobody"])
async def test_a_start_with_an_invalid_tag_is_never_billed(service, id_tag):
    [answer] = (applied := await service.apply(service.frame("StartTransaction", start(idTag=id_tag)))).answers
    last = await service.apply(service.frame("StopTransaction", stop(answer["transactionId"], reason="DeAuthorized")))

    assert answer["idTagInfo"]["status"] == {"nobody": "Invalid"}.get(id_tag, id_tag.capitalize())
    assert [event.billable for _, event in (*applied.events, *last.events)] == [False, False]


async def test_control_bytes_from_a_station_stop_nobody(service):
    request = event(0, "Started", idToken={"idToken": "A\x00\x01B", "type": "Local"})
    request["transactionInfo"] = {"transactionId": "t\x00x", "chargingState": "Charging"}
    applied = await service.apply(service.frame("TransactionEvent", request, "2.0.1"))

    assert applied.answers == [{"idTokenInfo": {"status": "Unknown"}}]
    assert (await service.rows("SELECT transaction_id, id_token FROM charging_session")) == [("tx", "AB")]


async def test_a_transaction_of_2_x_in_any_order_over_batches(service):
    started = event(0, "Started", idToken={"idToken": "good", "type": "ISO14443"}, **metered(100, "Transaction.Begin"))
    ended = event(3, "Ended", **metered(700, "Transaction.End", 3))
    kinds = []
    for request in (ended, event(1, "Updated", **metered(300, minute=1)), started):
        applied = await service.apply(service.frame("TransactionEvent", request, "2.0.1"))
        kinds += [(kind, found.state, found.gaps, found.missing) for kind, found in applied.events]

    assert kinds == [
        ("ended", "ended", (), ("started",)),
        ("updated", "ended", ((2, 2),), ("started",)),
        ("started", "ended", ((2, 2),), ()),
    ]
    assert await service.rows(SHOWN) == [("CS1", "tx-1", "ended", 600.0, True, "Local")]
    assert await service.rows("SELECT gaps FROM charging_session") == [("[[2,2]]",)]


async def test_a_whole_transaction_in_one_batch(service):
    begin, end = metered(100, "Transaction.Begin"), metered(700, "Transaction.End", 3)
    requests = [event(0, "Started", **begin), event(1, "Updated", **metered(300, minute=1)), event(2, "Ended", **end)]
    await service.apply(*[service.frame("TransactionEvent", request, "2.0.1") for request in requests])

    assert await service.rows(SHOWN) == [("CS1", "tx-1", "ended", 600.0, False, "Local")]
    assert await service.rows("SELECT number, kind FROM session_event ORDER BY number") == [
        (0, "Started"),
        (1, "Updated"),
        (2, "Ended"),
    ]


async def test_E13_a_resent_event_gets_the_first_answer(service):
    started = event(0, "Started", idToken={"idToken": "good", "type": "ISO14443"})
    first = await service.apply(service.frame("TransactionEvent", started, "2.0.1"))
    await service.database.pool.execute("DELETE FROM token")
    again = await service.apply(service.frame("TransactionEvent", started, "2.1"))

    assert again.answers == first.answers
    assert again.events == []


def of_two_drivers():
    """A station that counts its transactions and their events anew after a boot: GOOD takes 2 kWh, then CARD 5 kWh."""

    def of(id_token, wh, hour, *numbers):
        kinds = dict.fromkeys(numbers, "Updated") | {0: "Started", numbers[-1]: "Ended"}
        for number, kind in kinds.items():
            more = metered(wh[0], "Transaction.Begin") if kind == "Started" else {}
            more |= metered(wh[1], "Transaction.End") if kind == "Ended" else {}
            more |= {"idToken": {"idToken": id_token, "type": "ISO14443"}} if kind == "Started" else {}
            yield event(number, kind, **more, timestamp=f"2025-06-01T{hour}:{number:02d}:00Z")

    return [*of("good", (0, 2000), "09", 0, 2), *of("card", (2000, 7000), "10", 0, 1, 2)]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_E01_FR_08_a_transaction_id_used_again_is_another_session_told_and_logged(service, caplog, in_one_batch):
    frames = [service.frame("TransactionEvent", request, "2.0.1") for request in of_two_drivers()]
    batches = [frames] if in_one_batch else [[each] for each in frames]
    applied = [await service.apply(*batch) for batch in batches]

    shown = "SELECT id_token, energy_wh, flags, gaps FROM charging_session ORDER BY begun_at"
    once = await service.rows(shown)
    reused = ["transaction_id_reused"]
    assert once == [("good", 2000.0, reused, "[[1,1]]"), ("card", 5000.0, reused, "[]")]
    ids = await service.rows("SELECT session_id::text FROM charging_session ORDER BY begun_at")
    first, second = (session_id for (session_id,) in ids)
    assert [name for each in applied for name in each.ids(SESSION_EVENTS)] == [
        f"{first}/0/Started",
        f"{first}/2/Ended",
        f"{first}/transaction_id_reused",
        f"{second}/0/Started",
        f"{second}/2/Ended",
    ]
    assert caplog.text.count("is marked transaction_id_reused") == 2

    again = [service.frame("TransactionEvent", request | {"offline": True}, "2.0.1") for request in of_two_drivers()]
    repeated = [await service.apply(*batch) for batch in ([again] if in_one_batch else [[each] for each in again])]
    assert await service.rows(shown) == once
    assert [each.events for each in repeated] == [[]] * len(repeated)
    answers = [answer for each in applied for answer in each.answers]
    assert [answer for each in repeated for answer in each.answers] == answers


async def test_an_event_from_before_contents_were_kept_is_known_by_its_number_and_time(service):
    await service.apply(service.frame("TransactionEvent", event(0, "Started"), "2.0.1"))
    await service.database.pool.execute("UPDATE session_event SET content = ''")
    again = await service.apply(service.frame("TransactionEvent", event(0, "Started"), "2.0.1"))

    assert (again.answers, again.events) == ([{}], [])
    assert await service.rows("SELECT count(*) FROM session_event") == [(1,)]


async def test_a_station_that_gives_out_one_id_for_ever_costs_one_more_round_trip_and_is_probed_not_scanned(service):
    for minute in range(40):
        when = {"timestamp": f"2025-06-01T10:{minute:02d}:00Z"}
        requests = [event(0, "Started", **when), event(1, "Ended", **when)]
        await service.apply(*[service.frame("TransactionEvent", request, "2.0.1") for request in requests])

    assert await service.rows("SELECT count(*), count(ended_at) FROM charging_session") == [(40, 40)]
    assert len(service.statements) == 3
    [query] = [query for query in service.statements if "r.after" in query]
    arguments = (["CS1"], ["tx-1"], ["reused/tx-1/"], ["reused/tx-10"], [0], ["Started"], ["x"])
    await service.apply(*[service.frame("StartTransaction", start(), station_id=f"CS{n}") for n in range(2, 400)])
    await service.database.pool.execute("VACUUM ANALYZE charging_session, session_event")
    plan = "\n".join(row[0] for row in await service.database.pool.fetch(f"EXPLAIN {query}", *arguments))
    assert "Seq Scan" not in plan


async def test_events_have_ids_of_their_own_facts(service):
    applied = await service.apply(
        service.frame("TransactionEvent", event(0, "Started"), "2.0.1"),
        service.frame("TransactionEvent", event(1, "Ended"), "2.0.1"),
    )

    [(session_id,)] = await service.rows("SELECT session_id::text FROM charging_session")
    assert applied.ids(SESSION_EVENTS) == [f"{session_id}/0/Started", f"{session_id}/1/Ended"]


async def test_the_progress_of_a_meter_is_no_news_but_a_change_of_state_is(service):
    charging = {"transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"}}
    await service.apply(service.frame("TransactionEvent", event(0, "Started"), "2.0.1"))
    progress = await service.apply(service.frame("TransactionEvent", event(1, "Updated", **metered(5)), "2.0.1"))
    change = await service.apply(service.frame("TransactionEvent", event(2, "Updated", **charging), "2.0.1"))

    assert progress.events == []
    assert [(kind, found.charging_state) for kind, found in change.events] == [("updated", "Charging")]


async def test_transactions_of_one_token_in_one_batch_see_each_other(service):
    applied = await service.apply(
        service.frame("StartTransaction", start(idTag="single")),
        service.frame("StartTransaction", start(idTag="single"), station_id="CS2"),
    )

    assert [answer["idTagInfo"]["status"] for answer in applied.answers] == ["Accepted", "ConcurrentTx"]


async def test_transactions_of_one_token_in_two_batches_see_each_other(service):
    [first] = (await service.apply(service.frame("StartTransaction", start(idTag="single")))).answers
    second = await service.apply(service.frame("StartTransaction", start(idTag="single"), station_id="CS2"))
    await service.apply(service.frame("StopTransaction", stop(first["transactionId"])))
    late = start(idTag="single", timestamp="2025-06-01T14:00:00Z")
    third = await service.apply(service.frame("StartTransaction", late, station_id="CS3"))

    assert second.answers[0]["idTagInfo"]["status"] == "ConcurrentTx"
    assert third.answers[0]["idTagInfo"]["status"] == "Accepted"  # though the one on CS2, that refused it, goes on


async def test_trying_again_and_again_does_not_get_a_token_in_that_charges_elsewhere(service):
    statuses = set()
    await service.apply(service.frame("StartTransaction", start(idTag="single")))
    for number in range(25):
        again = service.frame("StartTransaction", start(idTag="single"), station_id=f"CX{number}")
        statuses |= {answer["idTagInfo"]["status"] for answer in (await service.apply(again)).answers}

    assert statuses == {"ConcurrentTx"}


async def test_what_a_station_without_a_clock_reported_began_when_it_was_received(service):
    await service.apply(service.frame("StartTransaction", start(idTag="single", timestamp="1970-01-01T00:00:30Z")))
    early = start(idTag="single", timestamp="2025-06-01T09:00:00Z")
    applied = await service.apply(service.frame("StartTransaction", early, station_id="CS2"))

    assert applied.answers[0]["idTagInfo"]["status"] == "Accepted"


async def test_each_transaction_gets_an_id_of_its_own(service):
    frames = [service.frame("StartTransaction", start(), station_id=f"CS{n}") for n in range(150)]
    applied = [*(await service.apply(*frames[:120])).answers, *(await service.apply(*frames[120:])).answers]

    assert len({answer["transactionId"] for answer in applied}) == 150


async def test_a_batch_takes_three_round_trips(service):
    frames = [service.frame("StartTransaction", start(), station_id=f"CS{n}") for n in range(50)]
    await service.apply(*frames)
    await service.apply(*[service.frame("StartTransaction", start(), station_id=f"CX{n}") for n in range(20)])

    assert len(service.statements) == 3


async def test_what_is_read_of_sessions_is_probed_not_scanned(service):
    await service.apply(*[service.frame("StartTransaction", start(), station_id=f"CS{n}") for n in range(400)])
    await service.database.pool.execute("VACUUM ANALYZE charging_session")
    await service.apply(service.frame("StartTransaction", start()), service.frame("StopTransaction", stop(1)))
    [query] = [query for query in service.statements if "r.start" in query]

    station, name = ["CS1"] * 50, ["issued/1"] * 50
    arguments = (station, name, [0] * 50, ["Ended"] * 50, name, station, name, [0] * 50, name, service.now, station)
    plan = "\n".join(row[0] for row in await service.rows(f"EXPLAIN {query}", *arguments))
    assert "Seq Scan" not in plan


async def test_actions_of_this_service_that_have_no_route_are_refused_and_fixed_ones_left_alone(service):
    applied = await service.apply(
        service.frame("VatNumberValidation", {"vatNumber": "x"}, "2.1"),
        service.frame("BatterySwap", {"batteryData": [], "eventType": "BatteryIn", "requestId": 1}, "2.1"),
        service.frame("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Removed"}, "2.0.1"),
        service.frame("Authorize", {"idToken": {"idToken": "good", "type": "Central"}}, "2.1"),
    )

    assert [answer.get("code") for answer in applied.answers] == ["NotSupported", None]
    assert applied.answers[1] == {
        "idTokenInfo": {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}, "status": "Accepted"}
    }


async def test_a_payload_that_no_column_holds_is_refused_alone(service):
    applied = await service.apply(
        service.frame("TransactionEvent", event(2**70, "Started"), "2.0.1"),
        service.frame("TransactionEvent", event(0, "Started"), "2.0.1"),
    )

    assert [answer.get("code") for answer in applied.answers] == ["PropertyConstraintViolation", None]
    assert len(await service.rows(SHOWN)) == 1


async def test_a_parked_frame_is_answered_with_an_internal_error(service):
    [refused] = service.consumed.refuse(service.frame("StartTransaction", start()), "why")

    assert (refused.topic, json.loads(refused.value)["code"]) == (DOWNLINK, "InternalError")


async def test_a_parked_record_that_is_no_frame_is_answered_by_nothing(service):
    assert list(service.consumed.refuse(service.outcome("c1"), "why")) == []
    broken = msgspec.structs.replace(service.frame("Authorize", {}), headers={})
    assert list(service.consumed.refuse(broken, "why")) == []


ADD_START = "INSERT INTO remote_start VALUES ($2, 'CS1', $1, 'good', $3, true, NULL)"


@pytest.mark.parametrize(
    ("outcome", "pending"),
    [
        ({"payload": msgspec.Raw(b'{"status":"Accepted"}')}, True),
        ({"payload": msgspec.Raw(b'{"status":"Rejected"}')}, False),
        ({"payload": msgspec.Raw(b'{"status":7}'), "error_code": "FormatViolation"}, True),
        ({"payload": msgspec.Raw(b'{"status":"accepted"}'), "error_code": "PropertyConstraintViolation"}, True),
        ({"payload": msgspec.Raw(b'{"status":"rejected"}'), "error_code": "PropertyConstraintViolation"}, False),
        ({"payload": msgspec.Raw(b"[1]")}, True),
        ({"outcome": "undeliverable", "reason": "not connected"}, False),
    ],
)
async def test_a_remote_start_that_its_station_did_not_accept_leads_to_nothing(service, outcome, pending):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    async with service.database.transaction() as tx:
        ask = Ask("CS1", "start", (Form(("1.6",), "RemoteStartTransaction", b"{}"),), subject="5")
        asked = await service.commanding.ask(tx, ask)
    await service.apply(service.outcome(asked.command_id, intent="start", subject="5", **outcome))

    assert await service.rows("SELECT pending FROM remote_start") == [(pending,)]


async def test_F01_a_remote_start_is_linked_to_the_session_that_names_it(service):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    named = event(0, "Started", transactionInfo={"transactionId": "tx-1", "remoteStartId": 5})
    applied = await service.apply(service.frame("TransactionEvent", named, "2.0.1"))

    [(session_id,)] = await service.rows("SELECT session_id::text FROM charging_session")
    assert await service.rows("SELECT session_id::text FROM remote_start") == [(session_id,)]
    assert applied.events[0][1].remote_start_id == 5


async def test_a_start_that_names_a_remote_start_and_no_token_belongs_to_whom_that_named(service):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    named = event(0, "Started", transactionInfo={"transactionId": "tx-1", "remoteStartId": 5})

    applied = await service.apply(service.frame("TransactionEvent", named, "2.0.1"))

    [(_, told)] = applied.events
    assert (told.id_token, told.authorization, told.billable) == ("GOOD", "Accepted", True)
    assert told.flags == ("token_from_remote_start",)
    assert applied.answers == [{}]


async def test_a_remote_start_of_another_station_names_nobody(service):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    named = event(0, "Started", transactionInfo={"transactionId": "tx-1", "remoteStartId": 5})

    applied = await service.apply(service.frame("TransactionEvent", named, "2.0.1", station_id="CS2"))

    assert (applied.events[0][1].id_token, applied.events[0][1].flags) == ("", ())


@pytest.mark.parametrize(
    ("evse_id", "age", "pending", "linked"),
    [(1, 60, True, 5), (2, 60, True, None), (1, 3600, True, None), (1, 60, False, None)],
)
async def test_a_remote_start_of_1_6_is_linked_by_connector_token_and_time(service, evse_id, age, pending, linked):
    await service.database.pool.execute(ADD_START, evse_id, 5, service.now - timedelta(seconds=age))
    await service.database.pool.execute("UPDATE remote_start SET pending = $1", pending)
    applied = await service.apply(service.frame("StartTransaction", start()))

    assert applied.events[0][1].remote_start_id == linked
    assert await service.rows("SELECT count(session_id) FROM remote_start") == [(1 if linked else 0,)]


async def test_a_remote_start_of_1_6_that_led_to_nothing_leaves_the_next_one_its_session(service):
    for number, age_s in ((5, 120), (6, 60), (7, 90)):
        await service.database.pool.execute(ADD_START, 1, number, service.now - timedelta(seconds=age_s))
    applied = await service.apply(service.frame("StartTransaction", start()))

    assert applied.events[0][1].remote_start_id == 6
    assert await service.rows("SELECT remote_start_id FROM remote_start WHERE session_id IS NOT NULL") == [(6,)]


async def test_a_start_that_waited_in_a_queue_takes_no_remote_start_from_after_it(service):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    applied = await service.apply(
        service.frame("StartTransaction", start(timestamp="2025-06-01T10:00:00Z")),
        service.frame("StartTransaction", start()),
    )

    assert [found.remote_start_id for _, found in applied.events] == [None, 5]


async def test_a_remote_start_makes_one_session(service):
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    later = start(timestamp="2025-06-01T12:00:30Z")
    applied = await service.apply(service.frame("StartTransaction", start()), service.frame("StartTransaction", later))

    assert [found.remote_start_id for _, found in applied.events] == [5, None]


async def test_a_remote_start_leads_to_its_session_without_a_clock_though_an_equal_one_was_before(service):
    begin = start(timestamp="0001-01-01T00:00:00Z", meterStart=0)
    await service.apply(service.frame("StartTransaction", begin), service.frame("StopTransaction", stop(1)))
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    applied = await service.apply(service.frame("StartTransaction", begin))

    assert applied.events[0][1].remote_start_id == 5


async def test_a_resent_start_takes_no_remote_start(service):
    await service.apply(service.frame("StartTransaction", start()))
    await service.database.pool.execute(ADD_START, 1, 5, service.now)
    await service.apply(service.frame("StartTransaction", start()))

    assert await service.rows("SELECT session_id FROM remote_start") == [(None,)]


async def test_what_was_rolled_back_leaves_nothing_behind(service):
    async def failing():
        async with service.database.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await failing()
    first = await service.apply(service.frame("StartTransaction", start()))
    assert len(first.events) == 1


async def test_C07_a_contract_certificate_goes_round_by_security_and_is_answered_when_it_comes_back(service):
    await service.database.pool.execute(_IS_CONTRACT)
    shown = {"idToken": {"idToken": "DE8AAC12345678", "type": "eMAID"}, "certificate": "a chain"}
    asked = service.frame("Authorize", shown, "2.0.1")

    first = await service.apply(asked)

    [sent_on] = first.records
    assert (sent_on.topic, sent_on.key, sent_on.value) == (frames_topic("security"), "CS1", asked.value)
    frame = Frame.read(service.received(sent_on))
    back = service.received(frame.record(frames_topic("session"), (CONTRACT_HEADER, b'{"status":"Accepted"}')))
    assert (await service.apply(back)).answers == [
        {"idTokenInfo": {"status": "Accepted", "groupIdToken": ANY}, "certificateStatus": "Accepted"}
    ]


async def test_C07_a_transaction_by_contract_is_accepted_however_the_emaid_is_written(service):
    await service.database.pool.execute(_IS_CONTRACT)
    started = event(0, "Started", idToken={"idToken": "DE8AAC12345678", "type": "eMAID"})
    other = event(0, "Started", idToken={"idToken": "DE8AAC12345678", "type": "ISO14443"})

    answers = (await service.apply(service.frame("TransactionEvent", started, "2.0.1"))).answers
    answers += (await service.apply(service.frame("TransactionEvent", other, "2.0.1", "CS2"))).answers

    assert [each["idTokenInfo"]["status"] for each in answers] == ["Accepted", "Unknown"]


async def test_a_contract_that_charges_once_at_a_time_is_in_use_however_its_emaid_was_written(service):
    await service.database.pool.execute(_IS_CONTRACT)
    await service.database.pool.execute("UPDATE token SET concurrent = false")
    told = []
    for station_id, emaid in (("CS1", "DE8AAC12345678"), ("CS2", "DE-8AA-C12345678-D"), ("CS3", "de8aac12345678d")):
        started = event(0, "Started", idToken={"idToken": emaid, "type": "eMAID"})
        told += (await service.apply(service.frame("TransactionEvent", started, "2.0.1", station_id))).answers

    assert [each["idTokenInfo"]["status"] for each in told] == ["Accepted", "ConcurrentTx", "ConcurrentTx"]


async def test_C07_FR_16_a_transaction_is_refused_where_the_certificate_of_its_contract_was(service):
    await service.database.pool.execute(_IS_CONTRACT)
    await service.database.pool.execute("UPDATE token SET concurrent = true")
    transactions = itertools.count(1)

    def frame(action, payload, version="2.0.1", station_id="CS1"):
        return service.frame(action, payload, version, station_id)

    async def shown(status, emaid="DE8AAC12345678"):
        asked = Frame.read(frame("Authorize", {"idToken": {"idToken": emaid, "type": "eMAID"}, "certificate": "chain"}))
        check = json.dumps({"status": status}).encode()
        back = service.received(asked.record(frames_topic("session"), (CONTRACT_HEADER, check)))
        [answer] = (await service.apply(back)).answers
        return answer["idTokenInfo"]["status"]

    async def begun(station_id="CS1", **changes):
        token = {"idToken": {"idToken": "DE8AAC12345678D", "type": "eMAID"}}
        info = {"transactionInfo": {"transactionId": f"tx-{next(transactions)}"}}
        started = event(0, "Started", **token | info | changes)
        [answer] = (await service.apply(frame("TransactionEvent", started, station_id=station_id))).answers
        return answer["idTokenInfo"]["status"]

    assert (await shown("CertificateRevoked"), await begun()) == ("Invalid", "Invalid")
    assert await service.rows("SELECT token_status, billable FROM charging_session") == [("Invalid", False)]
    assert await begun("CS2") == "Accepted"
    assert await begun(timestamp="2025-06-01T11:00:00Z", offline=True) == "Accepted"  # it was before
    by_idtag = frame("StartTransaction", start(idTag="DE8AAC12345678"), "1.6")
    assert (await service.apply(by_idtag)).answers[0]["idTagInfo"]["status"] == "Invalid"
    assert (await shown("CertificateExpired"), await begun()) == ("Expired", "Expired")
    assert (await shown("Accepted", "DE-8AA-C12345678"), await begun()) == ("Accepted", "Accepted")


async def test_C07_only_the_transaction_of_a_remote_start_outweighs_that_a_certificate_was_refused(service):
    await service.database.pool.execute(_IS_CONTRACT)
    await service.database.pool.execute("UPDATE token SET concurrent = true, id_token = 'DE-8AA-C12345678-D'")
    transactions = itertools.count(1)

    async def refuse(at):
        payload = {"idToken": {"idToken": "DE8AAC12345678", "type": "eMAID"}, "certificate": "chain"}
        asked = Frame.read(service.frame("Authorize", payload, "2.0.1"))
        asked = msgspec.structs.replace(asked, received_at=at)
        check = (CONTRACT_HEADER, b'{"status":"CertificateRevoked"}')
        await service.apply(service.received(asked.record(frames_topic("session"), check)))

    async def begun(**changes):
        token = {"idToken": {"idToken": "DE8AAC12345678D", "type": "eMAID"}}
        info = {"transactionInfo": {"transactionId": f"tx-{next(transactions)}"} | changes}
        started = service.frame("TransactionEvent", event(0, "Started", **token | info), "2.0.1")
        return (await service.apply(started)).answers[0]["idTokenInfo"]["status"]

    async def begun_by_1_6():
        minute = next(transactions)
        payload = start(idTag="DE-8AA-C12345678-D", timestamp=f"2025-06-01T12:{minute:02d}:00Z")
        return (await service.apply(service.frame("StartTransaction", payload))).answers[0]["idTagInfo"]["status"]

    async def ask(remote_start_id):
        asked = RemoteStart(remote_start_id, "CS1", 1, "de-8aa-c12345678-d", NOON)
        await remote.add(service.database.pool, asked)

    await refuse(NOON - timedelta(seconds=10))
    await ask(1)
    assert await begun() == "Invalid"  # whatever else begins there meanwhile
    assert await begun(remoteStartId=1) == "Accepted"
    assert await begun(remoteStartId=1) == "Invalid"  # it is no way in for ever
    await ask(2)
    assert (await begun_by_1_6(), await begun_by_1_6()) == ("Accepted", "Invalid")
    await ask(3)
    await refuse(NOON + timedelta(seconds=10))
    service.now = NOON + timedelta(seconds=20)
    assert await begun(remoteStartId=3) == "Invalid"  # it was refused after the operator asked


async def test_C07_a_check_that_took_longer_does_not_outweigh_a_certificate_that_was_shown_later(service):
    await service.database.pool.execute(_IS_CONTRACT)

    def shown(status, at):
        payload = {"idToken": {"idToken": "DE8AAC12345678", "type": "eMAID"}, "certificate": "chain"}
        asked = msgspec.structs.replace(Frame.read(service.frame("Authorize", payload, "2.0.1")), received_at=at)
        check = (CONTRACT_HEADER, json.dumps({"status": status}).encode())
        return service.received(asked.record(frames_topic("session"), check))

    earlier, later = NOON - timedelta(seconds=10), NOON - timedelta(seconds=5)
    await service.apply(shown("Accepted", later))
    await service.apply(shown("CertificateRevoked", earlier))
    assert await service.rows("SELECT status, shown_at FROM contract_verdict") == [("Accepted", later)]
    await service.apply(shown("CertificateRevoked", NOON), shown("Accepted", earlier))
    assert await service.rows("SELECT status, shown_at FROM contract_verdict") == [("Invalid", NOON)]

    await tokens.forget_accepted(service.database.pool, NOON + timedelta(days=1))
    assert await service.rows("SELECT count(*) FROM contract_verdict") == [(1,)]
    await service.apply(shown("Accepted", NOON))
    await tokens.forget_accepted(service.database.pool, NOON + timedelta(days=1))
    assert await service.rows("SELECT count(*) FROM contract_verdict") == [(0,)]


async def test_C07_a_contract_that_charges_goes_on_though_another_certificate_with_its_name_is_refused(service):
    await service.database.pool.execute(_IS_CONTRACT)
    token = {"idToken": {"idToken": "DE8AAC12345678", "type": "eMAID"}}
    asked = Frame.read(service.frame("Authorize", token | {"certificate": "chain"}, "2.0.1"))
    back = service.received(asked.record(frames_topic("session"), (CONTRACT_HEADER, b'{"status":"SignatureError"}')))
    told = []
    for number, kind in enumerate(("Started", "Updated")):
        told += (await service.apply(service.frame("TransactionEvent", event(number, kind, **token), "2.0.1"))).answers
        await service.apply(back)

    assert [each["idTokenInfo"]["status"] for each in told] == ["Accepted", "Accepted"]
