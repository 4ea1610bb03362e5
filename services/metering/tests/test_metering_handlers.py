"""What metering makes of records, on a real database: each reading stored and published once."""

import logging

import msgspec
import pytest
from chargebus_events.public import METER_READINGS, SESSION_ENDED, MeterReadings
from chargebus_events.topics import METER_VALUES

BEGIN = "2024-05-01T12:00:00Z"
SAMPLE = "2024-05-01T12:15:00Z"
END = "2024-05-01T12:30:00Z"


def meter_values(*values, timestamp=SAMPLE, **members):
    sampled = [value if isinstance(value, dict) else {"value": value} for value in values]
    meter_value = [{"timestamp": timestamp, "sampledValue": sampled}]
    return {"connectorId": 2, "transactionId": 77, "meterValue": meter_value, **members}


def stop(*values, **members):
    data = [{"timestamp": SAMPLE, "sampledValue": [{"value": value} for value in values]}] if values else []
    return {"transactionId": 77, "meterStop": 3000, "timestamp": END, "transactionData": data, **members}


def transaction_event(*values, **members):
    sampled = [{"value": value} for value in values]
    return {
        "transactionInfo": {"transactionId": "tx-1"},
        "meterValue": [{"timestamp": SAMPLE, "sampledValue": sampled}],
        **members,
    }


def published(records):
    assert all(record.topic == METER_VALUES for record in records)
    return [msgspec.json.decode(record.value, type=MeterReadings) for record in records]


def values(records):
    return [[reading.value for reading in message.readings] for message in published(records)]


STORED = "SELECT evse_id, connector_id, transaction_id, context, value FROM meter_reading ORDER BY reading_id"


async def test_a_transaction_of_1_6_is_stored_from_its_start_to_its_end(metering):
    await metering.apply(metering.log.session(meter_start_wh=1000.0))
    await metering.apply(metering.log.frame("1.6", "MeterValues", meter_values("2000")))
    await metering.apply(metering.log.frame("1.6", "StopTransaction", stop("2000")))
    assert await metering.rows(STORED) == [
        (2, 1, "77", "Transaction.Begin", 1000.0),
        (2, 1, "77", "Sample.Periodic", 2000.0),
        (2, 1, "77", "Transaction.End", 3000.0),
    ]


async def test_one_event_goes_out_for_each_message_with_all_its_readings(metering):
    frame = metering.log.frame("1.6", "MeterValues", meter_values("1", {"value": "7.4", "unit": "kW"}))
    [sent] = await metering.apply(frame)
    [message] = published([sent])
    assert (sent.topic, sent.key, dict(sent.headers)["ce_type"]) == (METER_VALUES, "cs-1", METER_READINGS.encode())
    assert (message.station_id, message.evse_id, message.transaction_id) == ("cs-1", 2, "77")
    assert [(reading.value, reading.unit) for reading in message.readings] == [(1.0, "Wh"), (7400.0, "W")]


async def test_a_message_sent_twice_is_stored_and_published_once(metering):
    first = await metering.apply(metering.log.frame("1.6", "MeterValues", meter_values("1", "2")))
    again = await metering.apply(metering.log.frame("1.6", "MeterValues", meter_values("1", "2")))
    assert (values(first), again) == ([[1.0, 2.0]], [])
    assert len(await metering.rows(STORED)) == 2


async def test_a_message_twice_in_one_batch_is_stored_and_published_once(metering):
    frames = [metering.log.frame("1.6", "MeterValues", meter_values("1", "2")) for _ in range(2)]
    assert values(await metering.apply(*frames)) == [[1.0, 2.0]]
    assert len(await metering.rows(STORED)) == 2


async def test_the_same_value_twice_in_one_message_is_one_reading(metering):
    frame = metering.log.frame("1.6", "MeterValues", meter_values("1", "1", "2"))
    assert values(await metering.apply(frame)) == [[1.0, 2.0]]


async def test_only_what_is_new_in_a_message_is_published(metering):
    await metering.apply(metering.log.frame("1.6", "MeterValues", meter_values("1")))
    frames = [metering.log.frame("1.6", "MeterValues", meter_values(*given)) for given in (("1", "2"), ("2", "3"))]
    assert values(await metering.apply(*frames)) == [[2.0], [3.0]]


async def test_the_start_of_a_session_is_one_reading_however_often_it_is_told(metering):
    sent = [await metering.apply(metering.log.session(), metering.log.session()) for _ in range(2)]
    assert [values(records) for records in sent] == [[[1000.0]], []]


@pytest.mark.parametrize(
    "members",
    [
        {"version": "2.0.1"},
        {"version": "2.1"},
        {"missing": ("started",)},
        {"started_at": None},
        {"meter_start_wh": None},
    ],
)
async def test_no_start_is_made_up_where_the_station_told_none_outside_its_samples(metering, members):
    assert await metering.apply(metering.log.session(**members)) == []


async def test_an_event_that_only_repeats_the_start_brings_no_reading(metering):
    assert await metering.apply(metering.log.session(kind=SESSION_ENDED)) == []
    assert values(await metering.apply(metering.log.session())) == [[1000.0]]


async def test_transaction_events_of_2_x_are_stored_under_their_transaction(metering):
    told = transaction_event(1, evse={"id": 3, "connectorId": 2})
    [sent] = await metering.apply(metering.log.frame("2.1", "TransactionEvent", told))
    [message] = published([sent])
    assert (message.evse_id, message.connector_id, message.transaction_id) == (3, 2, "tx-1")


async def test_a_message_that_names_only_its_transaction_gets_the_evse_of_its_session(metering):
    await metering.apply(metering.log.session(version="2.0.1", transaction_id="tx-1", evse_id=3, connector_id=2))
    [sent] = await metering.apply(metering.log.frame("2.0.1", "TransactionEvent", transaction_event(1)))
    [message] = published([sent])
    assert (message.evse_id, message.connector_id) == (3, 2)


async def test_a_session_in_the_same_batch_tells_the_evse_too(metering):
    sent = await metering.apply(metering.log.frame("1.6", "StopTransaction", stop()), metering.log.session())
    assert {message.evse_id for message in published(sent)} == {2}


@pytest.mark.parametrize("batches", [1, 2])
async def test_another_reading_of_the_transaction_tells_the_evse_before_its_session_does(metering, batches):
    frames = [
        metering.log.frame("1.6", "MeterValues", meter_values("2000")),
        metering.log.frame("1.6", "StopTransaction", stop()),
    ]
    size = len(frames) // batches
    sent = [record for at in range(0, len(frames), size) for record in await metering.apply(*frames[at : at + size])]
    assert [(message.evse_id, message.connector_id) for message in published(sent)] == [(2, 1), (2, 1)]


async def test_an_evse_that_is_told_later_is_mended_in_the_table(metering):
    [sent] = await metering.apply(metering.log.frame("1.6", "StopTransaction", stop()))
    assert published([sent])[0].evse_id == 0
    await metering.apply(metering.log.session(meter_start_wh=None))
    assert await metering.rows(STORED) == [(2, 1, "77", "Transaction.End", 3000.0)]


async def test_a_session_that_learns_its_evse_late_tells_its_readings(metering):
    await metering.apply(metering.log.session(evse_id=0, connector_id=0))
    await metering.apply(metering.log.session(evse_id=4, connector_id=1))
    assert await metering.rows(STORED) == [(4, 1, "77", "Transaction.Begin", 1000.0)]


@pytest.mark.parametrize(("evse_id", "connector_id"), [(4294967295, 1), (2**31, 1), (-1, -1), (3, 2**40), (10**30, 0)])
async def test_a_session_at_a_place_that_cannot_be_is_one_whose_place_nobody_told(metering, evse_id, connector_id):
    sent = await metering.apply(
        metering.log.session(evse_id=evse_id, connector_id=connector_id),
        metering.log.frame("1.6", "StopTransaction", stop()),
    )
    assert values(sent) == [[1000.0], [3000.0]]
    assert {(message.evse_id, message.connector_id, message.transaction_id) for message in published(sent)} == {
        (0, 0, "77")
    }
    assert await metering.rows("SELECT session_id, transaction_id, evse_id FROM charging_session") == [("s-1", "77", 0)]


@pytest.mark.parametrize("transaction_id", [0, -1])
async def test_a_stop_without_a_known_transaction_brings_readings_of_a_transaction(metering, transaction_id):
    text = str(transaction_id)
    sent = await metering.apply(
        metering.log.frame("1.6", "StopTransaction", stop("2000", transactionId=transaction_id)),
        metering.log.session(transaction_id=text, evse_id=0, connector_id=0, missing=("started",)),
    )
    [message] = published(sent)
    assert (message.evse_id, message.transaction_id) == (0, text)
    assert await metering.rows(STORED) == [
        (0, 0, text, "Sample.Periodic", 2000.0),
        (0, 0, text, "Transaction.End", 3000.0),
    ]


async def test_a_session_that_tells_no_evse_leaves_the_readings_of_its_transaction_untouched(metering):
    await metering.apply(metering.log.frame("1.6", "StopTransaction", stop(transactionId=-1)))
    before = await metering.rows("SELECT ctid::text FROM meter_reading")
    for session_id in ("s-1", "s-2"):
        await metering.apply(
            metering.log.session(session_id, transaction_id="-1", evse_id=0, connector_id=0, missing=("started",))
        )
    assert await metering.rows("SELECT ctid::text FROM meter_reading") == before


async def test_the_main_meter_keeps_evse_0(metering):
    await metering.apply(
        metering.log.frame("1.6", "MeterValues", meter_values("1", connectorId=0, transactionId=0)),
        metering.log.session(meter_start_wh=None),
    )
    assert await metering.rows(STORED) == [(0, 0, "", "Sample.Periodic", 1.0)]


async def test_a_session_without_a_transaction_tells_the_main_meter_nothing(metering):
    await metering.apply(
        metering.log.frame("1.6", "MeterValues", meter_values("1", connectorId=0, transactionId=0)),
    )
    await metering.apply(metering.log.session(transaction_id="", meter_start_wh=None))
    assert await metering.rows(STORED) == [(0, 0, "", "Sample.Periodic", 1.0)]


async def test_a_value_that_is_no_number_is_kept_counted_and_logged_and_the_rest_stored(metering, caplog):
    frame = metering.log.frame("1.6", "MeterValues", meter_values("1", "NaN", {"value": "x", "format": "SignedData"}))
    with caplog.at_level(logging.WARNING):
        sent = [await metering.apply(frame), await metering.apply(frame)]
    assert [values(records) for records in sent] == [[[1.0]], []]
    assert await metering.rows("SELECT station_id, evse_id, reason FROM set_aside_value ORDER BY reason") == [
        ("cs-1", 2, "not_a_number"),
        ("cs-1", 2, "signed"),
    ]
    assert sorted(message for message in caplog.messages if "set aside" in message) == [
        "cs-1: set aside 1 values: not_a_number",
        "cs-1: set aside 1 values: signed",
    ]


async def test_a_message_whose_place_cannot_be_stops_nobody(metering):
    frames = [
        metering.log.frame("1.6", "MeterValues", meter_values("1", connectorId=-5)),
        metering.log.frame("1.6", "MeterValues", meter_values("2")),
    ]
    assert values(await metering.apply(*frames)) == [[2.0]]
    [(reason, original)] = await metering.rows("SELECT reason, original FROM set_aside_value")
    assert (reason, msgspec.json.decode(original)["connectorId"]) == ("no_place", -5)


async def test_nul_bytes_from_a_station_stop_nobody(metering):
    told = transaction_event(1, transactionInfo={"transactionId": "tx\0"})
    told["meterValue"].append({"timestamp": "2024\0", "sampledValue": [{"value": 2}]})
    assert values(await metering.apply(metering.log.frame("2.1", "TransactionEvent", told))) == [[1.0, 2.0]]
    assert await metering.rows("SELECT transaction_id, value, quality FROM meter_reading ORDER BY value") == [
        ("tx", 1.0, ""),
        ("tx", 2.0, "time_of_arrival"),
    ]


@pytest.mark.parametrize("action", ["Authorize", "StartTransaction", "ReservationStatusUpdate"])
async def test_frames_without_readings_are_passed_over(metering, action):
    assert await metering.apply(metering.log.frame("1.6", action, {})) == []


async def test_a_frame_that_should_be_readable_and_is_not_is_our_fault(metering):
    with pytest.raises(msgspec.ValidationError):
        await metering.apply(metering.log.frame("1.6", "MeterValues", {"connectorId": "two"}))


async def test_a_long_message_is_stored_whole_and_published_in_parts(metering):
    many = [str(number) for number in range(4500)]
    sent = await metering.apply(metering.log.frame("1.6", "StopTransaction", stop(*many)))
    assert [len(part) for part in values(sent)] == [2000, 2000, 501]
    assert [value for part in values(sent) for value in part] == [3000.0, *(float(number) for number in range(4500))]
    assert len({dict(record.headers)["ce_id"] for record in sent}) == 3
    assert len(await metering.rows(STORED)) == 4501
