"""OCPP 1.6 core: boots, charging sessions, remote starts and stops, resets, what was offline, case by case."""

from datetime import datetime

import pytest
from chargebus_testkit.raw import v16
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED = {"status": "Accepted"}


@pytest.fixture
def station(shared):
    return shared("1.6")


@pytest.fixture
def shown(api, told):
    """Wait until a connector of a station is shown in a status; return the connector."""

    async def wait(station, connector_id, status):
        def connectors(found):
            return [each for evse in found["evses"] if evse["evse_id"] == connector_id for each in evse["connectors"]]

        found = await told(
            f"/v1/stations/{station.station_id}",
            lambda found: [each["detail"] or each["status"] for each in connectors(found)] == [status],
            what=f"connector {connector_id} is {status}",
        )
        return connectors(found)[0]

    return wait


async def is_now(station, status, connector_id, **more):
    assert await station.call("StatusNotification", v16.status(status, connector_id, timestamp=ago(0), **more)) == {}


async def authorized(station, id_tag):
    return (await station.call("Authorize", {"idTag": id_tag}))["idTagInfo"]["status"]


async def begun(station, id_tag, connector_id, at=3.0):
    """Start a transaction; return its id and what was said of its token."""
    answer = await station.call("StartTransaction", v16.start(ago(at), 1000, id_tag, connector_id))
    return answer["transactionId"], answer["idTagInfo"]["status"]


async def over(station, transaction_id, at=1.0, wh=1500, **more):
    return await station.call("StopTransaction", v16.stop(transaction_id, ago(at), wh, **more))


@pytest.mark.case("TC_001")
async def test_TC_001_cold_boot_charging_station(raw_station, told, shown):
    async with raw_station("1.6") as station:
        booted = await station.boot(chargePointSerialNumber="S-1", firmwareVersion="1.2.3")
        assert (booted["status"], booted["interval"] > 0, booted["currentTime"][-1]) == ("Accepted", True, "Z")
        for connector_id in (0, 1):
            await is_now(station, "Available", connector_id)
        assert "currentTime" in await station.call("Heartbeat", {})
        await shown(station, 1, "Available")
        found = await told(
            f"/v1/stations/{station.station_id}", lambda found: found["boot"]["firmware_version"] == "1.2.3"
        )
    assert (found["boot"]["serial_number"], found["boot"]["registration"]) == ("S-1", "accepted")


@pytest.mark.case("TC_003", "TC_004_1")
@pytest.mark.parametrize(("case", "plug_first"), [("TC_003", True), ("TC_004_1", False)])
async def test_a_regular_session_whether_plug_or_card_comes_first(
    station, token, session_of, shown, api, evse_id, case, plug_first
):
    driver = await token()
    for plugs in (plug_first, not plug_first):
        if plugs:
            await is_now(station, "Preparing", evse_id)
        else:
            assert await authorized(station, driver) == "Accepted"
    transaction_id, status = await begun(station, driver, evse_id)
    assert (status, transaction_id > 0) == ("Accepted", True)
    await is_now(station, "Charging", evse_id)
    assert await station.call("MeterValues", v16.meter_values(ago(2), 1200, transaction_id, evse_id)) == {}
    await shown(station, evse_id, "Charging")
    assert (await session_of(driver, "active"))["evse_id"] == evse_id
    assert (await over(station, transaction_id, idTag=driver))["idTagInfo"]["status"] == "Accepted"
    await is_now(station, "Available", evse_id)
    session = await session_of(driver)
    assert (session["energy_wh"], session["stop_reason"], session["billable"]) == (500, "Local", True)
    await shown(station, evse_id, "Available")


@pytest.mark.case("TC_004_2")
async def test_TC_004_2_identification_first_connection_timeout(station, token, shown, api, evse_id):
    driver = await token()
    assert await authorized(station, driver) == "Accepted"
    await is_now(station, "Preparing", evse_id)
    await shown(station, evse_id, "Preparing")
    await is_now(station, "Available", evse_id)
    await shown(station, evse_id, "Available")
    assert (await api.call("GET", "/v1/sessions", id_token=driver))["items"] == []


@pytest.mark.case("TC_005_1")
async def test_TC_005_1_ev_side_disconnected(station, token, session_of, evse_id):
    driver = await token()
    transaction_id, _ = await begun(station, driver, evse_id)
    await over(station, transaction_id, reason="EVDisconnected")
    assert (await session_of(driver))["stop_reason"] == "EVDisconnected"


@pytest.mark.case("TC_007")
async def test_TC_007_regular_start_charging_session_cached_id(station, token, session_of, evse_id):
    group, until = f"GROUP-{evse_id}", "2038-01-19T03:14:07Z"
    driver = await token(group_id=group, expires_at=until)
    answer = await station.call("StartTransaction", v16.start(ago(3), 0, driver, evse_id))
    told = answer["idTagInfo"]
    assert (told["status"], told["parentIdTag"], told["expiryDate"][:19]) == ("Accepted", group, until[:19])
    await over(station, answer["transactionId"])
    assert (await session_of(driver))["billable"]


async def asked_to_start(api, station, driver, evse_id, reply=ACCEPTED):
    """Start from afar; return what the operator is told, once the station has got it."""
    station.replies["RemoteStartTransaction"] = reply
    path = f"/v1/stations/{station.station_id}/evses/{evse_id}/start"
    told = await api.call("POST", path, {"id_token": driver, "wait": True, "ttl_s": 60})
    assert await station.asked("RemoteStartTransaction") == {"connectorId": evse_id, "idTag": driver}
    assert told["outcome"] == "answered"
    return told


@pytest.mark.case("TC_010", "TC_011_1")
@pytest.mark.parametrize(("case", "plug_first"), [("TC_010", True), ("TC_011_1", False)])
async def test_a_session_is_started_from_afar(station, api, token, session_of, evse_id, case, plug_first):
    driver = await token()
    if plug_first:
        await is_now(station, "Preparing", evse_id)
    told = await asked_to_start(api, station, driver, evse_id)
    assert told["status"] == "Accepted"
    assert await authorized(station, driver) == "Accepted"
    if not plug_first:
        await is_now(station, "Preparing", evse_id)
    transaction_id, status = await begun(station, driver, evse_id, at=0)
    assert status == "Accepted"
    await over(station, transaction_id, at=0)
    assert (await session_of(driver))["billable"]


@pytest.mark.case("TC_011_2")
async def test_TC_011_2_remote_start_time_out(station, api, token, shown, evse_id):
    driver = await token()
    await asked_to_start(api, station, driver, evse_id)
    for status in ("Preparing", "Available"):
        await is_now(station, status, evse_id)
        await shown(station, evse_id, status)
    assert (await api.call("GET", "/v1/sessions", id_token=driver))["items"] == []


@pytest.mark.case("TC_026")
async def test_TC_026_remote_start_charging_session_rejected(station, api, token, evse_id):
    told = await asked_to_start(api, station, await token(), evse_id, {"status": "Rejected"})
    assert told["status"] == "Rejected"


async def asked_to_stop(api, station, session, transaction_id, reply=ACCEPTED):
    station.replies["RemoteStopTransaction"] = reply
    told = await api.call("POST", f"/v1/sessions/{session['session_id']}/stop", {"wait": True, "ttl_s": 60})
    assert await station.asked("RemoteStopTransaction") == {"transactionId": transaction_id}
    return told["outcome"], told["status"]


@pytest.mark.case("TC_012")
async def test_TC_012_remote_stop_charging_session(station, api, token, session_of, evse_id):
    driver = await token()
    transaction_id, _ = await begun(station, driver, evse_id)
    session = await session_of(driver, "active")
    assert await asked_to_stop(api, station, session, transaction_id) == ("answered", "Accepted")
    await over(station, transaction_id, reason="Remote")
    assert (await session_of(driver))["stop_reason"] == "Remote"


@pytest.mark.case("TC_028")
async def test_TC_028_remote_stop_transaction_rejected(station, api, token, session_of, evse_id):
    driver = await token()
    transaction_id, _ = await begun(station, driver, evse_id)
    session = await session_of(driver, "active")
    rejected = {"status": "Rejected"}
    assert await asked_to_stop(api, station, session, transaction_id, rejected) == ("answered", "Rejected")
    assert (await session_of(driver, "active"))["stop_reason"] == ""
    await over(station, transaction_id)


@pytest.mark.case("TC_013", "TC_014")
@pytest.mark.parametrize(("case", "kind", "reason"), [("TC_013", "Hard", "HardReset"), ("TC_014", "Soft", "SoftReset")])
async def test_a_reset_ends_a_session_and_the_station_comes_back(
    raw_station, ask, told, token, session_of, case, kind, reason
):
    driver = await token()
    async with raw_station("1.6", {"Reset": ACCEPTED}) as station:
        transaction_id, _ = await begun(station, driver, 1)
        first = await told(f"/v1/stations/{station.station_id}", lambda found: found["boot"])
        asked = await ask(station, "Reset", {"type": kind})
        assert (asked["reply"], await station.asked("Reset")) == (ACCEPTED, {"type": kind})
        await over(station, transaction_id, reason=reason)
        await station.disconnect()
        await station.connect()
        assert (await station.boot())["status"] == "Accepted"
        await told(
            f"/v1/stations/{station.station_id}",
            lambda found: found["boot"]["at"] > first["boot"]["at"] and found["connection"]["connected"],
            what="it is back",
        )
    assert (await session_of(driver))["stop_reason"] == reason


@pytest.mark.case("TC_018_1")
async def test_TC_018_1_unlock_connector_with_charging_session(station, ask, token, session_of, evse_id):
    driver = await token()
    transaction_id, _ = await begun(station, driver, evse_id)
    station.replies["UnlockConnector"] = {"status": "Unlocked"}
    asked = await ask(station, "UnlockConnector", {"connectorId": evse_id})
    assert asked["reply"] == {"status": "Unlocked"}
    await over(station, transaction_id, reason="UnlockCommand")
    assert (await session_of(driver))["stop_reason"] == "UnlockCommand"


@pytest.mark.case("TC_023_1", "TC_023_2", "TC_023_3")
@pytest.mark.parametrize(
    ("case", "status", "more"),
    [
        ("TC_023_1", "Invalid", None),
        ("TC_023_2", "Expired", {"expires_at": "2020-01-01T00:00:00Z"}),
        ("TC_023_3", "Blocked", {"blocked": True}),
    ],
)
async def test_who_may_not_charge_is_told_so(station, token, case, status, more):
    driver = f"NOBODY-{case}" if more is None else await token(**more)
    assert await authorized(station, driver) == status


@pytest.mark.case("TC_024")
async def test_TC_024_start_charging_session_lock_failure(station, token, shown, api, evse_id):
    driver = await token()
    await is_now(station, "Preparing", evse_id)
    assert await authorized(station, driver) == "Accepted"
    await is_now(station, "Faulted", evse_id, errorCode="ConnectorLockFailure")
    connector = await shown(station, evse_id, "Faulted")
    assert "ConnectorLockFailure" in str(connector)
    assert (await api.call("GET", "/v1/sessions", id_token=driver))["items"] == []


@pytest.mark.case("TC_032_1")
async def test_TC_032_1_power_failure_boot_stop_transactions(raw_station, token, session_of):
    driver = await token()
    async with raw_station("1.6") as station:
        transaction_id, _ = await begun(station, driver, 1)
        await station.cut()
        await station.connect()
        assert (await station.boot())["status"] == "Accepted"
        await over(station, transaction_id, reason="PowerLoss")
        assert (await session_of(driver))["stop_reason"] == "PowerLoss"


@pytest.mark.case("TC_037_1", "TC_039")
@pytest.mark.parametrize(("case", "minutes"), [("TC_037_1", 60), ("TC_039", 120)])
async def test_what_was_offline_counts_from_when_it_was(raw_station, token, session_of, case, minutes):
    """TC_037_1: the start waited for its connection; TC_039: the end, too."""
    driver = await token()
    async with raw_station("1.6") as station:
        await station.cut()
        await station.connect()
        transaction_id, status = await begun(station, driver, 1, at=minutes)
        assert status == "Accepted"
        await over(station, transaction_id, at=30 if case == "TC_039" else 0)
    session = await session_of(driver)
    started_at, ended_at = (datetime.fromisoformat(session[name]) for name in ("started_at", "ended_at"))
    assert started_at == datetime.fromisoformat(ago(minutes))
    assert ended_at == datetime.fromisoformat(ago(30 if case == "TC_039" else 0))
    assert session["energy_wh"] == 500


@pytest.mark.case("TC_037_3")
async def test_TC_037_3_offline_start_transaction_invalid_id(station, token, session_of, evse_id):
    driver = await token(blocked=True)
    transaction_id, status = await begun(station, driver, evse_id, at=60)
    assert (status, transaction_id > 0) == ("Blocked", True)
    await over(station, transaction_id, reason="DeAuthorized")
    session = await session_of(driver)
    assert (session["stop_reason"], session["billable"]) == ("DeAuthorized", False)
