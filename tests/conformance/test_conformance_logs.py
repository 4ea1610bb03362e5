"""Logs: 1.6 TC_045 and TC_079, 2.x TC_N_25, N_34 to N_36, N_100 and N_102, with files that stations really send."""

import httpx
import pytest
from chargebus_station.faults import Fault
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@pytest.fixture
def log(api):
    """Ask a station for a log, wait until it is as wanted, and return it."""

    async def ask(station, wanted, **body):
        station_id = getattr(station, "station_id", None) or station.config.station_id
        begun = await api.call("POST", f"/v1/stations/{station_id}/logs", body)
        return await found(begun, wanted)

    async def found(begun, wanted):
        return await eventually(lambda: api.call("GET", f"/v1/logs/{begun['log_id']}"), wanted, what="a log as wanted")

    ask.found = found
    return ask


def state(*words):
    return lambda log: log["state"] in words


@pytest.fixture
def text(api):
    async def read(log):
        return (await api.call("GET", f"/v1/logs/{log['log_id']}/text"))["text"]

    return read


@pytest.mark.case("TC_045_1")
async def test_TC_045_1_get_diagnostics(virtual_station, log, text):
    async with virtual_station("1.6") as station:
        found = await log(station, state("received"), kind="diagnostics")
        assert f"DiagnosticsLog of {station.config.station_id}" in await text(found)
        assert found["file"]["name"] == f"{station.config.station_id}-diagnostics.log"


@pytest.mark.case("TC_045_2")
async def test_TC_045_2_get_diagnostics_upload_failed(virtual_station, log):
    async with virtual_station("1.6") as station:
        station.faults.arm(Fault.FAIL_UPLOAD, "GetDiagnostics")
        found = await log(station, state("failed"), kind="diagnostics", retries=0)
        assert found["reason"] == "upload_failed"


@pytest.mark.case("TC_079", "TC_N_35")
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_TC_079_TC_N_35_get_security_log(virtual_station, log, text, version):
    async with virtual_station(version) as station:
        found = await log(station, state("received"), kind="security")
        assert f"SecurityLog of {station.config.station_id}" in await text(found)


@pytest.mark.case("TC_N_25")
@V2
async def test_TC_N_25_diagnostics_log(virtual_station, log, text, version):
    async with virtual_station(version) as station:
        found = await log(station, state("received"), kind="diagnostics")
        assert f"DiagnosticsLog of {station.config.station_id}" in await text(found)


@pytest.mark.case("TC_N_34")
@V2
async def test_TC_N_34_a_log_is_refused(raw_station, log, version):
    async with raw_station(version, {"GetLog": {"status": "Rejected"}}) as station:
        found = await log(station, state("failed"), kind="diagnostics")
        assert found["reason"] == "rejected"


@pytest.mark.case("TC_N_36")
@V2
async def test_TC_N_36_a_second_request_takes_the_place_of_the_first(raw_station, log, version):
    async with raw_station(version, {"GetLog": {"status": "Accepted"}}) as station:
        first = await log(station, state("accepted"), kind="diagnostics")
        station.replies["GetLog"] = {"status": "AcceptedCanceled"}
        second = await log(station, state("accepted"), kind="security")
        await station.call("LogStatusNotification", {"status": "AcceptedCanceled", "requestId": first["log_id"]})
        assert (await log.found(first, state("superseded")))["ended_at"] is not None
        assert (await log.found(second, state("accepted")))["ended_at"] is None


@pytest.mark.case("TC_N_100")
async def test_TC_N_100_data_collector_log(virtual_station, log, text):
    async with virtual_station("2.1") as station:
        found = await log(station, state("received"), kind="data_collector")
        assert f"DataCollectorLog of {station.config.station_id}" in await text(found)


@pytest.mark.case("TC_N_102")
async def test_TC_N_102_who_sends_a_log_is_known_by_its_link(raw_station, log):
    """What else it says of itself (Basic authentication) is passed over. Over HTTPS (TC_N_102_2): firmware's tests."""
    async with raw_station("2.1", {"GetLog": {"status": "Accepted"}}) as station:
        await log(station, state("accepted"), kind="diagnostics")
        link = (await station.asked("GetLog"))["log"]["remoteLocation"]
        token = link.split("/files/")[1].split("/")[0]
        assert len(token) >= 43
        async with httpx.AsyncClient(auth=(station.station_id, station.password), timeout=60) as client:
            nobody = await client.put(link.replace(token, f"{token[:-2]}--"), content=b"log")
            kept = await client.put(link, content=b"log")
        assert (nobody.status_code, kept.status_code) == (404, 201)
