"""What an operator asks of a station by its action, case by case: it gets it as it was said, and he its answer.

What the station says in consequence, a raw station says, and the CSMS takes it.
"""

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED, REJECTED, FAILED = ({"status": status} for status in ("Accepted", "Rejected", "Failed"))


@pytest.fixture
def shown_status(api, told):
    """Wait until an EVSE of a station is shown in a status."""

    async def wait(station, evse_id, status):
        def is_shown(found):
            return [each["status"] for each in found["evses"] if each["evse_id"] == evse_id] == [status]

        await told(f"/v1/stations/{station.station_id}", is_shown, what=f"EVSE {evse_id} is {status}")

    return wait


# OCPP 1.6


@pytest.mark.case("TC_017_1", "TC_017_2", "TC_030", "TC_031")
async def test_a_connector_is_unlocked_or_not(shared, passes):
    for connector_id, status in ((1, "Unlocked"), (1, "NotSupported"), (1, "UnlockFailed"), (99, "NotSupported")):
        await passes(shared("1.6"), "UnlockConnector", {"connectorId": connector_id}, {"status": status})


@pytest.mark.case("TC_042_1", "TC_042_2", lacks="an operator asks for it as it is: no list is kept to compare it with")
async def test_the_version_of_a_local_list_of_1_6_is_told(shared, passes):
    for version_number in (-1, 0):
        await passes(shared("1.6"), "GetLocalListVersion", {}, {"listVersion": version_number})


@pytest.mark.case(
    "TC_043_1", "TC_043_3", "TC_043_4", "TC_043_5", lacks="an operator sends a list as it is: none is kept"
)
async def test_a_local_list_of_1_6_is_taken_or_not(shared, passes):
    entries = [{"idTag": "ALICE", "idTagInfo": {"status": "Accepted"}}]
    for kind, status in (
        ("Full", "NotSupported"),
        ("Full", "Failed"),
        ("Full", "Accepted"),
        ("Differential", "Accepted"),
    ):
        wanted = {"listVersion": 1, "localAuthorizationList": entries, "updateType": kind}
        await passes(shared("1.6"), "SendLocalList", wanted, {"status": status})


@pytest.mark.case("TC_054", "TC_055")
async def test_TC_054_TC_055_messages_of_1_6_are_triggered_and_taken_or_not(shared, passes, evse_id, shown_status):
    station = shared("1.6")
    for action, said in {
        "BootNotification": v16.boot(),
        "DiagnosticsStatusNotification": {"status": "Idle"},
        "FirmwareStatusNotification": {"status": "Idle"},
        "Heartbeat": {},
        "MeterValues": v16.meter_values(ago(0), evse_id),
        "StatusNotification": v16.status("Faulted", evse_id, timestamp=ago(0)),
    }.items():
        await passes(station, "TriggerMessage", {"requestedMessage": action, "connectorId": evse_id}, ACCEPTED)
        answer = await station.call(action, said)
        assert answer.get("status", "Accepted") == "Accepted"
    await shown_status(station, evse_id, "Faulted")
    await passes(station, "TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": evse_id}, REJECTED)


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


@pytest.mark.case("TC_B_42", "TC_B_44")
async def test_a_network_connection_profile_is_set_or_not(shared, passes):
    for reply in (ACCEPTED, FAILED):
        await passes(shared("2.0.1"), "SetNetworkProfile", network(1, ocppVersion="OCPP20"), reply)


@pytest.mark.case("TC_B_100")
async def test_TC_B_100_identity_and_password_of_a_network_profile_reach_the_station_alone(shared, ask, api):
    station = shared("2.1")
    station.replies["SetNetworkProfile"] = ACCEPTED
    answer = await ask(station, "SetNetworkProfile", network(1, **IDENTITY))
    assert (await station.asked("SetNetworkProfile"))["connectionData"] == NETWORK | IDENTITY
    assert answer["reply"] == ACCEPTED
    shown = await api.call("GET", f"/v1/commands/{answer['command_id']}")
    assert IDENTITY["basicAuthPassword"] not in str(shown)


@pytest.mark.case("TC_C_37", "TC_C_38")
async def test_the_authorization_cache_is_cleared_or_not(shared, passes):
    for reply in (ACCEPTED, REJECTED):
        await passes(shared("2.0.1"), "ClearCache", {}, reply)


def entry(text="ALICE"):
    return {"idToken": v201.id_token(text), "idTokenInfo": {"status": "Accepted"}}


@pytest.mark.case("TC_D_01", "TC_D_02", "TC_D_03", "TC_D_04", lacks="an operator sends a list as it is: none is kept")
async def test_a_local_list_is_sent(shared, passes):
    for kind, more in (
        ("Full", {"localAuthorizationList": [entry(), entry("BOB")]}),
        ("Differential", {"localAuthorizationList": [entry("CAROL")]}),
        ("Differential", {"localAuthorizationList": [{"idToken": v201.id_token("BOB")}]}),
        ("Full", {}),
    ):
        wanted = {"versionNumber": 3, "updateType": kind, **more}
        await passes(shared("2.0.1"), "SendLocalList", wanted, ACCEPTED)


@pytest.mark.case("TC_D_08", "TC_D_09", lacks="an operator asks for it as it is: no list is kept to compare it with")
async def test_the_version_of_a_local_list_is_told(shared, passes):
    for number in (3, 0):
        await passes(shared("2.0.1"), "GetLocalListVersion", {}, {"versionNumber": number})


@pytest.mark.case("TC_F_06")
async def test_TC_F_06_remote_unlock_connector(shared, passes):
    await passes(shared("2.0.1"), "UnlockConnector", {"evseId": 1, "connectorId": 1}, {"status": "Unlocked"})


@pytest.mark.case("TC_F_11", "TC_F_12", "TC_F_15", "TC_F_18", "TC_F_20", "TC_F_23", "TC_F_24", "TC_F_27")
async def test_messages_are_triggered_and_taken_or_not(shared, passes, evse_id, shown_status):
    station, evse = shared("2.0.1"), {"evse": {"id": evse_id}}
    readings = v201.meter_values(ago(0), 1, evse_id, context="Trigger")
    for requested, where, said in (
        ("MeterValues", evse, readings),
        ("MeterValues", {}, readings),
        ("LogStatusNotification", {}, {"status": "Idle"}),
        ("FirmwareStatusNotification", {}, {"status": "Idle"}),
        ("Heartbeat", {}, {}),
    ):
        await passes(station, "TriggerMessage", {"requestedMessage": requested, **where}, ACCEPTED)
        answer = await station.call(requested, said)
        assert answer.keys() <= {"currentTime"}
    connector = {"evse": {"id": evse_id, "connectorId": 1}}
    for status in ("Available", "Occupied"):
        await passes(station, "TriggerMessage", {"requestedMessage": "StatusNotification", **connector}, ACCEPTED)
        assert await station.call("StatusNotification", v201.status(status, evse_id, at=ago(0))) == {}
        await shown_status(station, evse_id, status)
    asked = {"requestedMessage": "SignV2GCertificate"}
    await passes(station, "TriggerMessage", asked, {"status": "NotImplemented"})


@pytest.mark.case("TC_F_13", "TC_F_14")
@pytest.mark.parametrize(("case", "everywhere"), [("TC_F_13", False), ("TC_F_14", True)])
async def test_transaction_events_are_triggered_and_kept(
    shared, passes, token, session_of, api, evse_id, case, everywhere
):
    station, driver, transaction_id = shared("2.0.1"), await token(), f"{case}-{evse_id}"
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


@pytest.mark.case("TC_F_100")
async def test_TC_F_100_custom_trigger(shared, passes):
    asked = {"requestedMessage": "CustomTrigger", "customTrigger": "coffee"}
    await passes(shared("2.1"), "TriggerMessage", asked, ACCEPTED)


@pytest.mark.case(
    "TC_G_03",
    "TC_G_04",
    "TC_G_05",
    "TC_G_06",
    "TC_G_07",
    "TC_G_08",
    lacks="an operator changes it as it is: the status is kept, and not what he wanted",
)
@pytest.mark.parametrize("members", [("id",), (), ("id", "connectorId")], ids=["EVSE", "station", "connector"])
async def test_availability_is_changed_at_once(shared, passes, shown_status, evse_id, members):
    station, where = shared("2.0.1"), availability_of(evse_id, members)
    for wanted, status in (("Inoperative", "Unavailable"), ("Operative", "Available")):
        await passes(station, "ChangeAvailability", {"operationalStatus": wanted, **where}, ACCEPTED)
        await station.call("StatusNotification", v201.status(status, evse_id, at=ago(0)))
        await shown_status(station, evse_id, status)


@pytest.mark.case(
    "TC_G_11",
    "TC_G_14",
    "TC_G_17",
    lacks="an operator changes it as it is: the status is kept, and not what he wanted",
)
@pytest.mark.parametrize("members", [("id",), (), ("id", "connectorId")], ids=["EVSE", "station", "connector"])
async def test_availability_is_changed_after_the_transaction(
    shared, passes, shown_status, token, session_of, evse_id, members
):
    station, driver, name = shared("2.0.1"), await token(), f"TX-{evse_id}"
    place = {"id": evse_id, "connectorId": 1}
    await station.call("TransactionEvent", v201.started(name, 0, ago(2), 0, driver, evse=place))
    await station.call("StatusNotification", v201.status("Occupied", evse_id, at=ago(2)))
    wanted = {"operationalStatus": "Inoperative", **availability_of(evse_id, members)}
    await passes(station, "ChangeAvailability", wanted, {"status": "Scheduled"})
    await shown_status(station, evse_id, "Occupied")
    await station.call("TransactionEvent", v201.ended(name, 1, ago(1), 50))
    assert (await session_of(driver))["energy_wh"] == 50
    await station.call("StatusNotification", v201.status("Unavailable", evse_id, at=ago(0)))
    await shown_status(station, evse_id, "Unavailable")


def availability_of(evse_id, members):
    place = {"id": evse_id, "connectorId": 1}
    return {"evse": {name: place[name] for name in members}} if members else {}


@pytest.mark.case("TC_E_29", "TC_E_30", "TC_E_31", "TC_E_33", "TC_E_34")
async def test_the_status_of_a_transaction_is_told_and_what_waited_is_taken(
    shared, passes, api, token, session_of, evse_id
):
    """What is in the station's queue is said after it was asked, as what was said offline is."""
    station, driver, place = shared("2.0.1"), await token(), {"id": evse_id, "connectorId": 1}
    await station.call("TransactionEvent", v201.started(f"TX-{evse_id}", 0, ago(4), 0, driver, evse=place))
    session = await session_of(driver, "active")
    of_it = {"transactionId": session["transaction_id"]}

    async def status(asked, *, waits, **more):
        await passes(station, "GetTransactionStatus", asked, {"messagesInQueue": waits, **more})

    await status(of_it, waits=False, ongoingIndicator=True)
    await status(of_it, waits=True, ongoingIndicator=True)
    for seq_no, wh in ((1, 20), (2, 40)):
        waited = v201.updated(of_it["transactionId"], seq_no, ago(4 - seq_no), wh, offline=True)
        assert await station.call("TransactionEvent", waited) == {}
        await status({}, waits=True)
    await status(of_it, waits=True, ongoingIndicator=False)
    assert await station.call("TransactionEvent", v201.ended(of_it["transactionId"], 3, ago(1), 50, offline=True)) == {}
    await status({}, waits=False)
    ended = await session_of(driver)
    assert (ended["session_id"], ended["energy_wh"], ended["missing"]) == (session["session_id"], 50, [])
    events = (await api.call("GET", f"/v1/sessions/{session['session_id']}"))["events"]
    assert [each["type"] for each in events] == ["Started", "Updated", "Updated", "Ended"]


@pytest.mark.case("TC_P_02")
async def test_TC_P_02_data_transfer_to_the_csms_of_an_unknown_vendor(shared):
    told = await shared("2.0.1").call("DataTransfer", {"vendorId": "nobody", "messageId": "m", "data": {"a": 1}})
    assert told["status"] == "UnknownVendorId"


@pytest.mark.case("TC_P_03")
async def test_TC_P_03_custom_data_is_received(shared, evse_id, shown_status):
    station, custom = shared("2.0.1"), {"customData": {"vendorId": "acme", "anything": [1, {"more": True}]}}
    assert "currentTime" in await station.call("Heartbeat", custom)
    assert await station.call("StatusNotification", v201.status("Faulted", evse_id, at=ago(0)) | custom) == {}
    await shown_status(station, evse_id, "Faulted")


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
async def test_tariffs_are_sent(shared, passes):
    not_all, not_so = {"status": "TooManyElements"}, {"status": "ConditionNotSupported"}
    for action, payload, reply in (
        ("SetDefaultTariff", DEFAULT, ACCEPTED),
        ("SetDefaultTariff", DEFAULT, not_all),
        ("SetDefaultTariff", DEFAULT, not_so),
        ("ClearTariffs", {"evseId": 0}, {"clearTariffsResult": [ACCEPTED]}),
        ("ChangeTransactionTariff", CHANGE, not_all),
        ("ChangeTransactionTariff", CHANGE, not_so),
        ("ChangeTransactionTariff", CHANGE, ACCEPTED),
    ):
        await passes(shared("2.1"), action, payload, reply)


@pytest.mark.case("TC_I_01", lacks="an operator says what it costs: nothing is calculated")
async def test_TC_I_01_the_running_total_cost_is_sent(shared, passes):
    await passes(shared("2.0.1"), "CostUpdated", {"totalCost": 1.25, "transactionId": "T"}, {})


SWAP = {"requestId": 7, "idToken": v201.id_token("ALICE")}


def battery(serial_number):
    return {"evseId": 1, "serialNumber": serial_number, "soC": 80, "soH": 95}


@pytest.mark.case("TC_S_102", "TC_S_103", lacks="an operator asks for it as it is: no batteries are kept")
async def test_batteries_are_swapped_or_not(shared, passes):
    station = shared("2.1")
    for reply in (REJECTED, ACCEPTED):
        await passes(station, "RequestBatterySwap", SWAP, reply)
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
