import csv
from datetime import UTC, datetime
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
from chargebus_ocppj.actions import ACTIONS, empty_answer, is_known, lookup, require_call, require_send
from chargebus_ocppj.errors import NotImplementedRpcError, NotSupportedRpcError
from chargebus_ocppj.official import ENDINGS, FOLDERS, read_schema
from chargebus_ocppj.schemas import validate_result
from chargebus_ocppj.versions import VERSIONS, Version

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)

# What the specifications (1.6 with its security extension, 2.0.1, 2.1) say of each action: versions, who starts it, its
# functional block; and who handles it here. Drawn up apart from the table.
REFERENCE = Path(__file__).with_name("ocpp-actions.csv")


def schema_files(version: Version) -> set[str]:
    folder = files("ocpp") / FOLDERS[version] / "schemas"
    return {file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_has_its_schemas_and_every_schema_its_row(version: Version) -> None:
    expected = set()
    for action in (action for action in ACTIONS if version in action.versions):
        if action.answered_by == "nobody":
            expected |= {action.name}
        else:
            expected |= {action.name + ENDINGS[version, part][0] for part in ("request", "response")}

    assert expected == schema_files(version)


def test_every_action_is_listed_once_per_direction() -> None:
    keys = [(action.name, action.initiator) for action in ACTIONS]

    assert len(keys) == len(set(keys))


def test_a_station_answers_what_the_csms_starts_and_the_other_way_round() -> None:
    for action in ACTIONS:
        assert (action.answered_by == "station") == (action.initiator == "csms"), action


def test_only_data_transfer_goes_both_ways() -> None:
    both = {action.name for action in ACTIONS if action.initiator == "csms"} & {
        action.name for action in ACTIONS if action.initiator == "station"
    }

    assert both == {"DataTransfer"}


def test_the_table_equals_the_reference() -> None:
    with REFERENCE.open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]

    assert rows == [
        (
            action.name,
            " ".join(action.versions),
            action.initiator,
            action.service,
            "none (SEND)" if action.answered_by == "nobody" else action.answered_by,
            action.block,
        )
        for action in ACTIONS
    ]


# Written down from the specifications' texts, not from the table: what a station starts; all else the CSMS does.
STATIONS_OWN: dict[Version, str] = {
    # 1.6 edition 2, chapter 4 (initiated by Charge Point); security whitepaper edition 3, chapter 4
    "1.6": """
        Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
        LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification
        StartTransaction StatusNotification StopTransaction
    """,
    # 2.0.1 Part 2, chapter 1, field definitions: "sent by the Charging Station to the CSMS"
    "2.0.1": """
        Authorize BootNotification ClearedChargingLimit DataTransfer FirmwareStatusNotification Get15118EVCertificate
        GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation
        NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport
        NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
        SecurityEventNotification SignCertificate StatusNotification TransactionEvent
    """,
    # 2.1 Part 2, the same, and what it adds; NotifyWebPaymentStarted, NotifyAllowedEnergyTransfer,
    # UpdateDynamicSchedule and UsePriorityCharging go the other way
    "2.1": """
        Authorize BatterySwap BootNotification ClearedChargingLimit ClosePeriodicEventStream DataTransfer
        FirmwareStatusNotification Get15118EVCertificate GetCertificateChainStatus GetCertificateStatus Heartbeat
        LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation NotifyDERAlarm
        NotifyDERStartStop NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent
        NotifyMonitoringReport NotifyPeriodicEventStream NotifyPriorityCharging NotifyReport NotifySettlement
        OpenPeriodicEventStream PublishFirmwareStatusNotification PullDynamicScheduleUpdate ReportChargingProfiles
        ReportDERControl ReservationStatusUpdate SecurityEventNotification SignCertificate StatusNotification
        TransactionEvent VatNumberValidation
    """,
}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_action_is_started_by_the_side_that_the_specification_says(version: Version) -> None:
    started = {action.name for action in ACTIONS if version in action.versions and action.initiator == "station"}
    asked = {action.name for action in ACTIONS if version in action.versions and action.initiator == "csms"}
    every = {name.removesuffix("Request").removesuffix("Response") for name in schema_files(version)}

    assert started == set(STATIONS_OWN[version].split())
    assert asked == every - started | {"DataTransfer"}


def test_lookup_knows_version_and_direction() -> None:
    assert lookup("1.6", "StartTransaction") is not None
    assert lookup("2.0.1", "StartTransaction") is None
    assert lookup("1.6", "Reset") is None
    assert lookup("1.6", "Reset", "csms") is not None
    assert is_known("1.6", "Reset")
    assert not is_known("1.6", "TransactionEvent")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", ["", "Nonsense", "heartbeat", "HeartbeatRequest", "../Heartbeat", "Heartbeat\0"])
def test_an_unknown_action_is_not_implemented(version: Version, action: str) -> None:
    for require in (require_call, require_send):
        with pytest.raises(NotImplementedRpcError):
            require(version, action)
    with pytest.raises(NotImplementedRpcError):
        read_schema(version, action, "request")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_action_of_the_other_side_is_not_supported(version: Version) -> None:
    with pytest.raises(NotSupportedRpcError):
        require_call(version, "Reset", "station")
    with pytest.raises(NotSupportedRpcError):
        require_call(version, "Heartbeat", "csms")


def test_a_send_is_not_a_call_and_a_call_not_a_send() -> None:
    assert require_send("2.1", "NotifyPeriodicEventStream").service == "device"
    with pytest.raises(NotSupportedRpcError):
        require_call("2.1", "NotifyPeriodicEventStream")
    with pytest.raises(NotSupportedRpcError):
        require_send("2.1", "NotifyEvent")
    with pytest.raises(NotImplementedRpcError):
        read_schema("2.1", "NotifyPeriodicEventStream", "response")


def test_every_answer_of_the_edge_is_valid() -> None:
    answered = [
        (version, action.name)
        for action, version in product(ACTIONS, VERSIONS)
        if action.answered_by == "edge" and version in action.versions
    ]

    for version, name in answered:
        validate_result(version, name, empty_answer(version, name, NOW))
    assert len(answered) == 46


@pytest.mark.parametrize("version", VERSIONS)
def test_G02_FR_06_a_heartbeat_is_answered_with_the_time(version: Version) -> None:
    assert empty_answer(version, "Heartbeat", NOW) == b'{"currentTime":"2024-05-01T12:00:00.000Z"}'


@pytest.mark.parametrize(("version", "action"), [("1.6", "Authorize"), ("1.6", "Reset"), ("2.0.1", "NotifyDERAlarm")])
def test_the_edge_has_no_answer_to_what_others_answer(version: Version, action: str) -> None:
    with pytest.raises(KeyError):
        empty_answer(version, action, NOW)
