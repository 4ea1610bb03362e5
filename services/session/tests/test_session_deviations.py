"""What breaks its schema and can be understood is read like what is right: starts, stops, events and authorizations."""

import json

import msgspec
import pytest
from chargebus_ocppj.deviations import encode_deviations
from chargebus_ocppj.mending import examine
from chargebus_session.routes import ROUTES
from chargebus_session.tokens.domain import id_token
from chargebus_session.transactions.domain.events import PAYER_UNREADABLE, SEQUENCE_MISSING, TIMESTAMP_UNREADABLE
from chargebus_session.transactions.domain.fold import gaps, merge

AT = "2025-06-01T11:59:00Z"
LONG = "DE*ABC*123456789*0001"  # 21 characters
START = {"connectorId": 2, "idTag": "TAG", "meterStart": 7, "timestamp": AT}
STOP = {"transactionId": 5, "meterStop": 9, "timestamp": AT, "idTag": "TAG", "reason": "Local"}
ENDED = {
    "eventType": "Ended",
    "timestamp": AT,
    "triggerReason": "StopAuthorized",
    "seqNo": 3,
    "transactionInfo": {"transactionId": "t", "stoppedReason": "Local"},
    "evse": {"id": 1, "connectorId": 1},
    "idToken": {"idToken": "TAG", "type": "ISO14443"},
    "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 9, "context": "Transaction.End"}]}],
}


@pytest.fixture
def read(frame):
    def read(version, action, payload):
        examined = examine(version, action, json.dumps(payload).encode())
        assert examined.deviations
        assert examined.payload is not None
        deviations = encode_deviations(examined.deviations)
        made = msgspec.structs.replace(frame(version, action, examined.payload), deviations=deviations)
        return ROUTES[version, action].read(made)

    return read


@pytest.fixture
def right(frame):
    def right(version, action, payload):
        return ROUTES[version, action].read(frame(version, action, json.dumps(payload).encode()))

    return right


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"idTag": "TAG", "note": None}, {}),
        ({"connectorId": "2"}, {}),
        ({"connectorId": "2", "meterStart": "7"}, {}),
        ({"idTag": "T\0AG"}, {}),
        ({"reservationId": "x"}, {}),
        ({"idTag": 4711}, {"idTag": "4711"}),
        ({"meterStart": "7.25"}, {"meterStart": 7.25}),
        ({"timestamp": "2025-06-01T11:59:00"}, {}),
        ({"timestamp": "2025-06-01T13:59:00+02"}, {}),
    ],
)
def test_a_start_that_deviates_is_the_start_that_is_meant(read, right, change, meant):
    assert read("1.6", "StartTransaction", START | change) == right("1.6", "StartTransaction", START | meant)


def test_a_start_by_a_card_of_21_characters_has_all_of_them(read):
    event = read("1.6", "StartTransaction", START | {"idTag": LONG}).event

    assert event.token == id_token(LONG)


def test_a_start_without_its_meter_is_a_start_without_a_reading(read):
    report = read("1.6", "StartTransaction", {**START, "meterStart": None})

    assert report.event.samples == ()
    assert report.reference.start


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"transactionId": "5"}, {}),
        ({"meterStop": "9"}, {}),
        ({"meterStop": "9.25"}, {"meterStop": 9.25}),
        ({"meterStop": 9.25, "x": 1}, {"meterStop": 9.25}),
        ({"idTag": None}, {"idTag": ""}),
        ({"reason": ""}, {"reason": ""}),
        ({"reason": None}, {"reason": ""}),
        ({"reason": "reboot"}, {"reason": "Reboot"}),
        ({"reason": "SOCLimitReached"}, {"reason": "SOCLimitReached"}),
        ({"idTag": "TAG", "energy": 2}, {}),
        ({"timestamp": "2025-06-01T11:59:00"}, {}),
        (
            {"transactionData": {"sampledValue": {"value": 7}}},
            {"transactionData": [{"timestamp": AT, "sampledValue": [{"value": "7"}]}]},
        ),
        ({"transactionData": [{"timestamp": AT, "sampledValue": [{"value": "50", "unit": "Hz"}]}]}, {}),
        ({"transactionId": None}, {"transactionId": -1}),
    ],
)
def test_a_stop_that_deviates_is_the_stop_that_is_meant(read, right, change, meant):
    assert read("1.6", "StopTransaction", STOP | change) == right("1.6", "StopTransaction", STOP | meant)


@pytest.mark.parametrize("token", [{"idTag": "TAG"}, {"type": "ISO14443"}, [], {"idToken": {"idToken": "TAG"}}])
def test_an_event_whose_token_nobody_can_read_is_marked(read, token):
    started = {"eventType": "Started", "triggerReason": "Authorized"}
    event = read("2.0.1", "TransactionEvent", ENDED | started | {"idToken": token}).event

    assert (event.token, event.flags) == (None, (PAYER_UNREADABLE,))


def test_a_start_whose_token_nobody_can_read_is_marked(read):
    assert read("1.6", "StartTransaction", START | {"idTag": {"a": "TAG"}}).event.flags == (PAYER_UNREADABLE,)


@pytest.mark.parametrize("token", [None, "TAG", {"idToken": "TAG"}, ["TAG"]])
def test_an_event_whose_token_can_be_read_or_is_not_there_is_not_marked(read, token):
    assert read("2.0.1", "TransactionEvent", ENDED | {"idToken": token}).event.flags == ()


@pytest.mark.parametrize("said", [{"timestamp": None}, {"timestamp": "when?"}, {"timestamp": 0}, {"timestamp": {}}])
def test_a_stop_without_a_time_is_at_the_time_of_arrival_and_marked(read, noon, said):
    event = read("1.6", "StopTransaction", STOP | said).event

    assert (event.at, event.flags) == (noon, (TIMESTAMP_UNREADABLE,))


def test_a_stop_without_its_meter_ends_without_a_reading(read):
    event = read("1.6", "StopTransaction", {key: value for key, value in STOP.items() if key != "meterStop"}).event

    assert (event.kind, event.samples) == ("Ended", ())


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"seqNo": "3"}, {}),
        ({"eventType": "ended"}, {}),
        ({"offline": "false"}, {"offline": False}),
        ({"reservationId": None}, {}),
        ({"vendor": {"x": [1]}}, {}),
        ({"evse": [{"id": "1", "connectorId": 1}]}, {}),
        ({"evse": None}, {"evse": ...}),
        ({"idToken": {}}, {"idToken": ...}),
        ({"idToken": {"idToken": 4711, "type": "ISO14443"}}, {"idToken": {"idToken": "4711", "type": "ISO14443"}}),
        ({"transactionInfo": {"transactionId": "t", "stoppedReason": ""}}, {"transactionInfo": {"transactionId": "t"}}),
        ({"meterValue": {"sampledValue": {"value": "9", "context": "Transaction.End"}}}, {}),
        ({"meterValue": None}, {"meterValue": ...}),
        ({"timestamp": "2025-06-01T11:59:00"}, {}),
    ],
)
def test_an_event_that_deviates_is_the_event_that_is_meant(read, right, change, meant):
    expected = {name: value for name, value in (ENDED | meant).items() if value is not ...}

    assert read("2.0.1", "TransactionEvent", ENDED | change) == right("2.0.1", "TransactionEvent", expected)


def test_words_of_another_version_are_kept_as_they_are(read):
    info = {"transactionId": "t", "chargingState": "Parked", "stoppedReason": "ReqEnergyTransferRejected"}
    event = read("2.0.1", "TransactionEvent", ENDED | {"transactionInfo": info, "triggerReason": "TxResumed"}).event

    assert (event.charging_state, event.reason, event.trigger) == ("Parked", "ReqEnergyTransferRejected", "TxResumed")


@pytest.mark.parametrize(("kind", "number"), [("Started", 0), ("Ended", 1748779140000)])
def test_an_event_without_its_number_stands_where_its_kind_and_time_say_and_is_marked(read, kind, number):
    unnumbered = {key: value for key, value in ENDED.items() if key != "seqNo"} | {"eventType": kind}
    event = read("2.0.1", "TransactionEvent", unnumbered).event
    fold = merge(None, event, None)

    assert (event.number, event.flags) == (number, (SEQUENCE_MISSING,))
    assert (fold.seen, gaps(fold.seen), fold.flags) == ((), (), (SEQUENCE_MISSING,))


def test_a_reading_that_nobody_can_read_costs_none_of_the_others(read):
    values = [{"value": 7}, {"value": "a lot"}, {"value": 9, "context": "Transaction.End"}]
    event = read("2.0.1", "TransactionEvent", ENDED | {"meterValue": [{"timestamp": AT, "sampledValue": values}]}).event

    assert [sample.wh for sample in event.samples] == [7, 9]


@pytest.mark.parametrize(
    ("version", "payload", "token"),
    [
        ("1.6", {"idTag": "TAG", "reader": 2}, id_token("TAG")),
        ("1.6", {"idTag": LONG}, id_token(LONG)),
        ("1.6", {"idTag": 4711}, id_token("4711")),
        ("2.0.1", {"idToken": {"idToken": "TAG", "type": "ISO14443", "reader": 2}}, id_token("TAG", "ISO14443")),
        ("2.0.1", {"idToken": {"idToken": "TAG", "type": "RFID"}, "evse": None}, id_token("TAG", "RFID")),
    ],
)
def test_an_authorization_that_deviates_is_about_the_token_that_is_meant(read, version, payload, token):
    assert read(version, "Authorize", payload).token == token
