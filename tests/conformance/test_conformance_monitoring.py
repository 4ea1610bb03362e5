"""Monitors as operators use them (functional block N): set, cleared, level and base, and what is reported of them.

A raw station answers what a case says; a virtual one keeps monitors and reports them.
"""

import pytest
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])

POWER = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
PROBLEM = {"component": {"name": "ChargingStation"}, "variable": {"name": "Problem"}}
NOWHERE = {"component": {"name": "Nowhere"}, "variable": {"name": "Problem"}}
PHASES = {"component": {"name": "ChargingStation"}, "variable": {"name": "SupplyPhases"}}
CRITERIA = ["ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring"]


def monitor(where, **more):
    return {"value": 4, "type": "Delta", "severity": 5, **where, **more}


def result(monitor, status="Accepted", **more):
    told = {name: monitor[name] for name in ("type", "severity", "component", "variable")}
    return {"status": status, **told, **more}


async def reports(station, request_id, *parts):
    """Tell of monitors in parts; the CSMS takes each."""
    for number, where in enumerate(parts):
        found = {"id": number + 1, "transaction": False, "value": 4, "type": "Delta", "severity": 5}
        found |= {"eventNotificationType": "CustomMonitor"} if station.version == "2.1" else {}
        said = {
            "requestId": request_id,
            "seqNo": number,
            "tbc": number < len(parts) - 1,
            "generatedAt": ago(0),
            "monitor": [{**where, "variableMonitoring": [found]}],
        }
        assert await station.call("NotifyMonitoringReport", said) == {}


@pytest.mark.case(
    "TC_N_01", "TC_N_02", "TC_N_03", "TC_N_47", "TC_N_60", lacks="what is reported is answered, and not kept"
)
@V2
@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("TC_N_01", {"monitoringCriteria": CRITERIA[:2]}),
        ("TC_N_02", {"componentVariable": [POWER]}),
        ("TC_N_03", {"monitoringCriteria": CRITERIA[1:2], "componentVariable": [POWER]}),
        ("TC_N_47", {}),
        ("TC_N_60", {"monitoringCriteria": CRITERIA, "componentVariable": [POWER, PROBLEM]}),
    ],
)
async def test_TC_N_monitors_are_reported_in_parts(raw_station, passes, version, case, wanted):
    async with raw_station(version) as station:
        request_id = int(case.rpartition("_")[2])
        await passes(station, "GetMonitoringReport", {"requestId": request_id, **wanted}, {"status": "Accepted"})
        await reports(station, request_id, *(wanted.get("componentVariable") or [POWER, PROBLEM, PHASES]))


@pytest.mark.case("TC_N_05")
@V2
async def test_TC_N_05_set_monitoring_base(raw_station, passes, version):
    async with raw_station(version) as station:
        for base in ("All", "FactoryDefault", "HardWiredOnly"):
            await passes(station, "SetMonitoringBase", {"monitoringBase": base}, {"status": "Accepted"})


@pytest.mark.case("TC_N_08", "TC_N_09")
@V2
async def test_TC_N_08_TC_N_09_one_monitor_or_several_are_set(raw_station, passes, version):
    one = monitor(POWER)
    others = [monitor(PROBLEM, type="Periodic", value=60), monitor(PHASES, type="UpperThreshold", transaction=True)]
    async with raw_station(version) as station:
        for wanted in ([one], others):
            set_as = [result(each, id=number) for number, each in enumerate(wanted)]
            await passes(
                station, "SetVariableMonitoring", {"setMonitoringData": wanted}, {"setMonitoringResult": set_as}
            )


@pytest.mark.case("TC_N_16", "TC_N_17")
@V2
async def test_TC_N_16_TC_N_17_set_monitoring_level(raw_station, passes, version):
    async with raw_station(version) as station:
        await passes(station, "SetMonitoringLevel", {"severity": 4}, {"status": "Accepted"})
        await passes(station, "SetMonitoringLevel", {"severity": 10}, {"status": "Rejected"})


def cleared(*statuses):
    found = [{"id": number, "status": status} for number, status in enumerate(statuses, 1)]
    return {"clearMonitoringResult": found}


@pytest.mark.case("TC_N_18")
@V2
async def test_TC_N_18_too_many_to_clear_at_once_are_refused_and_pass_in_parts(raw_station, ask, passes, version):
    async with raw_station(version) as station:
        station.replies["ClearVariableMonitoring"] = RefusedError("OccurrenceConstraintViolation", "", {})
        refused = await ask(station, "ClearVariableMonitoring", {"id": [1, 2, 3]})
        assert await station.asked("ClearVariableMonitoring") == {"id": [1, 2, 3]}
        assert (refused["outcome"], refused["error"]["code"]) == ("refused", "OccurrenceConstraintViolation")
        await passes(station, "ClearVariableMonitoring", {"id": [1, 2]}, cleared("Accepted", "Accepted"))


@pytest.mark.case("TC_N_44")
@V2
async def test_TC_N_44_a_monitor_that_cannot_be_cleared(raw_station, passes, version):
    async with raw_station(version) as station:
        await passes(station, "ClearVariableMonitoring", {"id": [1, 2]}, cleared("Rejected", "NotFound"))


@pytest.mark.case("TC_N_105", lacks="streams are refused")
async def test_TC_N_105_a_stream_is_refused_and_what_it_would_tell_comes_as_events(raw_station, passes, told):
    wanted = monitor(POWER, type="Periodic", value=2, periodicEventStream={"interval": 5, "values": 3})
    stream = {"id": 1, "variableMonitoringId": 7, "params": {"interval": 5, "values": 3}}
    async with raw_station("2.1") as station:
        set_as = {"setMonitoringResult": [result(wanted, id=7)]}
        await passes(station, "SetVariableMonitoring", {"setMonitoringData": [wanted]}, set_as)
        opened = await station.call("OpenPeriodicEventStream", {"constantStreamData": stream})
        assert opened["status"] == "Rejected"
        event = {"eventId": 1, "timestamp": ago(0), "trigger": "Periodic", "actualValue": "11", **POWER}
        event |= {"eventNotificationType": "CustomMonitor", "variableMonitoringId": 7}
        said = {"generatedAt": ago(0), "tbc": False, "seqNo": 0, "eventData": [event]}
        assert await station.call("NotifyEvent", said) == {}
        found = await told(f"/v1/station-events?station_id={station.station_id}", lambda found: found["items"])
        assert [(each["value"], each["variable_monitoring_id"]) for each in found["items"]] == [("11", 7)]


@pytest.mark.case("TC_N_107")
async def test_TC_N_107_get_periodic_event_streams(raw_station, passes):
    stream = {"id": 1, "variableMonitoringId": 7, "params": {"interval": 5, "values": 3}}
    async with raw_station("2.1") as station:
        await passes(station, "GetPeriodicEventStream", {}, {"constantStreamData": [stream]})


@V2
async def test_monitors_that_are_set_are_reported_until_they_are_cleared(virtual_station, ask, version):
    async with virtual_station(version) as station:
        wanted = [monitor(PROBLEM), monitor(PHASES, type="Periodic", value=60), monitor(NOWHERE)]
        answer = (await ask(station, "SetVariableMonitoring", {"setMonitoringData": wanted}))["reply"]
        known = [each["id"] for each in answer["setMonitoringResult"] if each["status"] == "Accepted"]
        statuses = [each["status"] for each in answer["setMonitoringResult"]]
        assert statuses == ["Accepted", "Accepted", "UnknownComponent"]

        async def reported(**criteria):
            before = station.history.tally("NotifyMonitoringReport").answered
            answer = (await ask(station, "GetMonitoringReport", {"requestId": 1, **criteria}))["reply"]
            if answer["status"] == "Accepted":
                await station.until(lambda: station.history.tally("NotifyMonitoringReport").answered > before)
            return answer["status"]

        assert await reported(monitoringCriteria=["DeltaMonitoring"]) == "Accepted"
        assert await reported(monitoringCriteria=["ThresholdMonitoring"]) == "EmptyResultSet"
        answer = (await ask(station, "ClearVariableMonitoring", {"id": [*known, 99]}))["reply"]
        assert [each["status"] for each in answer["clearMonitoringResult"]] == ["Accepted", "Accepted", "NotFound"]
        assert await reported() == "EmptyResultSet"
        assert station.history.tally("NotifyMonitoringReport").refused == 0
