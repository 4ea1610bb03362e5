"""Payloads of each version in the domain's words, and back."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_device import payload as payloads
from chargebus_device import v21
from chargebus_device.boots import v16 as boots_v16
from chargebus_device.boots import v201 as boots_v201
from chargebus_device.boots.domain import Boot, BootAnswer
from chargebus_device.boots.payload import boot_answer
from chargebus_device.statuses import v16 as statuses_v16
from chargebus_device.statuses import v201 as statuses_v201
from chargebus_device.statuses.domain import STATION, Place, UnusableReportError
from chargebus_ocppj.mending import examine

NOW = datetime(2025, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def encoded(**payload):
    return json.dumps(payload).encode()


def test_TC_001_a_boot_of_16_in_our_words():
    payload = encoded(
        chargePointVendor="Acme",
        chargePointModel="One",
        chargePointSerialNumber="S1",
        chargeBoxSerialNumber="B1",
        firmwareVersion="1.2",
        iccid="89",
        imsi="26",
        meterType="M",
        meterSerialNumber="M1",
    )

    assert boots_v16.boot(payload) == Boot("Acme", "One", "S1", "1.2", "", "89", "26", "M1")


def test_the_charge_boxs_serial_number_stands_in_for_a_missing_one():
    payload = encoded(chargePointVendor="Acme", chargePointModel="One", chargeBoxSerialNumber="B1")

    assert boots_v16.boot(payload).serial_number == "B1"


def test_control_characters_that_stations_send_are_dropped():
    payload = b'{"chargePointVendor":"Ac\\u0000me ","chargePointModel":"\\u0007One\\u007f"}'

    assert boots_v16.boot(payload) == Boot("Acme", "One")


def test_TC_B_01_a_boot_of_201_in_our_words():
    payload = encoded(
        reason="PowerUp",
        chargingStation={
            "vendorName": "Acme",
            "model": "Two",
            "serialNumber": "S2",
            "firmwareVersion": "2.0",
            "modem": {"iccid": "89", "imsi": "26"},
        },
        customData={"vendorId": "x"},
    )

    assert boots_v201.boot(payload) == Boot("Acme", "Two", "S2", "2.0", "PowerUp", "89", "26")


def test_a_boot_of_201_may_leave_out_all_but_vendor_model_and_reason():
    payload = encoded(reason="Watchdog", chargingStation={"vendorName": "Acme", "model": "Two"})

    assert boots_v201.boot(payload) == Boot("Acme", "Two", reason="Watchdog")


@pytest.mark.parametrize(
    ("registration", "status"), [("accepted", "Accepted"), ("pending", "Pending"), ("rejected", "Rejected")]
)
def test_a_boots_answer_ends_its_time_in_z(registration, status):
    answer = boot_answer(None, BootAnswer(registration, 300, NOW.astimezone(tz=None)))

    assert answer == {"status": status, "currentTime": "2025-03-01T12:00:00.250Z", "interval": 300}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Available", "Available"),
        ("Preparing", "Occupied"),
        ("Charging", "Occupied"),
        ("SuspendedEVSE", "Occupied"),
        ("SuspendedEV", "Occupied"),
        ("Finishing", "Occupied"),
        ("Reserved", "Reserved"),
        ("Unavailable", "Unavailable"),
        ("Faulted", "Faulted"),
    ],
)
def test_each_status_of_16_has_one_of_2x_and_keeps_its_name_as_detail(said, status):
    report = statuses_v16.status(encoded(connectorId=2, status=said, errorCode="NoError"))

    assert (report.status, report.detail, report.error_code) == (status, said, "")


def test_connector_n_of_16_is_evse_n_with_one_connector_and_connector_0_the_station():
    assert statuses_v16.status(encoded(connectorId=2, status="Available", errorCode="NoError")).place == Place(2, 1)
    assert statuses_v16.status(encoded(connectorId=0, status="Available", errorCode="NoError")).place == STATION


def test_what_16_says_of_an_error_is_kept():
    report = statuses_v16.status(
        encoded(
            connectorId=1,
            status="Faulted",
            errorCode="GroundFailure",
            info="RCD",
            vendorId="acme",
            vendorErrorCode="E7",
            timestamp="2025-03-01T13:00:00+01:00",
        )
    )

    assert (report.error_code, report.info, report.vendor_id, report.vendor_error_code) == (
        "GroundFailure",
        "RCD",
        "acme",
        "E7",
    )
    assert report.said_at == datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-03-01T12:00:00", datetime(2025, 3, 1, 12, 0, tzinfo=UTC)),
        ("2025-03-01T14:00:00+02", datetime(2025, 3, 1, 12, 0, tzinfo=UTC)),
        ("2025-03-01T12:00:00.123456789Z", datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_read_as_stations_write_them(written, meant):
    report = statuses_v201.status(encoded(evseId=1, connectorId=1, connectorStatus="Available", timestamp=written))

    assert report.said_at == meant


def test_G01_a_status_of_2x_names_evse_and_connector():
    report = statuses_v201.status(
        encoded(evseId=2, connectorId=3, connectorStatus="Reserved", timestamp="2025-03-01T12:00:00Z")
    )

    assert (report.place, report.status, report.detail) == (Place(2, 3), "Reserved", "")
    assert report.said_at == NOW - timedelta(milliseconds=250)


@pytest.mark.parametrize(("said", "status"), [("Charging", "Occupied"), ("Preparing", "Occupied")])
def test_a_status_of_2x_in_a_word_of_16_is_what_that_means_and_keeps_it_as_detail(said, status):
    report = statuses_v201.status(encoded(evseId=1, connectorId=1, connectorStatus=said))

    assert (report.status, report.detail) == (status, said)


def test_a_status_of_16_in_the_word_of_2x_is_taken():
    report = statuses_v16.status(encoded(connectorId=1, status="Occupied", errorCode="NoError"))

    assert (report.status, report.detail) == ("Occupied", "Occupied")


def test_a_status_that_nobody_knows_is_unusable():
    with pytest.raises(UnusableReportError, match="Parked"):
        statuses_v16.status(encoded(connectorId=1, status="Parked", errorCode="NoError"))
    with pytest.raises(UnusableReportError, match="Parked"):
        statuses_v201.status(encoded(evseId=1, connectorId=1, connectorStatus="Parked"))


def test_a_boot_that_deviates_is_the_boot_that_is_meant():
    serial = "1234567890-1234567890-1234"
    said = encoded(chargePointVendor="Acme", chargePointModel=None, chargePointSerialNumber=serial, extra=1)

    assert boots_v16.boot(examine("1.6", "BootNotification", said).payload or b"") == Boot("Acme", "", serial)
    assert boots_v201.boot(examine("2.0.1", "BootNotification", b"{}").payload or b"") == Boot("", "", reason="Unknown")


def test_an_info_of_80_characters_is_kept_whole():
    said = encoded(connectorId="1", status="faulted", info="x" * 80, timestamp=None)
    report = statuses_v16.status(examine("1.6", "StatusNotification", said).payload or b"")

    assert (report.place, report.status, report.error_code, report.info) == (Place(1, 1), "Faulted", "", "x" * 80)


def test_an_integer_may_be_written_with_a_fraction_of_zero():
    payload = b'{"evseId":1.0,"connectorId":1,"connectorStatus":"Available","timestamp":""}'

    assert statuses_v201.status(payload).place == Place(1, 1)


@pytest.mark.parametrize("connector_id", [-1, 2**31, 10**30])
def test_a_connector_that_cannot_exist_is_unusable(connector_id):
    payload = encoded(connectorId=connector_id, status="Available", errorCode="NoError")

    with pytest.raises((UnusableReportError, msgspec.ValidationError)):
        statuses_v16.status(payload)


def test_P02_FR_06_no_vendor_is_known():
    assert payloads.unknown_vendor() == {"status": "UnknownVendorId"}


def test_no_periodic_event_stream_is_opened():
    assert v21.stream_refused() == {"status": "Rejected"}
