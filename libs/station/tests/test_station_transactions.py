"""A charge from beginning to end, in the messages of each version."""

import pytest
from chargebus_ocppj.timestamps import parse_timestamp
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.charging import Vehicle
from chargebus_station.config import DC_150, EnergyUnit
from chargebus_station.driver_visit import Departure, DriverVisit, Order
from chargebus_station.transaction import IdToken

ALL = pytest.mark.parametrize("version", VERSIONS)
TWO = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CAR = Vehicle(60_000, 11_000, soc=0.2)
VISIT = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=1800)
LONG = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=1_000_000)


def register(told):
    """Return (context, Wh) of the energy register readings of a message."""
    return [
        (value["context"], float(value["value"]))
        for meter_value in told.get("meterValue", [])
        for value in meter_value["sampledValue"]
        if value["measurand"] == "Energy.Active.Import.Register"
    ]


def mean_w(entry):
    """Return the mean power of a transaction; the machine may be slow, and then the driver stays longer."""
    return entry.energy_wh / ((entry.ended_at - entry.started_at).total_seconds() / 3600)


async def test_TC_003_regular_charging_session_plugin_first(csms, start):
    async with start("1.6", register_wh=5000) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    started, stopped = csms.seen("StartTransaction")[0], csms.seen("StopTransaction")[0]
    assert started["meterStart"] == entry.meter_start_wh == 5000
    assert started["idTag"] == "ALICE"
    assert stopped["meterStop"] == entry.meter_stop_wh
    assert stopped["transactionId"] == int(entry.transaction_id) == 1
    assert stopped["reason"] == "Local"
    assert 0.9 * 11_000 < mean_w(entry) <= 11_000
    assert entry.start_answered
    assert entry.stop_answered
    readings = [register(told)[0][1] for told in csms.seen("MeterValues")]
    assert len(readings) > 10
    assert readings == sorted(readings)
    assert {told["transactionId"] for told in csms.seen("MeterValues")} == {1}
    statuses = [told["status"] for told in csms.seen("StatusNotification") if told["connectorId"] == 1]
    assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]


async def test_1_6_puts_readings_into_the_stop_message_where_it_is_configured_so(csms, start):
    async with start("1.6", settings={"StopTxnSampledData": "Energy.Active.Import.Register"}) as station:
        await station.visit(VISIT)
        await station.until(lambda: station.settled)
    data = csms.seen("StopTransaction")[0]["transactionData"]
    contexts = [value["context"] for meter_value in data for value in meter_value["sampledValue"]]
    assert contexts == ["Transaction.Begin", "Transaction.End"]


@TWO
async def test_E_a_transaction_is_started_updated_and_ended_in_order(csms, start, version):
    async with start(version, register_wh=5000) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    events = csms.seen("TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert [event["eventType"] for event in events] == ["Started", *["Updated"] * (len(events) - 2), "Ended"]
    assert {event["transactionInfo"]["transactionId"] for event in events} == {entry.transaction_id}
    assert not any(event.get("offline") for event in events)
    readings = [reading for event in events for reading in register(event)]
    assert readings[0] == ("Transaction.Begin", 5000)
    assert readings[-1] == ("Transaction.End", entry.meter_stop_wh)
    assert {context for context, _ in readings[1:-1]} == {"Sample.Periodic"}
    assert [wh for _, wh in readings] == sorted(wh for _, wh in readings)
    assert events[0]["idToken"]["idToken"] == "ALICE"
    assert (events[-1]["triggerReason"], events[-1]["transactionInfo"]["stoppedReason"]) == ("StopAuthorized", "Local")
    assert [reading for message in entry.messages for reading in message.readings][-1].energy_wh == entry.meter_stop_wh


@TWO
async def test_E03_a_transaction_that_begins_with_the_cable_learns_its_token_later(csms, start, version):
    points = {"TxCtrlr.TxStartPoint": "EVConnected", "TxCtrlr.TxStopPoint": "EVConnected"}
    async with start(version, settings=points) as station:
        await station.visit(VISIT)
        await station.until(lambda: station.settled)
    triggers = [event["triggerReason"] for event in csms.seen("TransactionEvent")]
    assert triggers[:3] == ["CablePluggedIn", "Authorized", "ChargingStateChanged"]
    assert triggers[-2:] == ["StopAuthorized", "EVCommunicationLost"]
    first, second = csms.seen("TransactionEvent")[:2]
    assert "idToken" not in first
    assert second["idToken"]["idToken"] == "ALICE"


@TWO
async def test_E02_a_transaction_may_begin_with_the_authorization(csms, start, version):
    visit = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=600, order=Order.TOKEN_FIRST)
    async with start(version, settings={"TxCtrlr.TxStartPoint": "Authorized"}) as station:
        await station.visit(visit)
        await station.until(lambda: station.settled)
    events = csms.seen("TransactionEvent")
    assert [event["triggerReason"] for event in events][:2] == ["Authorized", "ChargingStateChanged"]
    assert [event["transactionInfo"]["chargingState"] for event in events][:2] == ["Idle", "Charging"]


@ALL
async def test_a_driver_who_just_unplugs_ends_the_transaction(csms, start, version):
    visit = DriverVisit(1, CAR, IdToken("ALICE"), stay_s=600, departure=Departure.UNPLUGS)
    async with start(version) as station:
        entry = await station.visit(visit)
    assert entry.stopped_reason == "EVDisconnected"


@ALL
async def test_a_full_vehicle_is_told(csms, start, version):
    visit = DriverVisit(1, Vehicle(20_000, 11_000, soc=0.9, target_soc=0.92), IdToken("ALICE"), stay_s=3600)
    async with start(version) as station:
        await station.visit(visit)
        await station.until(lambda: station.settled)
    told = [status.get("status") for status in csms.seen("StatusNotification")]
    told += [event["transactionInfo"].get("chargingState") for event in csms.seen("TransactionEvent")]
    assert "SuspendedEV" in told


@ALL
async def test_a_refused_token_starts_nothing(csms, start, version):
    blocked = {"status": "Blocked"}
    csms.scripts["Authorize"] = lambda told: {"idTagInfo": blocked} if "idTag" in told else {"idTokenInfo": blocked}
    async with start(version) as station:
        assert await station.visit(VISIT) is None
        assert station.history.transactions == []
        assert [(entry.status, entry.allowed) for entry in station.history.authorizations] == [("Blocked", False)]


async def test_StopTransactionOnInvalidId_ends_a_transaction_whose_start_is_answered_so(csms, start):
    csms.scripts["StartTransaction"] = lambda _told: {"transactionId": 7, "idTagInfo": {"status": "ConcurrentTx"}}
    async with start("1.6") as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    assert entry.token_statuses == ["ConcurrentTx"]
    assert csms.seen("StopTransaction")[0]["reason"] == "DeAuthorized"


@TWO
async def test_E05_a_transaction_is_ended_when_the_csms_does_not_accept_its_token(csms, start, version):
    csms.scripts["TransactionEvent"] = lambda told: {"idTokenInfo": {"status": "Expired"}} if "idToken" in told else {}
    async with start(version) as station:
        entry = await station.visit(VISIT)
        await station.until(lambda: station.settled)
    last = csms.seen("TransactionEvent")[-1]
    assert entry.token_statuses[0] == "Expired"
    assert (last["triggerReason"], last["transactionInfo"]["stoppedReason"]) == ("Deauthorized", "DeAuthorized")


async def test_remote_start_and_stop_of_1_6(csms, start):
    async with start("1.6") as station:
        assert await csms.call("RemoteStartTransaction", {"idTag": "BOB"}) == {"status": "Accepted"}
        await csms.until(lambda: csms.seen("MeterValues") != [])
        assert csms.seen("StartTransaction")[0]["idTag"] == "BOB"
        assert csms.seen("Authorize") == []
        assert await csms.call("RemoteStopTransaction", {"transactionId": 99}) == {"status": "Rejected"}
        assert await csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await station.until(lambda: station.settled)
    assert csms.seen("StopTransaction")[0]["reason"] == "Remote"


@TWO
async def test_F02_remote_start_and_F03_remote_stop(csms, start, version):
    token = {"idToken": "BOB", "type": "Central"}
    async with start(version) as station:
        wanted = {"idToken": token, "remoteStartId": 42, "evseId": 1}
        assert (await csms.call("RequestStartTransaction", wanted))["status"] == "Accepted"
        await csms.until(lambda: len(csms.seen("TransactionEvent")) > 2)
        first = csms.seen("TransactionEvent")[0]
        assert first["triggerReason"] == "RemoteStart"
        assert first["transactionInfo"]["remoteStartId"] == 42
        assert first["idToken"] == token
        assert await csms.call("RequestStartTransaction", wanted) == {"status": "Rejected"}
        transaction_id = first["transactionInfo"]["transactionId"]
        assert await csms.call("RequestStopTransaction", {"transactionId": transaction_id}) == {"status": "Accepted"}
        await station.until(lambda: station.settled)
    last = csms.seen("TransactionEvent")[-1]
    assert (last["triggerReason"], last["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")


@TWO
async def test_F01_a_remote_start_finds_the_vehicle_that_waits(csms, start, version):
    points = {"TxCtrlr.TxStartPoint": "EVConnected", "TxCtrlr.EVConnectionTimeOut": "100000"}
    async with start(version, settings=points) as station:
        station.visit(DriverVisit(1, CAR, stay_s=600))
        await station.until(lambda: station.state.evses[1].awaits_token)
        begun = csms.seen("TransactionEvent")
        answer = await csms.call(
            "RequestStartTransaction", {"idToken": {"idToken": "BOB", "type": "Central"}, "remoteStartId": 1}
        )
        await station.until(lambda: station.settled)
    first, second = csms.seen("TransactionEvent")[:2]
    assert answer["transactionId"] == first["transactionInfo"]["transactionId"]
    assert (second["triggerReason"], second["idToken"]["idToken"]) == ("RemoteStart", "BOB")
    assert begun is not None


@ALL
async def test_reset_ends_what_is_under_way(csms, start, version):
    async with start(version) as station:
        station.visit(LONG)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        await csms.call("Reset", {"type": "Hard" if version == "1.6" else "Immediate"})
        await station.until(lambda: station.history.boots_accepted == 2 and station.settled)
        entry = station.history.transactions[0]
        assert entry.stopped_reason == ("HardReset" if version == "1.6" else "ImmediateReset")
        assert entry.stop_answered


@TWO
async def test_B12_a_reset_on_idle_waits_for_the_transaction(csms, start, version):
    async with start(version) as station:
        visit = station.visit(LONG)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        assert await csms.call("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
        station.unplug(1)
        assert (await visit).stopped_reason == "EVDisconnected"
        await station.until(lambda: station.history.boots_accepted == 2)
    assert csms.seen("BootNotification")[1]["reason"] == "ScheduledReset"


@ALL
async def test_change_availability_waits_for_the_transaction(csms, start, version):
    off = {"connectorId": 1, "type": "Inoperative"} if version == "1.6" else {"operationalStatus": "Inoperative"}
    async with start(version) as station:
        station.visit(LONG)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        assert await csms.call("ChangeAvailability", off) == {"status": "Scheduled"}
        station.unplug(1)
        await station.until(lambda: station.settled)
        with pytest.raises(ValueError, match="Unavailable"):
            station.visit(VISIT)
        last = csms.seen("StatusNotification")
        await csms.until(lambda: "Unavailable" in str(csms.seen("StatusNotification")[-1]))
        assert last is not None


@ALL
async def test_a_charging_profile_limits_the_power(csms, start, version):
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000}]}
    stem = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    v16 = {"connectorId": 0, "csChargingProfiles": {"chargingProfileId": 1, **stem, "chargingSchedule": schedule}}
    v2 = {"evseId": 0, "chargingProfile": {"id": 1, **stem, "chargingSchedule": [{"id": 1, **schedule}]}}
    async with start(version) as station:
        answer = await csms.call("SetChargingProfile", v16 if version == "1.6" else v2)
        assert answer == {"status": "Accepted"}
        entry = await station.visit(DriverVisit(1, CAR, IdToken("ALICE"), stay_s=3600))
    assert 0.9 * 5_000 < mean_w(entry) <= 5_000


@ALL
async def test_a_connector_that_breaks_ends_the_charge_and_recovers(csms, start, version):
    async with start(version) as station:
        station.visit(LONG)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        station.break_connector(1)
        await station.until(lambda: station.settled)
        station.repair_connector(1)
        await csms.until(lambda: "Available" in str(csms.seen("StatusNotification")[-1]))
    assert "Faulted" in str(csms.seen("StatusNotification"))
    assert len(csms.seen("NotifyEvent")) == (0 if version == "1.6" else 2)


@ALL
async def test_trigger_message_sends_meter_values(csms, start, version):
    async with start(version) as station:
        await csms.call("TriggerMessage", {"requestedMessage": "MeterValues"})
        await csms.until(lambda: csms.seen("MeterValues") != [])
        assert register(csms.seen("MeterValues")[0]) == [("Trigger", station.state.evses[1].register_wh)]


@ALL
async def test_energy_may_be_told_in_kwh(csms, start, version):
    async with start(version, energy_unit=EnergyUnit.KWH, register_wh=5000, outlets=(DC_150,)) as station:
        await csms.call("TriggerMessage", {"requestedMessage": "MeterValues"})
        await csms.until(lambda: csms.seen("MeterValues") != [])
        assert station.online
    sampled = csms.seen("MeterValues")[0]["meterValue"][0]["sampledValue"][0]
    assert float(sampled["value"]) == 5
    assert sampled.get("unit", sampled.get("unitOfMeasure", {}).get("unit")) == "kWh"


@ALL
async def test_no_timestamp_is_from_the_future(csms, start, version):
    async with start(version) as station:
        await station.visit(VISIT)
        await station.until(lambda: station.settled)
        now = station.clock.now()
    stamps = [
        told["timestamp"]
        for call in ("StatusNotification", "TransactionEvent", "StartTransaction", "StopTransaction")
        for told in csms.seen(call)
    ]
    assert stamps != []
    assert all(parse_timestamp(stamp) <= now for stamp in stamps)
