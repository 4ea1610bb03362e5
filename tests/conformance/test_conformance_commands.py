"""What an operator asks of a station by its action, case by case: it gets it as it was said, and he its answer.

What the station says in consequence, a raw station says, and the CSMS takes it.
"""

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ACCEPTED, REJECTED, FAILED = ({"status": status} for status in ("Accepted", "Rejected", "Failed"))
UNTIL = "2038-01-19T03:14:07Z"


# OCPP 1.6

RESERVED = {"connectorId": 1, "expiryDate": UNTIL, "idTag": "ALICE", "reservationId": 7}
FULL = {"listVersion": 1, "localAuthorizationList": [{"idTag": "ALICE", "idTagInfo": {"status": "Accepted"}}]}


@pytest.mark.case("TC_017_1", "TC_017_2", "TC_030", "TC_031")
@pytest.mark.parametrize(
    ("case", "connector_id", "status"),
    [
        ("TC_017_1", 1, "Unlocked"),
        ("TC_017_2", 1, "NotSupported"),
        ("TC_030", 1, "UnlockFailed"),
        ("TC_031", 99, "NotSupported"),
    ],
)
async def test_a_connector_is_unlocked_or_not(shared, passes, case, connector_id, status):
    await passes(shared("1.6"), "UnlockConnector", {"connectorId": connector_id}, {"status": status})


@pytest.mark.case("TC_042_1", "TC_042_2")
@pytest.mark.parametrize(("case", "version_number"), [("TC_042_1", -1), ("TC_042_2", 0)])
async def test_the_version_of_the_local_list_is_told(shared, passes, case, version_number):
    await passes(shared("1.6"), "GetLocalListVersion", {}, {"listVersion": version_number})


@pytest.mark.case("TC_043_1", "TC_043_3", "TC_043_4", "TC_043_5")
@pytest.mark.parametrize(
    ("case", "kind", "status"),
    [
        ("TC_043_1", "Full", "NotSupported"),
        ("TC_043_3", "Full", "Failed"),
        ("TC_043_4", "Full", "Accepted"),
        ("TC_043_5", "Differential", "Accepted"),
    ],
)
async def test_a_local_list_is_taken_or_not(shared, passes, case, kind, status):
    await passes(shared("1.6"), "SendLocalList", FULL | {"updateType": kind}, {"status": status})


@pytest.mark.case("TC_048_1", "TC_048_2", "TC_048_3", "TC_048_4")
@pytest.mark.parametrize(
    ("case", "status"),
    [("TC_048_1", "Faulted"), ("TC_048_2", "Occupied"), ("TC_048_3", "Unavailable"), ("TC_048_4", "Rejected")],
)
async def test_a_connector_is_not_reserved(shared, passes, case, status):
    await passes(shared("1.6"), "ReserveNow", RESERVED, {"status": status})


@pytest.mark.case("TC_047")
async def test_TC_047_a_reservation_expires(shared, passes, evse_id, shown_status):
    station = shared("1.6")
    await passes(station, "ReserveNow", RESERVED | {"connectorId": evse_id}, ACCEPTED)
    for status in ("Reserved", "Available"):
        assert await station.call("StatusNotification", v16.status(status, evse_id, timestamp=ago(0))) == {}
        await shown_status(station, evse_id, status)


@pytest.mark.case("TC_051", "TC_052")
@pytest.mark.parametrize(("case", "status"), [("TC_051", "Accepted"), ("TC_052", "Rejected")])
async def test_a_reservation_is_cancelled_or_not(shared, passes, case, status):
    await passes(shared("1.6"), "CancelReservation", {"reservationId": 7}, {"status": status})


@pytest.mark.case("TC_046", "TC_049")
@pytest.mark.parametrize(("case", "whole"), [("TC_046", False), ("TC_049", True)])
async def test_a_reservation_is_used(shared, passes, token, session_of, evse_id, case, whole):
    station, driver = shared("1.6"), await token()
    wanted = RESERVED | {"idTag": driver, "connectorId": 0 if whole else evse_id}
    await passes(station, "ReserveNow", wanted, ACCEPTED)
    begun = await station.call("StartTransaction", v16.start(ago(0), 0, driver, evse_id, reservationId=7))
    assert begun["idTagInfo"]["status"] == "Accepted"
    await station.call("StopTransaction", v16.stop(begun["transactionId"], ago(0), 500))
    assert (await session_of(driver))["billable"]


@pytest.mark.case("TC_053")
async def test_TC_053_a_reservation_is_used_by_a_token_of_the_same_group(shared, passes, token, session_of, evse_id):
    station, group = shared("1.6"), f"GROUP-{evse_id}"
    holder, driver = await token(group_id=group), await token(group_id=group)
    wanted = RESERVED | {"idTag": holder, "parentIdTag": group, "connectorId": evse_id}
    await passes(station, "ReserveNow", wanted, ACCEPTED)
    told = await station.call("Authorize", {"idTag": driver})
    assert (told["idTagInfo"]["status"], told["idTagInfo"]["parentIdTag"]) == ("Accepted", group)
    begun = await station.call("StartTransaction", v16.start(ago(0), 0, driver, evse_id, reservationId=7))
    assert begun["idTagInfo"]["parentIdTag"] == group
    await station.call("StopTransaction", v16.stop(begun["transactionId"], ago(0), 500))
    assert (await session_of(driver))["billable"]


@pytest.mark.case("TC_054")
@pytest.mark.parametrize(
    ("requested", "action", "said"),
    [
        ("BootNotification", "BootNotification", v16.boot()),
        ("DiagnosticsStatusNotification", "DiagnosticsStatusNotification", {"status": "Idle"}),
        ("FirmwareStatusNotification", "FirmwareStatusNotification", {"status": "Idle"}),
        ("Heartbeat", "Heartbeat", {}),
        ("MeterValues", "MeterValues", v16.meter_values(ago(0), 1)),
        ("StatusNotification", "StatusNotification", v16.status()),
    ],
)
async def test_TC_054_trigger_message(shared, passes, requested, action, said):
    station = shared("1.6")
    await passes(station, "TriggerMessage", {"requestedMessage": requested, "connectorId": 1}, ACCEPTED)
    answer = await station.call(action, said)
    assert answer.get("status", "Accepted") == "Accepted"


@pytest.mark.case("TC_055")
async def test_TC_055_trigger_message_rejected(shared, passes):
    await passes(shared("1.6"), "TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, REJECTED)


@pytest.mark.case("TC_061")
async def test_TC_061_clear_authorization_data_in_authorization_cache(shared, passes):
    await passes(shared("1.6"), "ClearCache", {}, ACCEPTED)


@pytest.mark.case("TC_064")
async def test_TC_064_data_transfer_to_a_central_system(shared):
    told = await shared("1.6").call("DataTransfer", {"vendorId": "nobody", "messageId": "m", "data": "d"})
    assert told == {"status": "UnknownVendorId"}


# OCPP 2.0.1 and 2.1

NETWORK = {
    "messageTimeout": 30,
    "ocppCsmsUrl": "wss://csms.example.com/ocpp",
    "ocppInterface": "Wired0",
    "ocppTransport": "JSON",
    "securityProfile": 2,
}
IDENTITY = {"identity": "CS-1", "basicAuthPassword": "0123456789abcdef", "ocppVersion": "OCPP21"}


def network(slot, **more):
    return {"configurationSlot": slot, "connectionData": NETWORK | more}


def were_set(*variables):
    return {"setVariableResult": [each | {"attributeStatus": "Accepted"} for each in variables]}


@pytest.mark.case("TC_B_105")
async def test_TC_B_105_a_network_configuration_is_added_by_variables(shared, passes):
    where = {"component": {"name": "NetworkConfiguration", "instance": "2"}, "variable": {"name": "OcppCsmsUrl"}}
    data = [where | {"attributeValue": "wss://csms.example.com"}]
    await passes(shared("2.1"), "SetVariables", {"setVariableData": data}, were_set(where))


@V2
@pytest.mark.case("TC_B_42", "TC_B_44")
@pytest.mark.parametrize(("case", "status"), [("TC_B_42", "Accepted"), ("TC_B_44", "Failed")])
async def test_a_network_connection_profile_is_set_or_not(shared, ask, version, case, status):
    station = shared(version)
    wanted = network(1, **({"ocppVersion": "OCPP20"} if version == "2.0.1" else {}))
    station.replies["SetNetworkProfile"] = {"status": status}
    answer = await ask(station, "SetNetworkProfile", wanted)
    assert await station.asked("SetNetworkProfile") == wanted
    assert (answer["outcome"], answer["reply"]) == ("answered", {"status": status})


@pytest.mark.case("TC_B_100")
async def test_TC_B_100_identity_and_password_of_a_network_profile_reach_the_station_alone(shared, ask, api):
    station = shared("2.1")
    station.replies["SetNetworkProfile"] = ACCEPTED
    answer = await ask(station, "SetNetworkProfile", network(1, **IDENTITY))
    assert (await station.asked("SetNetworkProfile"))["connectionData"] == NETWORK | IDENTITY
    assert answer["reply"] == ACCEPTED
    shown = await api.call("GET", f"/v1/commands/{answer['command_id']}")
    assert IDENTITY["basicAuthPassword"] not in str(shown)


@V2
@pytest.mark.case("TC_C_37", "TC_C_38")
@pytest.mark.parametrize(("case", "status"), [("TC_C_37", "Accepted"), ("TC_C_38", "Rejected")])
async def test_the_authorization_cache_is_cleared_or_not(shared, passes, version, case, status):
    await passes(shared(version), "ClearCache", {}, {"status": status})


def entry(text="ALICE", **more):
    return {"idToken": v201.id_token(text), "idTokenInfo": {"status": "Accepted", **more}}


@V2
@pytest.mark.case("TC_D_01", "TC_D_02", "TC_D_03", "TC_D_04")
@pytest.mark.parametrize(
    ("case", "kind", "more"),
    [
        ("TC_D_01", "Full", {"localAuthorizationList": [entry(), entry("BOB")]}),
        ("TC_D_02", "Differential", {"localAuthorizationList": [entry("CAROL")]}),
        ("TC_D_03", "Differential", {"localAuthorizationList": [{"idToken": v201.id_token("BOB")}]}),
        ("TC_D_04", "Full", {}),
    ],
)
async def test_a_local_list_is_sent(shared, passes, version, case, kind, more):
    wanted = {"versionNumber": 3, "updateType": kind, **more}
    await passes(shared(version), "SendLocalList", wanted, ACCEPTED)


@V2
@pytest.mark.case("TC_D_08", "TC_D_09")
@pytest.mark.parametrize(("case", "number"), [("TC_D_08", 3), ("TC_D_09", 0)])
async def test_the_version_of_a_local_list_is_told(shared, passes, version, case, number):
    await passes(shared(version), "GetLocalListVersion", {}, {"versionNumber": number})


@V2
@pytest.mark.case("TC_F_06")
async def test_TC_F_06_remote_unlock_connector(shared, passes, version):
    await passes(shared(version), "UnlockConnector", {"evseId": 1, "connectorId": 1}, {"status": "Unlocked"})


EVSE = {"evse": {"id": 1}}
CONNECTOR = {"evse": {"id": 1, "connectorId": 1}}
LOG = {"status": "Idle"}


@V2
@pytest.mark.case("TC_F_11", "TC_F_12", "TC_F_15", "TC_F_18", "TC_F_20", "TC_F_23", "TC_F_24")
@pytest.mark.parametrize(
    ("case", "requested", "where", "said"),
    [
        ("TC_F_11", "MeterValues", EVSE, v201.meter_values(ago(0), 1, context="Trigger")),
        ("TC_F_12", "MeterValues", {}, v201.meter_values(ago(0), 1, context="Trigger")),
        ("TC_F_15", "LogStatusNotification", {}, LOG),
        ("TC_F_18", "FirmwareStatusNotification", {}, LOG),
        ("TC_F_20", "Heartbeat", {}, {}),
        ("TC_F_23", "StatusNotification", CONNECTOR, v201.status("Available", at=ago(0))),
        ("TC_F_24", "StatusNotification", CONNECTOR, v201.status("Occupied", at=ago(0))),
    ],
)
async def test_a_message_is_triggered_and_taken(shared, passes, version, case, requested, where, said):
    station = shared(version)
    await passes(station, "TriggerMessage", {"requestedMessage": requested, **where}, ACCEPTED)
    answer = await station.call(requested, said)
    assert answer.keys() <= {"currentTime"}


@V2
@pytest.mark.case("TC_F_13", "TC_F_14")
@pytest.mark.parametrize(("case", "everywhere"), [("TC_F_13", False), ("TC_F_14", True)])
async def test_transaction_events_are_triggered_and_kept(
    shared, passes, token, session_of, api, evse_id, version, case, everywhere
):
    station, driver, transaction_id = shared(version), await token(), f"{case}-{version}"
    place = {"evse": {"id": evse_id, "connectorId": 1}}
    await station.call("TransactionEvent", v201.started(transaction_id, 0, ago(2), 0, driver, **place))
    where = {} if everywhere else {"evse": {"id": evse_id}}
    await passes(station, "TriggerMessage", {"requestedMessage": "TransactionEvent", **where}, ACCEPTED)
    triggered = v201.updated(transaction_id, 1, ago(1), 40, triggerReason="Trigger", context="Trigger")
    assert "idTokenInfo" not in await station.call("TransactionEvent", triggered)
    await station.call("TransactionEvent", v201.ended(transaction_id, 2, ago(0), 50))
    session = await session_of(driver)
    events = (await api.call("GET", f"/v1/sessions/{session['session_id']}"))["events"]
    assert [each["trigger"] for each in events] == ["Authorized", "Trigger", "StopAuthorized"]


@V2
@pytest.mark.case("TC_F_27")
async def test_TC_F_27_trigger_message_not_implemented(shared, passes, version):
    asked = {"requestedMessage": "SignV2GCertificate"}
    await passes(shared(version), "TriggerMessage", asked, {"status": "NotImplemented"})


@pytest.mark.case("TC_F_100")
async def test_TC_F_100_custom_trigger(shared, passes):
    asked = {"requestedMessage": "CustomTrigger", "customTrigger": "coffee"}
    await passes(shared("2.1"), "TriggerMessage", asked, ACCEPTED)


@pytest.fixture
def shown_status(api, told):
    """Wait until an EVSE of a station is shown in a status."""

    async def wait(station, evse_id, status):
        def is_shown(found):
            return [each["status"] for each in found["evses"] if each["evse_id"] == evse_id] == [status]

        await told(f"/v1/stations/{station.station_id}", is_shown, what=f"EVSE {evse_id} is {status}")

    return wait


CHANGES = {
    "TC_G_03": ("Inoperative", {"id"}),
    "TC_G_04": ("Operative", {"id"}),
    "TC_G_05": ("Inoperative", set()),
    "TC_G_06": ("Operative", set()),
    "TC_G_07": ("Inoperative", {"id", "connectorId"}),
    "TC_G_08": ("Operative", {"id", "connectorId"}),
    "TC_G_11": ("Inoperative", {"id"}),
    "TC_G_14": ("Inoperative", set()),
    "TC_G_17": ("Inoperative", {"id", "connectorId"}),
}


@V2
@pytest.mark.case("TC_G_03", "TC_G_04", "TC_G_05", "TC_G_06", "TC_G_07", "TC_G_08", "TC_G_11", "TC_G_14", "TC_G_17")
@pytest.mark.parametrize("case", CHANGES)
async def test_availability_is_changed_at_once_or_after_the_transaction(
    shared, passes, shown_status, token, session_of, evse_id, version, case
):
    station, (wanted, members) = shared(version), CHANGES[case]
    place = {"id": evse_id, "connectorId": 1}
    is_charging, driver = case in {"TC_G_11", "TC_G_14", "TC_G_17"}, await token()
    if is_charging:
        await station.call("TransactionEvent", v201.started(f"{case}-{version}", 0, ago(2), 0, driver, evse=place))
        await station.call("StatusNotification", v201.status("Occupied", evse_id, at=ago(2)))
    where = {"evse": {name: place[name] for name in members}} if members else {}
    reply = {"status": "Scheduled"} if is_charging else ACCEPTED
    await passes(station, "ChangeAvailability", {"operationalStatus": wanted, **where}, reply)
    if is_charging:
        await shown_status(station, evse_id, "Occupied")
        await station.call("TransactionEvent", v201.ended(f"{case}-{version}", 1, ago(1), 50))
        assert (await session_of(driver))["energy_wh"] == 50
    status = "Unavailable" if wanted == "Inoperative" else "Available"
    await station.call("StatusNotification", v201.status(status, evse_id, at=ago(0)))
    await shown_status(station, evse_id, status)


def reservation(evse_id=None, text="ALICE", **more):
    return {"id": 7, "expiryDateTime": UNTIL, "idToken": v201.id_token(text), **place_of(evse_id), **more}


def place_of(evse_id):
    return {} if evse_id is None else {"evseId": evse_id}


@V2
@pytest.mark.case("TC_H_08", "TC_H_14", "TC_H_15", "TC_H_22")
@pytest.mark.parametrize(
    ("case", "wanted", "status"),
    [
        ("TC_H_08", reservation(), "Accepted"),
        ("TC_H_14", reservation(), "Occupied"),
        ("TC_H_15", reservation(connectorType="cType2"), "Accepted"),
        ("TC_H_22", reservation(1), "Rejected"),
    ],
)
async def test_an_evse_is_reserved_or_not(shared, passes, version, case, wanted, status):
    await passes(shared(version), "ReserveNow", wanted, {"status": status})


@V2
@pytest.mark.case("TC_H_01", "TC_H_19")
@pytest.mark.parametrize(("case", "by_group"), [("TC_H_01", False), ("TC_H_19", True)])
async def test_a_reserved_evse_is_used(shared, passes, token, session_of, evse_id, version, case, by_group):
    station, group = shared(version), f"GROUP-{evse_id}"
    holder, other = await token(group_id=group), await token(group_id=group)
    driver = other if by_group else holder
    wanted = reservation(evse_id, holder, groupIdToken=v201.id_token(group, "Central"))
    await passes(station, "ReserveNow", wanted, ACCEPTED)
    told = (await station.call("Authorize", {"idToken": v201.id_token(driver)}))["idTokenInfo"]
    assert (told["status"], told["groupIdToken"]["idToken"]) == ("Accepted", group)
    begins = v201.started(
        f"{case}-{version}", 0, ago(2), 0, driver, evse={"id": evse_id, "connectorId": 1}, reservationId=7
    )
    begun = await station.call("TransactionEvent", begins)
    assert begun["idTokenInfo"]["groupIdToken"]["idToken"] == group
    await station.call("TransactionEvent", v201.ended(f"{case}-{version}", 1, ago(0), 50))
    assert (await session_of(driver))["billable"]


@V2
@pytest.mark.case("TC_H_07", "TC_H_20", lacks="how a reservation ended is answered, and not kept")
@pytest.mark.parametrize(("case", "status"), [("TC_H_07", "Expired"), ("TC_H_20", "Removed")])
async def test_the_end_of_a_reservation_is_taken(shared, passes, evse_id, version, case, status):
    station = shared(version)
    await passes(station, "ReserveNow", reservation(evse_id), ACCEPTED)
    ended = {"reservationId": 7, "reservationUpdateStatus": status}
    assert await station.call("ReservationStatusUpdate", ended) == {}


@V2
@pytest.mark.case("TC_H_17")
async def test_TC_H_17_cancel_reservation_of_an_evse(shared, passes, version):
    await passes(shared(version), "CancelReservation", {"reservationId": 7}, ACCEPTED)


@V2
@pytest.mark.case("TC_E_29", "TC_E_30", "TC_E_31", "TC_E_33", "TC_E_34")
@pytest.mark.parametrize(
    ("case", "asked", "told"),
    [
        ("TC_E_29", {"transactionId": "T"}, {"ongoingIndicator": True, "messagesInQueue": True}),
        ("TC_E_30", {"transactionId": "T"}, {"ongoingIndicator": True, "messagesInQueue": False}),
        ("TC_E_31", {"transactionId": "T"}, {"ongoingIndicator": False, "messagesInQueue": True}),
        ("TC_E_33", {}, {"messagesInQueue": True}),
        ("TC_E_34", {}, {"messagesInQueue": False}),
    ],
)
async def test_the_status_of_a_transaction_is_told(shared, passes, version, case, asked, told):
    await passes(shared(version), "GetTransactionStatus", asked, told)


@V2
@pytest.mark.case("TC_P_02")
async def test_TC_P_02_data_transfer_to_the_csms_of_an_unknown_vendor(shared, version):
    told = await shared(version).call("DataTransfer", {"vendorId": "nobody", "messageId": "m", "data": {"a": 1}})
    assert told["status"] == "UnknownVendorId"


@V2
@pytest.mark.case("TC_P_03")
async def test_TC_P_03_custom_data_is_received(shared, version):
    custom = {"customData": {"vendorId": "acme", "anything": [1, {"more": True}]}}
    assert "currentTime" in await shared(version).call("Heartbeat", custom)
    assert await shared(version).call("StatusNotification", v201.status(at=ago(0)) | custom) == {}


TARIFF = {
    "tariffId": "T-1",
    "currency": "EUR",
    "energy": {"prices": [{"priceKwh": 0.3, "conditions": {"startTimeOfDay": "08:00", "endTimeOfDay": "20:00"}}]},
}
DEFAULT = {"evseId": 0, "tariff": TARIFF}
CHANGE = {"transactionId": "T", "tariff": TARIFF}


@pytest.mark.case(
    "TC_I_101",
    "TC_I_102",
    "TC_I_105",
    "TC_I_110",
    "TC_I_113",
    "TC_I_114",
    "TC_I_115",
    lacks="an operator sends tariffs as they are: none are kept",
)
@pytest.mark.parametrize(
    ("case", "action", "payload", "reply"),
    [
        ("TC_I_101", "SetDefaultTariff", DEFAULT, ACCEPTED),
        ("TC_I_102", "SetDefaultTariff", DEFAULT, {"status": "TooManyElements"}),
        ("TC_I_105", "SetDefaultTariff", DEFAULT, {"status": "ConditionNotSupported"}),
        ("TC_I_110", "ClearTariffs", {"evseId": 0}, {"clearTariffsResult": [{"status": "Accepted"}]}),
        ("TC_I_113", "ChangeTransactionTariff", CHANGE, {"status": "TooManyElements"}),
        ("TC_I_114", "ChangeTransactionTariff", CHANGE, {"status": "ConditionNotSupported"}),
        ("TC_I_115", "ChangeTransactionTariff", CHANGE, ACCEPTED),
    ],
)
async def test_a_tariff_is_sent(shared, passes, case, action, payload, reply):
    await passes(shared("2.1"), action, payload, reply)


@V2
@pytest.mark.case("TC_I_01", lacks="an operator says what it costs: nothing is calculated")
async def test_TC_I_01_the_running_total_cost_is_sent(shared, passes, version):
    await passes(shared(version), "CostUpdated", {"totalCost": 1.25, "transactionId": "T"}, {})


SWAP = {"requestId": 7, "idToken": v201.id_token("ALICE")}


def battery(serial_number):
    return {"evseId": 1, "serialNumber": serial_number, "soC": 80, "soH": 95}


@pytest.mark.case("TC_S_102", "TC_S_103", lacks="an operator asks for it as it is: no batteries are kept")
@pytest.mark.parametrize(("case", "status"), [("TC_S_102", "Rejected"), ("TC_S_103", "Accepted")])
async def test_batteries_are_swapped_or_not(shared, passes, case, status):
    station = shared("2.1")
    await passes(station, "RequestBatterySwap", SWAP, {"status": status})
    if status == "Accepted":
        for event, serial_number in (("BatteryOut", "B-1"), ("BatteryIn", "B-2")):
            said = {"eventType": event, **SWAP, "batteryData": [battery(serial_number)]}
            assert await station.call("BatterySwap", said) == {}


CURVE = {"priority": 1, "yUnit": "PctMaxW", "curveData": [{"x": 1, "y": 2}]}


@pytest.mark.case("TC_R_107", lacks="an operator sends a control as it is: none are kept")
async def test_TC_R_107_configure_DER_control_settings(shared, passes):
    station = shared("2.1")
    wanted = {"isDefault": True, "controlId": "C-1", "controlType": "VoltWatt", "curve": CURVE}
    await passes(station, "SetDERControl", wanted, ACCEPTED)
    await passes(station, "GetDERControl", {"requestId": 7}, ACCEPTED)
    curve = {"id": "C-1", "curveType": "VoltWatt", "isDefault": True, "isSuperseded": False, "curve": CURVE}
    assert await station.call("ReportDERControl", {"requestId": 7, "curve": [curve]}) == {}
    await passes(station, "ClearDERControl", {"isDefault": True, "controlId": "C-1"}, ACCEPTED)


@pytest.mark.case("TC_R_108", lacks="what is told is answered, and not kept")
async def test_TC_R_108_a_DER_event_is_taken(shared):
    begun = {"controlId": "C-1", "started": True, "timestamp": ago(0)}
    assert await shared("2.1").call("NotifyDERStartStop", begun) == {}
    alarm = {"controlType": "VoltWatt", "timestamp": ago(0), "gridEventFault": "OverVoltage"}
    assert await shared("2.1").call("NotifyDERAlarm", alarm) == {}
