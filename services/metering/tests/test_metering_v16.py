from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_metering import v16
from chargebus_metering.domain import readings
from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import PlaceError, Reason
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.mending import examine
from chargebus_ocppj.schemas import validate_call
from hypothesis import assume, given
from hypothesis import strategies as st

ARRIVED = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
SUFFIXES = ("", ".0", "e0", ".00E+00")
METER_VALUE = b'{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value":"1234"}]}'
REQUESTS = {
    "MeterValues": b'{"connectorId":%b,"transactionId":%b,"meterValue":[' + METER_VALUE + b"]}",
    "StopTransaction": b'{"meterStop":%b,"transactionId":%b,"timestamp":"2024-05-01T13:00:00Z"}',
}

integers = st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31))
beyond = st.one_of(integers, st.integers(), st.integers(-(10**400), 10**400))
suffixes = st.tuples(st.sampled_from(SUFFIXES), st.sampled_from(SUFFIXES))
actions = st.sampled_from(sorted(REQUESTS))


def written(action, numbers, suffixes):
    return REQUESTS[action] % tuple(
        f"{number}{suffix}".encode() for number, suffix in zip(numbers, suffixes, strict=True)
    )


def normalise(message, received_at=ARRIVED):
    return readings.normalise(message, received_at)


def passes_the_edge(action, request):
    try:
        validate_call("1.6", action, request)
    except OcppError:
        return False
    return True


READ = {"MeterValues": v16.meter_values, "StopTransaction": v16.stop_transaction}


def read(action, request):
    """Return the place and the readings of a request, None if the place cannot be."""
    try:
        message = READ[action]("cs-1", request)
    except PlaceError:
        return None
    return message.place, normalise(message)


def sampled(**members):
    return {"value": "1234", **members}


def payload(*values, timestamp="2024-05-01T12:00:00Z", **members):
    meter_value = [{"timestamp": timestamp, "sampledValue": list(values)}]
    return msgspec.json.encode({"connectorId": 2, "transactionId": 77, "meterValue": meter_value, **members})


def read_one(*values, **members):
    return normalise(v16.meter_values("cs-1", payload(*values, **members)))


def test_a_bare_value_is_the_import_register_in_wh_at_the_outlet():
    [reading] = read_one(sampled()).readings
    assert reading.measurand == "Energy.Active.Import.Register"
    assert (reading.value, reading.unit) == (1234.0, "Wh")
    assert (reading.context, reading.location, reading.phase) == ("Sample.Periodic", "Outlet", "")
    assert (reading.original_value, reading.original_unit, reading.multiplier) == ("1234", "", 0)
    assert reading.sampled_at.isoformat() == "2024-05-01T12:00:00+00:00"


def test_every_member_of_a_sampled_value_is_kept():
    value = sampled(
        value="7.4", unit="kW", measurand="Power.Active.Import", phase="L1", location="Inlet", context="Sample.Clock"
    )
    [reading] = read_one(value).readings
    assert (reading.value, reading.unit, reading.original_value, reading.original_unit) == (7400.0, "W", "7.4", "kW")
    assert (reading.measurand, reading.phase) == ("Power.Active.Import", "L1")
    assert (reading.location, reading.context) == ("Inlet", "Sample.Clock")


def test_connector_n_is_evse_n_with_one_connector():
    assert v16.meter_values("cs-1", payload(sampled())).place == Place("cs-1", 2, 1, "77")


def test_connector_0_is_the_main_meter():
    request = payload(sampled(), connectorId=0, transactionId=0)
    assert v16.meter_values("cs-1", request).place == Place("cs-1", 0, 0, "")


@pytest.mark.parametrize("transaction_id", [0, -1])
def test_a_transaction_id_that_nobody_gave_is_no_transaction(transaction_id):
    request = payload(sampled(), transactionId=transaction_id)
    assert v16.meter_values("cs-1", request).place.transaction_id == ""


@pytest.mark.parametrize("connector_id", [-1, 1 << 31, 10**30])
def test_a_connector_that_cannot_be_is_told_as_such(connector_id):
    with pytest.raises(PlaceError):
        v16.meter_values("cs-1", payload(sampled(), connectorId=connector_id))


def test_signed_data_is_no_reading_and_is_kept_as_it_is():
    result = read_one(sampled(value="OCMF|{...}|{...}", format="SignedData", context="Transaction.End"), sampled())
    assert [reading.value for reading in result.readings] == [1234.0]
    [aside] = result.set_aside
    assert (aside.reason, aside.timestamp) == (Reason.SIGNED, "2024-05-01T12:00:00Z")
    assert msgspec.json.decode(aside.original)["value"] == "OCMF|{...}|{...}"


def test_signed_data_that_looks_like_a_number_is_still_signed():
    result = read_one(sampled(value="123456", format="SignedData"))
    assert (result.readings, [aside.reason for aside in result.set_aside]) == ([], [Reason.SIGNED])


@pytest.mark.parametrize("value", ["", "NaN", "n/a", "12,5", "\0"])
def test_one_value_that_is_no_number_does_not_cost_the_others(value):
    result = read_one(sampled(value="1"), sampled(value=value), sampled(value="3"))
    assert [reading.value for reading in result.readings] == [1.0, 3.0]
    assert [aside.reason for aside in result.set_aside] == [Reason.NOT_A_NUMBER]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01T14:00:00+02", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01T12:00:00.123456789Z", "2024-05-01T12:00:00.123456+00:00"),
        ("1970-01-01T00:00:05Z", "1970-01-01T00:00:05+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_timestamps_are_read_as_liberally_as_they_are_clear(written, moment):
    [reading] = read_one(sampled(), timestamp=written).readings
    assert reading.sampled_at.isoformat() == moment


@pytest.mark.parametrize("written", ["", "yesterday", "2024-02-30T12:00:00Z", "2024\0"])
def test_values_without_a_time_have_that_of_their_arrival_and_say_so(written):
    result = read_one(sampled(), sampled(value="2"), timestamp=written)
    assert [(reading.value, reading.sampled_at, reading.quality) for reading in result.readings] == [
        (1234.0, ARRIVED, "time_of_arrival"),
        (2.0, ARRIVED, "time_of_arrival"),
    ]
    assert result.set_aside == []


def test_values_without_a_time_are_told_apart_by_their_arrival_and_place_in_the_message():
    untimed = {"timestamp": "", "sampledValue": [sampled()]}
    message = v16.meter_values("cs-1", payload(meterValue=[untimed, untimed]))
    first, later = normalise(message), normalise(message, datetime(2024, 5, 1, 12, 31, tzinfo=UTC))
    assert len({reading.reading_id for reading in (*first.readings, *later.readings)}) == 4
    assert normalise(message).readings == first.readings


def test_a_time_that_is_read_is_of_the_usual_quality():
    [reading] = read_one(sampled()).readings
    assert reading.quality == ""


def stop(**members):
    request = {"transactionId": 77, "meterStop": 5000, "timestamp": "2024-05-01T13:00:00Z", **members}
    return v16.stop_transaction("cs-1", msgspec.json.encode(request))


def test_meter_stop_is_the_register_at_the_end_in_wh():
    message = stop()
    [reading] = normalise(message).readings
    assert message.place == Place("cs-1", None, 0, "77")
    assert (reading.measurand, reading.context) == ("Energy.Active.Import.Register", "Transaction.End")
    assert (reading.value, reading.unit) == (5000.0, "Wh")
    assert reading.sampled_at.isoformat() == "2024-05-01T13:00:00+00:00"


def test_transaction_data_are_readings_too():
    data = [
        {"timestamp": "2024-05-01T12:00:00Z", "sampledValue": [sampled(context="Transaction.Begin")]},
        {"timestamp": "2024-05-01T12:30:00Z", "sampledValue": [sampled(value="3"), sampled(value="4", unit="kWh")]},
    ]
    assert [reading.value for reading in normalise(stop(transactionData=data)).readings] == [
        5000.0,
        1234.0,
        3.0,
        4000.0,
    ]


def test_a_reading_in_transaction_data_is_the_one_that_meter_values_brought():
    data = [{"timestamp": "2024-05-01T12:00:00.000Z", "sampledValue": [sampled(unit="Wh")]}]
    [_, again] = normalise(stop(transactionData=data)).readings
    [first] = read_one(sampled()).readings
    assert again.reading_id == first.reading_id


def test_meter_stop_repeated_in_transaction_data_is_one_reading():
    data = [{"timestamp": "2024-05-01T13:00:00Z", "sampledValue": [sampled(value="5000", context="Transaction.End")]}]
    [first, again] = normalise(stop(transactionData=data)).readings
    assert first.reading_id == again.reading_id


@given(actions, st.tuples(integers, integers), suffixes)
def test_an_integer_is_the_same_however_it_is_written(action, numbers, suffixes):
    request = written(action, numbers, suffixes)
    assert passes_the_edge(action, request)
    assert read(action, request) == read(action, written(action, numbers, ("", "")))


@given(actions, st.tuples(beyond, beyond), suffixes)
def test_what_passes_the_edge_is_read(action, numbers, suffixes):
    request = written(action, numbers, suffixes)
    assume(passes_the_edge(action, request))
    read(action, request)


@pytest.mark.parametrize(
    ("number", "transaction_id"), [("7", "7"), ("7.0", "7"), ("0.7e1", "7"), ("-1.0", "-1"), ("-0.0", "0")]
)
def test_a_transaction_id_is_the_text_of_its_integer(number, transaction_id):
    request = b'{"meterStop":1.234e3,"transactionId":%b,"timestamp":"2024-05-01T13:00:00Z"}' % number.encode()
    message = v16.stop_transaction("cs-1", request)
    assert message.place.transaction_id == transaction_id
    assert [reading.original_value for reading in normalise(message).readings] == ["1234"]


@pytest.mark.parametrize("transaction_id", [0, -1])
def test_a_stop_without_a_known_transaction_is_of_one_all_the_same_and_nobody_can_tell_where(transaction_id):
    place = stop(transactionId=transaction_id).place
    assert place == Place("cs-1", 0, 0, str(transaction_id))
    assert not place.asks_evse


@pytest.mark.parametrize("transaction_id", [2**63, -(2**63), 10**3000], ids=["64 bits", "negative", "many"])
def test_a_transaction_id_that_no_session_can_have_is_none(transaction_id):
    with pytest.raises(PlaceError):
        stop(transactionId=transaction_id)


# What breaks the schema and can be understood


def meant(action, request):
    found = examine("1.6", action, msgspec.json.encode(request)).payload
    assert found is not None
    return normalise(READ[action]("cs-1", found))


def test_of_20_readings_one_of_a_phase_that_nobody_knows_is_set_aside_and_all_others_stay():
    values = [{"value": str(number), "phase": "L7" if number == 7 else "L1"} for number in range(20)]
    said = {"connectorId": 1, "meterValue": [{"timestamp": "2024-05-01T12:00:00Z", "sampledValue": values}]}

    result = meant("MeterValues", said)

    assert [reading.value for reading in result.readings] == [number for number in range(20) if number != 7]
    assert [aside.reason for aside in result.set_aside] == [Reason.NO_PHASE]


def test_a_value_that_is_a_number_and_a_unit_that_the_schema_lacks_are_read():
    value = {"value": 50.10, "measurand": "Frequency", "unit": "Hz", "phase": None}
    said = {"connectorId": "1", "meterValue": {"timestamp": "2024-05-01T12:00:00", "sampledValue": value}}

    [reading] = meant("MeterValues", said).readings

    assert (reading.value, reading.unit, reading.measurand) == (50.1, "Hz", "Frequency")


def test_a_fraction_of_a_watt_hour_at_the_stop_is_kept():
    said = {"transactionId": "7", "meterStop": 3000.25, "timestamp": "2024-05-01T12:00:00Z"}

    [reading] = meant("StopTransaction", said).readings

    assert (reading.value, reading.original_value) == (3000.25, "3000.25")


def test_a_stop_without_its_meter_has_no_reading_of_it():
    assert meant("StopTransaction", {"transactionId": 7, "timestamp": "2024-05-01T12:00:00Z"}).readings == []


def test_readings_without_a_time_have_that_of_their_message_and_else_that_of_their_arrival():
    data = {"sampledValue": [{"value": "2000"}]}
    stop = {"transactionId": 7, "meterStop": 3000, "timestamp": "2024-05-01T12:00:00Z", "transactionData": data}

    assert [reading.value for reading in meant("StopTransaction", stop).readings] == [3000, 2000]
    [reading] = meant("MeterValues", {"connectorId": 1, "meterValue": [data]}).readings
    assert (reading.value, reading.sampled_at, reading.quality) == (2000, ARRIVED, "time_of_arrival")
