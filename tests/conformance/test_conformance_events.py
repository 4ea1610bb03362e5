"""Events of stations: monitors of functional block N, and security events of all versions, as the CSMS keeps them."""

import pytest
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
EVERY = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])


def datum(event_id, component, variable, **more):
    return {
        "eventId": event_id,
        "timestamp": ago(0),
        "trigger": "Alerting",
        "actualValue": "1",
        "component": {"name": component},
        "variable": {"name": variable},
        "eventNotificationType": "CustomMonitor",
    } | more


async def notify(station, *data):
    return await station.call("NotifyEvent", {"generatedAt": ago(0), "tbc": False, "seqNo": 0, "eventData": list(data)})


@pytest.fixture
def listed(api):
    """Wait for as many items of a station in a list; return them."""

    async def wait(path, station, count):
        found = await eventually(
            lambda: api.call("GET", path, station_id=station.station_id),
            lambda said: len(said["items"]) == count,
            what=f"{count} of {path}",
        )
        return found["items"]

    return wait


@pytest.fixture
def events(listed):
    """Wait for as many events of a station's monitors; return them in the order of their numbers."""

    async def wait(station, count):
        return sorted(await listed("/v1/station-events", station, count), key=lambda each: each["number"])

    return wait


@pytest.mark.case("TC_N_21")
@V2
async def test_TC_N_21_alert_event_HardWiredMonitor(raw_station, events, version):
    async with raw_station(version) as station:
        await notify(station, datum(1, "ConnectedEV", "Present", eventNotificationType="HardWiredMonitor"))
        [event] = await events(station, 1)
        assert (event["component"], event["kind"], event["trigger"]) == ("ConnectedEV", "HardWiredMonitor", "Alerting")


@pytest.mark.case("TC_N_24", "TC_N_50")
@V2
async def test_TC_N_24_TC_N_50_periodic_events(raw_station, events, version):
    async with raw_station(version) as station:
        for number in range(3):
            more = {"trigger": "Periodic", "variableMonitoringId": 7, "actualValue": f"{number}"}
            await notify(station, datum(number, "EVSE", "Power", **more))
        found = await events(station, 3)
        assert [(each["value"], each["trigger"], each["variable_monitoring_id"]) for each in found] == [
            (f"{number}", "Periodic", 7) for number in range(3)
        ]


@pytest.mark.case("TC_N_48")
@V2
async def test_TC_N_48_an_event_of_a_write_only_variable_has_no_value(raw_station, events, version):
    async with raw_station(version) as station:
        await notify(station, datum(1, "SecurityCtrlr", "BasicAuthPassword", actualValue=""))
        [event] = await events(station, 1)
        assert "BasicAuthPassword" in event["variable"]
        assert event["value"] in {"", "***"}


@pytest.mark.case("TC_N_49")
@V2
async def test_TC_N_49_a_threshold_is_crossed_and_cleared_after_a_reboot(raw_station, events, version):
    async with raw_station(version) as station:
        await notify(station, datum(1, "Controller", "Temperature"))
        await station.boot()
        await notify(station, datum(2, "Controller", "Temperature", cleared=True, cause=1))
        found = await events(station, 2)
        assert [(each["cleared"], each["cause"]) for each in found] == [(False, None), (True, 1)]


async def test_2_1_tells_how_severe_an_event_is(raw_station, events):
    async with raw_station("2.1") as station:
        await notify(station, datum(1, "Controller", "Temperature", severity=2))
        [event] = await events(station, 1)
        assert event["severity"] == 2


@pytest.mark.case("TC_077", "TC_078")
@EVERY
@pytest.mark.parametrize(
    ("case", "kind"),
    [("TC_077", "InvalidChargePointCertificate"), ("TC_078", "InvalidCentralSystemCertificate")],
)
async def test_a_security_event_is_kept(raw_station, listed, version, case, kind):
    async with raw_station(version) as station:
        said = {"type": kind, "timestamp": ago(0), "techInfo": case}
        assert await station.call("SecurityEventNotification", said) == {}
        assert await station.call("SecurityEventNotification", said) == {}
        found = await listed("/v1/security-events", station, 1)
        assert [(each["type"], each["tech_info"]) for each in found] == [(kind, case)]
