"""Messages that break their schema: taken as they are meant where that can be told, else refused and kept."""

import json

import pytest
from chargebus_events.topics import METER_VALUES
from chargebus_testkit.log import Log
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "DE*ABC*123456789*0001"  # 21 characters


def zoneless(at: str) -> str:
    return at.removesuffix("Z")


STARTS = {
    "a null": {"reservationId": None},
    "another member": {"vendorNote": {"a": 1}},
    "a number as text": {"connectorId": "1"},
    "a meter as text": {"meterStart": "1000"},
    "a fraction": {"meterStart": 1000.25},
    "a NUL": {"idTag": "AL\0ICE"},
    "no zone": {"timestamp": zoneless(ago(30))},
    "an offset of hours": {"timestamp": ago(30).replace("Z", "+00")},
    "a time that is none": {"timestamp": "yesterday"},
    "no time": {"timestamp": None},
}
STOPS = {
    "a null": {"idTag": None, "reason": None},
    "another member": {"energy": 2000},
    "an empty reason": {"reason": ""},
    "a reason of another version": {"reason": "StoppedByEV"},
    "a number as text": {"transactionId": "same"},
    "a meter as text": {"meterStop": "3000"},
    "a text as number": {"idTag": 4711},
    "a fraction": {"meterStop": 3000.25},
    "a card of 21 characters": {"idTag": LONG},
    "a NUL": {"idTag": "AL\0ICE"},
    "no zone": {"timestamp": zoneless(ago(10))},
    "no time": {"timestamp": None},
    "one value for a list": {"transactionData": {"timestamp": ago(20), "sampledValue": {"value": "2000"}}},
    "an unknown unit": {"transactionData": [{"timestamp": ago(20), "sampledValue": [{"value": "50", "unit": "Hz"}]}]},
    "an empty list": {"transactionData": [{"timestamp": ago(20), "sampledValue": []}]},
}
ENDS = {
    "no seqNo": {"seqNo": None},
    "a seqNo as text": {"seqNo": "2"},
    "another member": {"vendor": [1, 2]},
    "a null": {"evse": None, "idToken": None},
    "a chargingState of a later version": {"transactionInfo": {"transactionId": "t", "chargingState": "Sleeping"}},
    "a stoppedReason of a later version": {"transactionInfo": {"transactionId": "t", "stoppedReason": "FromTheFuture"}},
    "an empty stoppedReason": {"transactionInfo": {"transactionId": "t", "stoppedReason": ""}},
    "a trigger of a later version": {"triggerReason": "TxResumed"},
    "a card of 42 characters": {"idToken": {"idToken": LONG * 2, "type": "ISO14443"}},
    "a text as number": {"idToken": {"idToken": 4711, "type": "ISO14443"}},
    "a NUL": {"idToken": {"idToken": "AL\0ICE", "type": "ISO14443"}},
    "a text for an idToken": {"idToken": "ALICE"},
    "a text for a transactionInfo": {"transactionInfo": "t"},
    "a number for an EVSE": {"evse": 1},
    "a text for a unit": {
        "meterValue": [
            {
                "timestamp": ago(10),
                "sampledValue": [{"value": 3, "unitOfMeasure": "kWh", "context": "Transaction.End"}],
            }
        ]
    },
    "no zone": {"timestamp": zoneless(ago(10))},
    "no time": {"timestamp": None},
    "one value for a list": {
        "meterValue": {"timestamp": ago(10), "sampledValue": {"value": "3000", "context": "Transaction.End"}}
    },
}


@pytest.mark.parametrize("change", STARTS.values(), ids=STARTS)
async def test_a_start_that_deviates_begins_a_session(raw_station, ended_sessions, change):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(30), 1000) | change)
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000))

        [session] = await ended_sessions(station)

    assert started["idTagInfo"]["status"] == "Accepted"
    assert (session["id_token"], session["billable"]) == ("ALICE", True)
    assert session["energy_wh"] == (1999.75 if change.get("meterStart") == 1000.25 else 2000)
    assert session["missing"] == []


@pytest.mark.parametrize("change", STOPS.values(), ids=STOPS)
async def test_a_stop_that_deviates_ends_its_session(raw_station, ended_sessions, change):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(30), 1000))
        same = {"transactionId": f"{started['transactionId']}"} if "transactionId" in change else change
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000) | same)

        [session] = await ended_sessions(station)

    assert session["energy_wh"] == (2000.25 if change.get("meterStop") == 3000.25 else 2000)
    assert (session["id_token"], session["billable"], session["missing"]) == ("ALICE", True, [])
    assert ("timestamp_unreadable" in session["flags"]) is ("timestamp" in change and not change["timestamp"])


@pytest.mark.parametrize("change", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_an_end_that_deviates_ends_its_session(raw_station, ended_sessions, version, change):
    async with raw_station(version) as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(10), 3000) | change)

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["id_token"], session["billable"]) == (2000, "ALICE", True)
    assert session["missing"] == []
    assert ("sequence_number_missing" in session["flags"]) is ("seqNo" in change and change["seqNo"] is None)


async def test_a_card_of_21_characters_may_charge(raw_station, ended_sessions, api):
    await api.add_token(LONG)
    async with raw_station("1.6") as station:
        authorized = await station.call("Authorize", {"idTag": LONG})
        started = await station.call("StartTransaction", v16.start(ago(30), 1000, LONG))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(10), 3000, idTag=LONG))

        [session] = await ended_sessions(station)

    assert authorized["idTagInfo"]["status"] == "Accepted"
    assert (session["id_token"], session["energy_wh"], session["billable"]) == (LONG, 2000, True)


async def test_a_serial_number_of_26_characters_is_kept_whole(raw_station, api):
    serial = "1234567890-1234567890-1234"
    async with raw_station("1.6", boot=False) as station:
        booted = await station.boot(chargePointSerialNumber=serial)

        async def look():
            return await api.call("GET", f"/v1/stations/{station.station_id}")

        shown = await eventually(look, lambda shown: serial in json.dumps(shown), what="the serial number")

    assert booted["status"] == "Accepted"
    assert serial in json.dumps(shown)


async def test_an_authorization_with_another_member_is_answered(raw_station):
    async with raw_station("1.6") as station, raw_station("2.0.1") as other:
        assert (await station.call("Authorize", {"idTag": "ALICE", "reader": 2}))["idTagInfo"]["status"] == "Accepted"
        said = {"idToken": v201.id_token("ALICE"), "reader": 2}
        assert (await other.call("Authorize", said))["idTokenInfo"]["status"] == "Accepted"


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_text_for_an_idtoken_is_a_token_of_an_unknown_type(raw_station, ended_sessions, version):
    async with raw_station(version) as station:
        authorized = await station.call("Authorize", {"idToken": "ALICE"})
        started = await station.call("TransactionEvent", v201.started("t", 0, ago(30), 1000) | {"idToken": "ALICE"})
        await station.call("TransactionEvent", v201.ended("t", 1, ago(10), 3000))

        [session] = await ended_sessions(station)

    assert [answer["idTokenInfo"]["status"] for answer in (authorized, started)] == ["Accepted", "Accepted"]
    assert (session["id_token"], session["id_token_type"], session["billable"]) == ("ALICE", "", True)


async def test_a_status_with_an_info_of_80_characters_counts(raw_station, api):
    info = "x" * 80
    async with raw_station("1.6") as station:
        assert await station.call("StatusNotification", v16.status("Faulted", info=info)) == {}

        async def look():
            return await api.call("GET", f"/v1/stations/{station.station_id}")

        await eventually(look, lambda shown: info in json.dumps(shown), what="the status")


async def test_of_20_readings_with_one_bad_phase_19_are_kept(raw_station, system):
    values = [v16.reading(1000 + number, phase="L1") for number in range(20)]
    values[7]["phase"] = "L7"
    async with raw_station("1.6") as station:
        said = {"connectorId": 1, "meterValue": [{"timestamp": ago(20), "sampledValue": values}]}
        assert await station.call("MeterValues", said) == {}
    async with Log(system.kafka_connection) as log:

        async def look():
            records = [record for record in await log.read(METER_VALUES) if record.key == station.station_id]
            return [reading["value"] for record in records for reading in json.loads(record.value)["readings"]]

        readings = await eventually(look, lambda found: len(found) > 0, what="the readings")

    assert readings == [1000 + number for number in range(20) if number != 7]


@pytest.mark.parametrize("number", [17, 1.5])
async def test_a_number_as_message_id_is_answered_with_that_number(raw_station, number):
    async with raw_station("1.6") as station:
        await station.send(f'[2,{number},"Heartbeat",{{}}]')
        answered = await station.receive()
        await station.send(f'[2,{number + 1},"Authorize",{{"idTag":"ALICE"}}]')
        authorized = await station.receive()
        await station.send(f'[2,{number + 2},"Heartbeat",[1]]')
        refused = await station.receive()

    assert answered[:2] == [3, number]
    assert (authorized[:2], authorized[2]["idTagInfo"]["status"]) == ([3, number + 1], "Accepted")
    assert refused[:3] == [4, number + 2, "FormationViolation"]


async def test_data_that_is_an_object_is_answered(raw_station):
    async with raw_station("1.6") as station:
        answer = await station.call("DataTransfer", {"vendorId": "com.example", "data": {"a": [1]}})

    assert "status" in answer


async def test_a_raw_nul_loses_no_message(raw_station):
    async with raw_station("1.6") as station:
        await station.send(b'[2,"a","Authorize",{"idTag":"ALICE\0"}]')
        assert (await station.receive())[2]["idTagInfo"]["status"] == "Accepted"


@pytest.mark.parametrize("nul", ["\0", "\\u0000"])
async def test_a_nul_loses_no_answer(raw_station, api, nul, monkeypatch):
    async with raw_station("1.6") as station:
        station.replies["GetConfiguration"] = {"configurationKey": [], "unknownKey": ["NUL"]}
        send = station.socket.send
        monkeypatch.setattr(station.socket, "send", lambda text: send(text.replace("NUL", f"a{nul}b").encode()))
        ended = await api.command(station.station_id, "GetConfiguration", {})

    assert ended.json()["reply"] == {"configurationKey": [], "unknownKey": ["ab"]}


@pytest.mark.parametrize(
    "text",
    [
        '[2,"x","StopTransaction",{"reason":"Local"}]',
        '[2,"x","StopTransaction",{"transactionId":,"meterStop":3000}]',
        '[2,"x","StartTransaction",{"idTag":"ALICE","meterStart":1,"timestamp":"2024-05-01T12:00:00Z"}]',
        '[2,"x","MeterValues",{"meterValue":[]}]',
    ],
)
async def test_what_nobody_can_understand_of_a_transaction_is_refused_and_kept_once(raw_station, parked, text):
    async with raw_station("1.6") as station:
        for _ in range(2):
            await station.send(text)
            refusal = await station.receive()
            assert refusal[:2] == [4, "x"]
        [kept] = await parked(station)
        assert await station.call("Heartbeat", {})

    assert kept.text("parked_reason") == f"refused: {refusal[2]}: {refusal[3]}"
    assert (kept.value or b"").decode() in text


async def test_what_nobody_can_understand_of_anything_else_is_refused(raw_station):
    async with raw_station("1.6") as station:
        with pytest.raises(RefusedError) as refused:
            await station.call("Authorize", {"idTag": {}})

    assert refused.value.code == "TypeConstraintViolation"


def with_data(payload, size):
    """Return a stop with as much transactionData as makes it so large, nearly."""
    values = [v16.reading(1000 + number, context="Sample.Periodic", location="Outlet") for number in range(size // 133)]
    return {**payload, "transactionData": [{"timestamp": ago(20), "sampledValue": values}]}


async def test_a_stop_of_nearly_a_megabyte_ends_its_session(raw_station, ended_sessions, system):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(30), 1000))
        stop = with_data(v16.stop(started["transactionId"], ago(10), 9000), 1_000_000)
        assert 950_000 < len(json.dumps(stop)) < 1024 * 1024
        await station.call("StopTransaction", stop)

        [session] = await ended_sessions(station)

    assert (session["energy_wh"], session["billable"]) == (8000, True)


async def test_a_message_of_more_than_a_megabyte_is_refused_and_the_socket_stays(raw_station, parked):
    async with raw_station("1.6") as station:
        with pytest.raises(RefusedError) as refused:
            await station.call("DataTransfer", {"vendorId": "v", "data": "x" * 2_000_000})
        assert refused.value.code == "GenericError"
        with pytest.raises(RefusedError):
            await station.call("StopTransaction", with_data(v16.stop(7, ago(10), 9000), 2_000_000))
        assert await station.call("Heartbeat", {})
        [kept] = await parked(station)

    assert b'"transactionId": 7' in (kept.value or b"")
