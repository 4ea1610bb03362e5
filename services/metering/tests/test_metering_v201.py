from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_metering import v201
from chargebus_metering.domain import readings
from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import PlaceError, Reason
from chargebus_metering.routes import ROUTES

ARRIVED = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
SIGNATURE = {"signedMeterData": "T0NNRg==", "encodingMethod": "OCMF", "signingMethod": "ECDSA", "publicKey": ""}


def normalise(message):
    return readings.normalise(message, ARRIVED)


def meter_value(*values, timestamp="2024-05-01T12:00:00Z"):
    return {"timestamp": timestamp, "sampledValue": list(values)}


def meter_values(*values, evse_id=1):
    return v201.meter_values("cs-1", msgspec.json.encode({"evseId": evse_id, "meterValue": [meter_value(*values)]}))


def transaction_event(**members):
    event = {
        "eventType": "Updated",
        "timestamp": "2024-05-01T12:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "tx-1"},
        **members,
    }
    return v201.transaction_event("cs-1", msgspec.json.encode(event))


def test_J01_FR_14_clock_aligned_values_outside_a_transaction():
    message = meter_values({"value": 12.5, "context": "Sample.Clock"}, evse_id=3)
    [reading] = normalise(message).readings
    assert message.place == Place("cs-1", 3, 0, "")
    assert (reading.value, reading.unit, reading.context) == (12.5, "Wh", "Sample.Clock")


def test_evse_0_is_the_main_meter():
    assert meter_values({"value": 1}, evse_id=0).place == Place("cs-1", 0)


def test_TC_J_07_values_of_a_started_event_belong_to_its_evse_and_transaction():
    message = transaction_event(
        eventType="Started",
        evse={"id": 2, "connectorId": 1},
        meterValue=[meter_value({"value": 100, "context": "Transaction.Begin"})],
    )
    assert message.place == Place("cs-1", 2, 1, "tx-1")
    assert [reading.context for reading in normalise(message).readings] == ["Transaction.Begin"]


def test_E01_FR_16_an_event_may_leave_its_evse_to_the_transaction():
    message = transaction_event(meterValue=[meter_value({"value": 100})])
    assert message.place == Place("cs-1", None, 0, "tx-1")


def test_an_event_without_values_brings_none():
    assert normalise(transaction_event()).readings == []


def test_E01_FR_16_the_same_reading_with_and_without_its_evse_is_one():
    values = [meter_value({"value": 100})]
    [told] = normalise(transaction_event(meterValue=values, evse={"id": 2})).readings
    [untold] = normalise(transaction_event(meterValue=values)).readings
    assert told.reading_id == untold.reading_id


@pytest.mark.parametrize(
    ("unit", "value", "base"),
    [
        ({"unit": "kWh"}, 12500.0, "Wh"),
        ({"unit": "Wh", "multiplier": 3}, 12500.0, "Wh"),
        ({"multiplier": -3}, 0.0125, "Wh"),
        ({"multiplier": 3.0}, 12500.0, "Wh"),
        ({"unit": "Furlong", "multiplier": 1}, 125.0, "Furlong"),
        ({"unit": "W\0"}, 12.5, "W"),
        ({}, 12.5, "Wh"),
    ],
)
def test_unit_and_multiplier_are_taken_into_the_base_unit(unit, value, base):
    [reading] = normalise(meter_values({"value": 12.5, "unitOfMeasure": unit})).readings
    assert (reading.value, reading.unit) == (value, base)


def test_the_original_is_kept_digit_by_digit():
    request = b'{"evseId":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value": 12.50 }]}]}'
    [reading] = normalise(v201.meter_values("cs-1", request)).readings
    assert (reading.original_value, reading.value) == ("12.50", 12.5)


@pytest.mark.parametrize("number", [b"1e999", b"-1e400"])
def test_a_number_beyond_all_numbers_is_set_aside(number):
    request = b'{"evseId":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value":%b}]}]}' % number
    result = normalise(v201.meter_values("cs-1", request))
    assert ([*result.readings], [aside.reason for aside in result.set_aside]) == ([], [Reason.NOT_A_NUMBER])


def test_a_multiplier_tells_readings_apart():
    readings = [
        normalise(meter_values({"value": 5, "unitOfMeasure": {"multiplier": multiplier}})).readings[0]
        for multiplier in (0, 3)
    ]
    assert readings[0].reading_id != readings[1].reading_id


@pytest.mark.parametrize("multiplier", [10**30, -(10**30), 1e300])
def test_an_absurd_multiplier_is_set_aside(multiplier):
    result = normalise(meter_values({"value": 1, "unitOfMeasure": {"multiplier": multiplier}}))
    assert ([*result.readings], [aside.reason for aside in result.set_aside]) == ([], [Reason.NOT_A_NUMBER])


def test_TC_J_11_a_signed_value_is_a_reading_and_its_signature_is_kept():
    result = normalise(meter_values({"value": 100, "signedMeterValue": SIGNATURE}))
    assert [reading.value for reading in result.readings] == [100.0]
    [aside] = result.set_aside
    assert aside.reason == Reason.SIGNED
    assert msgspec.json.decode(aside.original)["signature"] == SIGNATURE


@pytest.mark.parametrize("evse_id", [-1, 1.5, 1 << 31, 10**30, 1e300])
def test_an_evse_that_cannot_be_is_told_as_such(evse_id):
    with pytest.raises(PlaceError):
        meter_values({"value": 1}, evse_id=evse_id)


def test_an_integer_may_be_written_with_a_fraction_of_zero():
    assert meter_values({"value": 1}, evse_id=2.0).place.evse_id == 2


def test_a_transaction_id_loses_its_nul_bytes():
    message = transaction_event(transactionInfo={"transactionId": "tx\0-1"}, meterValue=[meter_value({"value": 1})])
    assert message.place.transaction_id == "tx-1"


def test_what_2_1_adds_is_read():
    request = {
        "evseId": 1,
        "meterValue": [
            meter_value(
                {"value": 11000, "measurand": "Power.Import.Offered", "location": "Upstream"},
                {"value": 80, "measurand": "Display.TargetSOC"},
            )
        ],
    }
    readings = normalise(v201.meter_values("cs-1", msgspec.json.encode(request))).readings
    assert [(reading.value, reading.unit, reading.location) for reading in readings] == [
        (11000.0, "W", "Upstream"),
        (80.0, "percent", "Outlet"),
    ]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_both_versions_bring_readings_in_both_messages(version):
    assert {action for known, action in ROUTES if known == version} == {"MeterValues", "TransactionEvent"}
