"""Authorization, transactions, remote starts and readings of 2.0.1 and 2.1 (blocks C, E, F, J), case by case.

A raw station says what a station says in the case; what the CSMS answers and keeps is looked at.
"""

import msgspec
import pytest
from chargebus_events.topics import METER_VALUES
from chargebus_testkit.log import Log
from chargebus_testkit.raw import v201
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ACCEPTED = {"status": "Accepted"}


async def authorized(station, text):
    return (await station.call("Authorize", {"idToken": v201.id_token(text)}))["idTokenInfo"]


class Transaction:
    """One transaction at an EVSE, with a number for each of its events."""

    def __init__(self, station, transaction_id, evse_id):
        self.station, self.transaction_id = station, transaction_id
        self.place = {"id": evse_id, "connectorId": 1}
        self._seq_no = 0

    async def says(self, kind, trigger, wh=None, *, minute=None, **more):
        """Tell an event; `minute` counts from ten minutes ago, by default one for each event."""
        minute = self._seq_no if minute is None else minute
        where = {"evse": self.place} if kind == "Started" else {}
        payload = v201.event(kind, self.transaction_id, self._seq_no, ago(10 - minute), wh, **where, **more)
        self._seq_no += 1
        return await self.station.call("TransactionEvent", payload | {"triggerReason": trigger})


@pytest.fixture
def transaction(shared, evse_id):
    """Begin to tell of a transaction of the station of a version: `tx = transaction(version)`."""

    def make(version):
        return Transaction(shared(version), f"TX-{version}-{evse_id}", evse_id)

    return make


def by(text):
    return {"idToken": v201.id_token(text)}


def state(name):
    return {"info": {"chargingState": name}}


def stopped(reason):
    return {"info": {"stoppedReason": reason}}


# C


@pytest.mark.case("TC_C_02", "TC_C_06", "TC_C_07")
@pytest.mark.parametrize(
    ("case", "status", "more"),
    [
        ("TC_C_02", "Unknown", None),
        ("TC_C_06", "Blocked", {"blocked": True}),
        ("TC_C_07", "Expired", {"expires_at": "2020-01-01T00:00:00Z"}),
    ],
)
async def test_who_may_not_charge_is_told_so(shared, token, case, status, more):
    driver = f"NOBODY-{case}" if more is None else await token(**more)
    assert (await authorized(shared("2.0.1"), driver))["status"] == status


@V2
@pytest.mark.case("TC_C_08")
async def test_TC_C_08_authorization_through_authorization_cache_accepted(transaction, token, session_of, version):
    driver, tx = await token(), transaction(version)
    assert (await tx.says("Started", "Authorized", 0, **by(driver)))["idTokenInfo"]["status"] == "Accepted"
    await tx.says("Ended", "StopAuthorized", 100, **by(driver))
    assert (await session_of(driver))["billable"]


@V2
@pytest.mark.case("TC_C_20")
async def test_TC_C_20_authorization_through_authorization_cache_invalid(shared, api, token, version):
    """The station holds the token to be invalid, and asks: what counts is what the CSMS says now."""
    driver = await token(blocked=True)
    assert (await authorized(shared(version), driver))["status"] == "Blocked"
    await api.call("PATCH", f"/v1/tokens/{driver}", {"blocked": False})
    assert (await authorized(shared(version), driver))["status"] == "Accepted"


@pytest.mark.case("TC_C_39", "TC_C_40", "TC_C_43")
@pytest.mark.parametrize(
    ("case", "local", "blocked"), [("TC_C_39", False, False), ("TC_C_40", True, False), ("TC_C_43", True, True)]
)
async def test_who_is_of_the_same_group_may_end_it(transaction, ask, token, session_of, evse_id, case, local, blocked):
    tx, group = transaction("2.0.1"), f"GROUP-{evse_id}"
    driver, other = await token(group_id=group), await token(group_id=group, blocked=blocked)
    if local:
        info = {"status": "Accepted", "groupIdToken": v201.id_token(group, "Central")}
        entries = [{"idToken": v201.id_token(each), "idTokenInfo": info} for each in (driver, other)]
        wanted = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": entries}
        tx.station.replies["SendLocalList"] = ACCEPTED
        assert (await ask(tx.station, "SendLocalList", wanted))["reply"] == ACCEPTED
        assert await tx.station.asked("SendLocalList") == wanted
    told = (await tx.says("Started", "Authorized", 0, **by(driver)))["idTokenInfo"]
    assert (told["status"], told["groupIdToken"]["idToken"]) == ("Accepted", group)
    asked = await authorized(tx.station, other)
    assert asked["status"] == ("Blocked" if blocked else "Accepted")
    assert blocked or asked["groupIdToken"]["idToken"] == group
    ended = await tx.says("Ended", "StopAuthorized", 100, **by(driver if blocked else other))
    assert ended["idTokenInfo"]["groupIdToken"]["idToken"] == group
    session = await session_of(driver)
    assert (session["billable"], session["energy_wh"]) == (True, 100)


# E: how a transaction starts

STARTS = {
    "TC_E_01": ("Authorized", "EVConnected", True),
    "TC_E_02": ("ChargingStateChanged", "Charging", True),
    "TC_E_09": ("CablePluggedIn", "EVConnected", False),
    "TC_E_10": ("Authorized", "Idle", True),
    "TC_E_11": ("SignedDataReceived", "EVConnected", True),
    "TC_E_12": ("EVDetected", "Idle", False),
}


@pytest.mark.case("TC_E_01", "TC_E_02", "TC_E_09", "TC_E_10", "TC_E_11", "TC_E_12")
@pytest.mark.parametrize("case", STARTS)
async def test_a_transaction_starts_by_whatever_starts_it(transaction, token, session_of, api, case):
    driver, tx = await token(), transaction("2.0.1")
    trigger, charging_state, is_authorized = STARTS[case]
    begun = await tx.says("Started", trigger, 1000, **state(charging_state), **(by(driver) if is_authorized else {}))
    assert ("idTokenInfo" in begun) == is_authorized
    if not is_authorized:
        later = await tx.says("Updated", "Authorized", 1000, **by(driver), **state("EVConnected"))
        assert later["idTokenInfo"]["status"] == "Accepted"
    await tx.says("Updated", "ChargingStateChanged", 1100, **state("Charging"))
    assert (await session_of(driver, "active"))["charging_state"] == "Charging"
    await tx.says("Ended", "StopAuthorized", 1500, **by(driver), **stopped("Local"))
    session = await session_of(driver)
    events = (await api.call("GET", f"/v1/sessions/{session['session_id']}"))["events"]
    assert (events[0]["type"], events[0]["trigger"], session["energy_wh"]) == ("Started", trigger, 500)


@pytest.mark.case("TC_E_03", "TC_E_04", "TC_E_38")
@pytest.mark.parametrize(
    ("case", "plug_first", "ready"), [("TC_E_03", True, True), ("TC_E_04", False, True), ("TC_E_38", True, False)]
)
async def test_a_local_start_whether_plug_or_card_comes_first(transaction, token, session_of, case, plug_first, ready):
    driver, tx = await token(), transaction("2.0.1")
    if not plug_first:
        assert (await authorized(tx.station, driver))["status"] == "Accepted"
    await tx.station.call("StatusNotification", v201.status("Occupied", tx.place["id"], at=ago(10)))
    await tx.says("Started", "CablePluggedIn", 1000, **state("EVConnected"), **({} if plug_first else by(driver)))
    if plug_first:
        assert (await authorized(tx.station, driver))["status"] == "Accepted"
        told = await tx.says("Updated", "Authorized", 1000, **by(driver), **state("EVConnected"))
        assert told["idTokenInfo"]["status"] == "Accepted"
    now = "Charging" if ready else "SuspendedEV"
    await tx.says("Updated", "ChargingStateChanged", 1000, **state(now))
    assert (await session_of(driver, "active"))["charging_state"] == now
    await tx.says("Ended", "EVDeparted", 1000 + 400 * ready, **stopped("EVDisconnected"))
    assert (await session_of(driver))["energy_wh"] == 400 * ready


# E: how a transaction ends

STOPS = {
    "TC_E_07, TC_E_15": ("StopAuthorized", "Local", "EVConnected"),
    "TC_E_08": ("ChargingStateChanged", "StoppedByEV", "EVConnected"),
    "TC_E_14": ("EVDeparted", "EVDisconnected", "Idle"),
    "TC_E_17, TC_E_20": ("EVCommunicationLost", "EVDisconnected", "Idle"),
    "TC_E_19": ("EVDeparted", "Local", "Idle"),
    "TC_E_22": ("ChargingStateChanged", "StoppedByEV", "SuspendedEV"),
    "TC_E_39": ("EVConnectTimeout", "Timeout", "Idle"),
}


@pytest.mark.case("TC_E_07", "TC_E_08", "TC_E_14", "TC_E_15", "TC_E_17", "TC_E_19", "TC_E_20", "TC_E_22", "TC_E_39")
@pytest.mark.parametrize("case", STOPS)
async def test_a_transaction_ends_by_whatever_ends_it(transaction, token, session_of, api, case):
    driver, tx = await token(), transaction("2.0.1")
    trigger, reason, charging_state = STOPS[case]
    await tx.says("Started", "Authorized", 1000, **by(driver))
    info = {"info": {"stoppedReason": reason, "chargingState": charging_state}}
    assert await tx.says("Ended", trigger, 1300, **info) == {}
    session = await session_of(driver)
    assert (session["stop_reason"], session["energy_wh"], session["billable"]) == (reason, 300, True)
    events = (await api.call("GET", f"/v1/sessions/{session['session_id']}"))["events"]
    assert events[-1]["trigger"] == trigger


@V2
@pytest.mark.case("TC_E_16")
async def test_TC_E_16_a_transaction_by_a_token_that_is_invalid_is_deauthorized(
    transaction, token, session_of, version
):
    driver, tx = await token(blocked=True), transaction(version)
    assert (await tx.says("Started", "Authorized", 0, **by(driver)))["idTokenInfo"]["status"] == "Blocked"
    await tx.says("Ended", "Deauthorized", 10, **stopped("DeAuthorized"))
    session = await session_of(driver)
    assert (session["stop_reason"], session["billable"]) == ("DeAuthorized", False)


@V2
@pytest.mark.case("TC_E_26")
async def test_TC_E_26_disconnect_cable_on_ev_side_suspends(transaction, token, session_of, version):
    driver, tx = await token(), transaction(version)
    await tx.says("Started", "Authorized", 0, **by(driver), **state("Charging"))
    await tx.says("Updated", "EVCommunicationLost", 100, **state("Idle"))
    await session_of(driver, "active", charging_state="Idle")
    await tx.says("Updated", "CablePluggedIn", 100, **state("Charging"))
    await session_of(driver, "active", charging_state="Charging")
    await tx.says("Ended", "StopAuthorized", 250, **by(driver))
    assert (await session_of(driver))["energy_wh"] == 250


@V2
@pytest.mark.case("TC_E_53")
async def test_TC_E_53_the_sequence_begins_with_0_in_each_transaction(transaction, shared, token, session_of, version):
    drivers, first = [await token(), await token()], transaction(version)
    second = Transaction(shared(version), f"{first.transaction_id}-2", first.place["id"])
    for driver, tx in zip(drivers, (first, second), strict=True):
        begun = await tx.says("Started", "Authorized", 0, **by(driver))
        assert begun["idTokenInfo"]["status"] == "Accepted"
        await tx.says("Ended", "StopAuthorized", 100, **by(driver))
        session = await session_of(driver)
        assert (session["gaps"], session["missing"], session["energy_wh"]) == ([], [], 100)


# B: resets with and without a transaction

RESETS = {
    "TC_B_20": ("OnIdle", None, False),
    "TC_B_21": ("OnIdle", None, True),
    "TC_B_22": ("Immediate", None, True),
    "TC_B_25": ("OnIdle", 1, False),
    "TC_B_26": ("OnIdle", 1, True),
    "TC_B_27": ("Immediate", 1, True),
}


@pytest.mark.case("TC_B_20", "TC_B_21", "TC_B_22", "TC_B_25", "TC_B_26", "TC_B_27")
@pytest.mark.parametrize("case", RESETS)
async def test_a_station_or_an_evse_is_reset(raw_station, ask, told, token, session_of, case):
    kind, evse_id, is_charging = RESETS[case]
    driver, on_idle = await token(), kind == "OnIdle"
    reply = {"status": "Scheduled" if is_charging and on_idle else "Accepted"}
    async with raw_station("2.0.1", {"Reset": reply}) as station:
        tx = Transaction(station, f"TX-{station.station_id}", 1)
        if is_charging:
            await tx.says("Started", "Authorized", 0, **by(driver))
        wanted = {"type": kind} | ({} if evse_id is None else {"evseId": evse_id})
        assert (await ask(station, "Reset", wanted))["reply"] == reply
        assert await station.asked("Reset") == wanted
        if is_charging:
            trigger, reason = ("StopAuthorized", "Local") if on_idle else ("ResetCommand", "ImmediateReset")
            await tx.says("Ended", trigger, 100, **stopped(reason))
            assert (await session_of(driver))["stop_reason"] == reason
        if evse_id is None:
            await station.disconnect()
            await station.connect()
            assert (await station.boot(reason="ScheduledReset"))["status"] == "Accepted"
            path = f"/v1/stations/{station.station_id}"
            await told(path, lambda found: (found.get("boot") or {}).get("reason") == "ScheduledReset", what="it boots")


@pytest.mark.case("TC_B_103", "TC_B_104", "TC_E_113")
@pytest.mark.parametrize(("case", "is_charging"), [("TC_B_103", True), ("TC_B_104", False), ("TC_E_113", True)])
async def test_2_1_a_transaction_goes_on_after_an_interruption(raw_station, ask, token, session_of, case, is_charging):
    """TC_E_113: nobody asked for it, and it comes back in time."""
    driver = await token()
    async with raw_station("2.1", {"Reset": ACCEPTED}) as station:
        tx = Transaction(station, f"TX-{station.station_id}", 1)
        if is_charging:
            await tx.says("Started", "Authorized", 0, **by(driver), **state("Charging"))
        if case != "TC_E_113":
            assert (await ask(station, "Reset", {"type": "ImmediateAndResume"}))["reply"] == ACCEPTED
            assert (await station.asked("Reset"))["type"] == "ImmediateAndResume"
        await station.disconnect()
        await station.connect()
        assert (await station.boot(reason="RemoteReset"))["status"] == "Accepted"
        if is_charging:
            await tx.says("Updated", "TxResumed", 100, **state("Charging"))
            session = await session_of(driver, "active")
            await tx.says("Ended", "StopAuthorized", 300, **by(driver))
            ended = await session_of(driver)
            assert (ended["session_id"], ended["energy_wh"]) == (session["session_id"], 300)


# Boots, and what is said of a station


@V2
@pytest.mark.case("TC_B_01")
async def test_TC_B_01_cold_boot_accepted(raw_station, told, version):
    async with raw_station(version) as station:
        booted = await station.boot(reason="PowerUp")
        assert (booted["status"], booted["interval"] > 0, booted["currentTime"][-1]) == ("Accepted", True, "Z")
        assert await station.call("StatusNotification", v201.status(at=ago(0))) == {}
        found = await told(
            f"/v1/stations/{station.station_id}",
            lambda found: found["boot"] and found["evses"] and found["evses"][0]["status"] == "Available",
            what="it is shown",
        )
    assert (found["boot"]["registration"], found["connection"]["version"]) == ("accepted", version)


@pytest.mark.case("TC_B_02", "TC_B_30", "TC_B_31")
@pytest.mark.parametrize("registration", ["pending", "rejected"])
async def test_a_station_that_is_not_accepted_yet(raw_station, api, ask, registration):
    """It may say nothing but that it boots (TC_B_30); pending, it may be asked to (TC_B_31), and is accepted then."""
    async with raw_station("2.0.1") as station:
        path = f"/v1/stations/{station.station_id}"
        await api.call("PATCH", path, {"registration": registration})
        wanted = registration.capitalize()
        if registration == "rejected":
            assert (await station.closed()).code == 1008
            await station.connect()
        await eventually(station.boot, lambda booted: booted["status"] == wanted, what=f"the boot is {registration}")
        assert (await station.boot())["interval"] > 0
        with pytest.raises(RefusedError) as refused:
            await station.call("StatusNotification", v201.status(at=ago(0)))
        assert refused.value.code == "SecurityError"
        if registration == "pending":
            station.replies["TriggerMessage"] = ACCEPTED
            asked = await ask(station, "TriggerMessage", {"requestedMessage": "BootNotification"})
            assert asked["reply"] == ACCEPTED
        await api.call("PATCH", path, {"registration": "accepted"})
        await eventually(station.boot, lambda booted: booted["status"] == "Accepted", what="the boot is accepted")
        assert await station.call("StatusNotification", v201.status(at=ago(0))) == {}


@pytest.mark.case("TC_G_20")
async def test_TC_G_20_connector_status_notification_lock_failure(shared, told, token, evse_id):
    station, driver = shared("2.0.1"), await token()
    assert (await authorized(station, driver))["status"] == "Accepted"
    event = {
        "eventId": evse_id,
        "timestamp": ago(0),
        "trigger": "Delta",
        "actualValue": "true",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "ConnectorPlugRetentionLock", "evse": {"id": evse_id, "connectorId": 1}},
        "variable": {"name": "Problem"},
    }
    said = {"generatedAt": ago(0), "tbc": False, "seqNo": 0, "eventData": [event]}
    assert await station.call("NotifyEvent", said) == {}
    path = f"/v1/station-events?station_id={station.station_id}"
    await told(
        path,
        lambda found: (
            [each["component"] for each in found["items"] if each["number"] == evse_id] == [event["component"]["name"]]
        ),
        what="the event",
    )


@pytest.mark.case("TC_G_01")
async def test_TC_G_01_status_notification(shared, told, evse_id):
    station = shared("2.1")
    for status in ("Available", "Occupied", "Reserved", "Unavailable", "Faulted"):
        assert await station.call("StatusNotification", v201.status(status, evse_id, at=ago(0))) == {}

        def is_shown(found, status=status):
            return [each["status"] for each in found["evses"] if each["evse_id"] == evse_id] == [status]

        await told(f"/v1/stations/{station.station_id}", is_shown, what=f"it is {status}")


# F: starts and stops from afar


async def asked_to_start(api, tx, driver):
    """Start from afar; return the number that the station is told."""
    tx.station.replies["RequestStartTransaction"] = ACCEPTED
    path = f"/v1/stations/{tx.station.station_id}/evses/{tx.place['id']}/start"
    told = await api.call("POST", path, {"id_token": driver, "wait": True, "ttl_s": 60})
    asked = await tx.station.asked("RequestStartTransaction")
    assert (asked["evseId"], asked["idToken"]["idToken"]) == (tx.place["id"], driver)
    assert (told["outcome"], told["status"]) == ("answered", "Accepted")
    assert asked["remoteStartId"] == told["remote_start_id"]
    return told["remote_start_id"]


@pytest.mark.case("TC_F_01", "TC_F_02", "TC_F_03")
@pytest.mark.parametrize(
    ("case", "plug_first", "authorizes"),
    [("TC_F_01", True, False), ("TC_F_02", False, True), ("TC_F_03", False, False)],
)
async def test_a_transaction_is_started_from_afar(transaction, api, token, session_of, case, plug_first, authorizes):
    driver, tx = await token(), transaction("2.0.1")
    if plug_first:
        await tx.says("Started", "CablePluggedIn", 0, **state("EVConnected"))
    number = await asked_to_start(api, tx, driver)
    if authorizes:
        assert (await authorized(tx.station, driver))["status"] == "Accepted"
    more = {"info": {"chargingState": "EVConnected", "remoteStartId": number}, **by(driver)}
    told = await tx.says("Updated" if plug_first else "Started", "RemoteStart", 0, **more)
    assert told["idTokenInfo"]["status"] == "Accepted"
    await tx.says("Ended", "StopAuthorized", 100, **by(driver))
    session = await session_of(driver)
    assert (session["remote_start_id"], session["billable"]) == (number, True)


@V2
@pytest.mark.case("TC_F_04")
async def test_TC_F_04_remote_start_first_cable_plugin_timeout(transaction, api, token, session_of, version):
    driver, tx = await token(), transaction(version)
    number = await asked_to_start(api, tx, driver)
    await tx.says("Started", "RemoteStart", 0, info={"chargingState": "Idle", "remoteStartId": number}, **by(driver))
    await tx.says("Ended", "EVConnectTimeout", 0, **stopped("Timeout"))
    session = await session_of(driver)
    assert (session["stop_reason"], session["energy_wh"]) == ("Timeout", 0)


@V2
@pytest.mark.case("TC_E_21")
async def test_TC_E_21_stop_authorized_remote(transaction, api, token, session_of, version):
    driver, tx = await token(), transaction(version)
    await tx.says("Started", "Authorized", 0, **by(driver))
    session = await session_of(driver, "active")
    tx.station.replies["RequestStopTransaction"] = ACCEPTED
    told = await api.call("POST", f"/v1/sessions/{session['session_id']}/stop", {"wait": True, "ttl_s": 60})
    assert await tx.station.asked("RequestStopTransaction") == {"transactionId": tx.transaction_id}
    assert (told["outcome"], told["status"]) == ("answered", "Accepted")
    await tx.says("Ended", "RemoteStop", 100, **stopped("Remote"))
    assert (await session_of(driver))["stop_reason"] == "Remote"


# J


@pytest.fixture
def readings(api, told):
    """Wait for so many readings of a session; return their contexts and values."""

    async def wait(session, count):
        path = f"/v1/sessions/{session['session_id']}/meter-values"
        found = await told(path, lambda found: len(found["items"]) >= count, what=f"{count} readings")
        return [(each["context"], each["value"]) for each in found["items"]]

    return wait


@V2
@pytest.mark.case("TC_J_01")
async def test_TC_J_01_clock_aligned_meter_values_no_transaction_ongoing(shared, system, evse_id, version):
    station = shared(version)
    async with Log(system.kafka_connection) as log:
        since = await log.ends([METER_VALUES])
        said = v201.meter_values(ago(0), 4711, evse_id, context="Sample.Clock")
        assert await station.call("MeterValues", said) == {}

        async def told():
            found = [msgspec.json.decode(each.value) for each in await log.read(METER_VALUES, since=since)]
            return [each for each in found if (each["station_id"], each["evse_id"]) == (station.station_id, evse_id)]

        [event] = await eventually(told, bool, what="the readings are told")
    [reading] = event["readings"]
    assert (reading["value"], reading["unit"], reading["context"]) == (4711, "Wh", "Sample.Clock")


@V2
@pytest.mark.case("TC_J_02", "TC_J_03", "TC_J_07", "TC_J_08", "TC_J_09", "TC_J_10")
async def test_readings_of_a_transaction_are_kept_with_their_context(transaction, token, session_of, readings, version):
    """At its start (J_07), before its EVSE is known (J_08), in its course (J_02, J_09), at its end (J_03, J_10)."""
    driver, tx = await token(), transaction(version)
    place, tx.place = tx.place, {"id": tx.place["id"]}
    await tx.says("Started", "Authorized", 1000, **by(driver))
    await tx.says("Updated", "MeterValueClock", 1100, context="Sample.Clock", evse=place)
    await tx.says("Updated", "MeterValuePeriodic", 1200)
    clock = v201.meter_value(ago(7), 1300, context="Sample.Clock")
    end = v201.meter_value(ago(7), 1300, context="Transaction.End")
    await tx.says("Ended", "StopAuthorized", meterValue=[clock, end], **by(driver))
    session = await session_of(driver)
    assert session["energy_wh"] == 300
    assert sorted(await readings(session, 5)) == [
        ("Sample.Clock", 1100),
        ("Sample.Clock", 1300),
        ("Sample.Periodic", 1200),
        ("Transaction.Begin", 1000),
        ("Transaction.End", 1300),
    ]


@pytest.mark.case("TC_J_04", "TC_J_11", lacks="the value counts, and its signature is not kept")
@pytest.mark.parametrize(("case", "context"), [("TC_J_04", "Sample.Clock"), ("TC_J_11", "Sample.Periodic")])
async def test_signed_readings_are_taken(transaction, token, session_of, readings, case, context):
    driver, tx = await token(), transaction("2.0.1")
    signed = {"signedMeterData": "AA==", "encodingMethod": "OCMF", "signingMethod": "ECDSA", "publicKey": "AA=="}
    value = v201.meter_value(ago(9), 1100, context=context, signedMeterValue=signed)
    await tx.says("Started", "Authorized", 1000, **by(driver))
    assert await tx.says("Updated", "MeterValuePeriodic", meterValue=[value]) == {}
    await tx.says("Ended", "StopAuthorized", 1300, **by(driver))
    assert (await session_of(driver))["energy_wh"] == 300
