"""Configuration keys and the device model: read whole, in reports and in pieces, and set, case by case."""

import pytest
from chargebus_station.device_model import VariableAddress
from chargebus_station.v201_variables import most_items

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ALL = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])


@pytest.fixture
def variables(api):
    """Return the variables of a station that meet a query, by their names (with the component in 2.x)."""

    async def read(station, query=""):
        found = {}
        path = f"/v1/stations/{id_of(station)}/variables?limit=500{query}"
        for each in (await api.call("GET", path))["items"]:
            parts = (each["component"], each["variable"], each["variable_instance"], each["attribute"])
            place = each["evse_id"], each["connector_id"]
            found[".".join(filter(None, parts[:3])) + (str(place) if any(place) else "")] = each
        return found

    return read


@pytest.fixture
def ended(told):
    """Wait until a request about a station's variables has ended; return what came of it."""

    async def wait(request):
        path = f"/v1/stations/{request['station_id']}/variables/requests/{request['request_id']}"
        return await told(path, lambda said: said["state"] == "ended", what=f"the end of {request['kind']}")

    return wait


@pytest.fixture
def read(api, ended):
    """Have a station's variables read, to the end; return what came of it."""

    async def ask(station, *wanted, **more):
        body = {"variables": list(wanted), **more}
        return await ended(await api.call("POST", f"/v1/stations/{id_of(station)}/variables/read", body))

    return ask


@pytest.fixture
def change(api, ended):
    """Have a station set variables, to the end; return the results by name."""

    async def ask(station, values, **more):
        wanted = [{"name": name, "value": value} for name, value in values.items()]
        asked = await api.call("PATCH", f"/v1/stations/{id_of(station)}/variables", {"variables": wanted, **more})
        return {each["name"] or each["variable"]: each["status"] for each in (await ended(asked))["items"]}

    return ask


def id_of(station):
    return station.config.station_id if hasattr(station, "config") else station.station_id


def calls(station, action):
    return [entry for entry in station.history.commands if entry.action == action]


async def test_TC_019_1_retrieve_all_configuration_keys(virtual_station, read, variables):
    async with virtual_station("1.6") as station:
        request = await read(station)
        assert (request["kind"], request["state"], request["result"]) == ("all", "ended", "complete")
        known = await variables(station)
        shown = {address.variable for address, each in station.state.device.items() if each.mutability != "WriteOnly"}
        assert known.keys() == shown
        assert known["HeartbeatInterval"]["value"] == station.state.device.value(
            VariableAddress("", "HeartbeatInterval")
        )
        assert known["NumberOfConnectors"]["mutability"] == "ReadOnly"
        assert known["HeartbeatInterval"]["read_by"] == "GetConfiguration"


async def test_TC_019_2_retrieve_specific_configuration_key(virtual_station, read, variables):
    async with virtual_station("1.6") as station:
        request = await read(station, {"name": "SupportedFeatureProfiles"}, {"name": "AcmeNothing"})
        assert [item["status"] for item in request["items"]] == ["Accepted", "UnknownVariable"]
        assert request["result"] == "incomplete"
        known = await variables(station)
        assert known["SupportedFeatureProfiles"]["value"].startswith("Core")
        assert (known["AcmeNothing"]["known"], known["AcmeNothing"]["value"]) == (False, None)
        assert calls(station, "GetConfiguration")[-1].payload == {"key": ["SupportedFeatureProfiles", "AcmeNothing"]}


async def test_TC_021_change_set_configuration(virtual_station, change, variables, api, told):
    async with virtual_station("1.6") as station:
        results = await change(station, {"MeterValueSampleInterval": "15", "CpoName": "Others"})
        assert results == {"MeterValueSampleInterval": "Accepted", "CpoName": "RebootRequired"}
        assert station.state.device.value(VariableAddress("", "MeterValueSampleInterval")) == "15"
        known = await variables(station)
        assert (known["MeterValueSampleInterval"]["value"], known["CpoName"]["value"]) == ("15", None)
        assert (known["CpoName"]["reboot_required"], known["CpoName"]["pending_value"]) == (True, "Others")
        await api.command(id_of(station), "Reset", {"type": "Soft"})
        path = f"/v1/stations/{id_of(station)}/variables?name=CpoName"
        found = await told(path, lambda said: said["items"][0]["value"] == "Others", what="the value after the boot")
        assert found["items"][0]["reboot_required"] is False
        assert found["items"][0]["read_by"] == "GetConfiguration"


@V2
async def test_TC_B_06_TC_B_07_get_variables_single_and_multiple(virtual_station, read, variables, version):
    async with virtual_station(version) as station:
        assert (await read(station, {"name": "HeartbeatInterval"}))["result"] == "complete"
        power = {"component": "EVSE", "evse_id": 1, "variable": "Power"}
        other = {"component": "EVSE", "evse_id": 1, "variable": "Power", "attribute": "MinSet"}
        unknown = {"component": "AcmeCtrlr", "variable": "Light"}
        request = await read(station, {"name": "ConnectionTimeOut"}, power, other, unknown)
        assert [item["status"] for item in request["items"]] == [
            "Accepted",
            "Accepted",
            "NotSupportedAttributeType",
            "UnknownComponent",
        ]
        known = await variables(station, "&known=true")
        assert known["EVSE.Power(1, 0)"]["read_by"] == "GetVariables"
        assert known["TxCtrlr.EVConnectionTimeOut"]["name"] == "ConnectionTimeOut"
        secret = await read(station, {"name": "AuthorizationKey"})
        assert [item["status"] for item in secret["items"]] == ["Rejected"]


@V2
async def test_TC_B_08_get_variables_limited_to_what_the_station_takes(virtual_station, read, version):
    async with virtual_station(version) as station:
        few = most_items("GetVariables")
        station.state.device.put(few, "3")
        names = ["AvailabilityState", "Available", "Model", "Problem", "SerialNumber", "SupplyPhases", "VendorName"]
        wanted = [{"component": "ChargingStation", "variable": name} for name in names]
        # Not knowing how many it takes, more are sent; it refuses, and gets fewer at a time.
        assert (await read(station, *wanted))["result"] == "complete"
        assert any(entry.refused for entry in calls(station, "GetVariables"))
        limit = {"component": "DeviceDataCtrlr", "variable": "ItemsPerMessage", "variable_instance": "GetVariables"}
        await read(station, limit)
        before = len(calls(station, "GetVariables"))
        assert (await read(station, *wanted))["result"] == "complete"
        asked = calls(station, "GetVariables")[before:]
        assert [len(entry.payload["getVariableData"]) for entry in asked] == [3, 3, 1]
        assert not any(entry.refused for entry in asked)


@V2
async def test_TC_B_09_TC_B_10_set_variables_single_and_multiple(virtual_station, read, change, variables, version):
    async with virtual_station(version) as station:
        assert await change(station, {"HeartbeatInterval": "120"}) == {"HeartbeatInterval": "Accepted"}
        station.state.device.put(most_items("SetVariables"), "2")
        await read(station)
        values = {"ConnectionTimeOut": "90", "MeterValueSampleInterval": "15", "LocalAuthListEnabled": "false"}
        results = await change(station, values)
        assert results == dict.fromkeys(values, "Accepted")
        assert [len(entry.payload["setVariableData"]) for entry in calls(station, "SetVariables")] == [1, 2, 1]
        known = await variables(station)
        assert known["SampledDataCtrlr.TxUpdatedInterval"]["value"] == "15"
        assert known["SampledDataCtrlr.TxUpdatedInterval"]["read_by"] == "SetVariables"
        assert known["SecurityCtrlr.BasicAuthPassword"]["value"] is None
        assert known["SecurityCtrlr.BasicAuthPassword"]["secret"] is True


@V2
async def test_TC_B_12_TC_B_13_TC_B_14_base_reports(virtual_station, read, variables, version):
    async with virtual_station(version) as station:
        summary = await read(station, base="SummaryInventory")
        assert summary["result"] == "complete"
        assert {each["variable"] for each in (await variables(station)).values()} == {
            "AvailabilityState",
            "Available",
            "Problem",
        }
        configuration = await read(station, base="ConfigurationInventory")
        assert configuration["result"] == "complete"
        assert (await variables(station))["TxCtrlr.EVConnectionTimeOut"]["data_type"] == "integer"
        full = await read(station)
        assert (full["result"], full["missing_parts"]) == ("complete", [])
        assert full["parts"] > 3
        assert len(await variables(station)) == full["read"] == len(list(station.state.device.items()))


@V2
async def test_TC_B_18_custom_report(virtual_station, read, variables, version):
    async with virtual_station(version) as station:
        components = [{"component": "TxCtrlr"}, {"component": "EVSE", "evse_id": 1}]
        request = await read(station, *components, criteria=["Available"])
        assert (request["kind"], request["result"]) == ("report", "complete")
        assert {each["component"] for each in (await variables(station)).values()} == {"TxCtrlr", "EVSE"}
        nothing = await read(station, {"component": "TxCtrlr"}, criteria=["Problem"])
        assert (nothing["result"], nothing["read"]) == ("complete", 0)


@ALL
async def test_what_cannot_be_is_refused_before_it_is_sent(virtual_station, api, read, change, version):
    async with virtual_station(version) as station:
        await read(station)
        path = f"/v1/stations/{id_of(station)}/variables"
        before = len(station.history.commands)
        for wanted, status, word in (
            ({"name": "HeartbeatInterval", "value": "an hour"}, 422, "whole number"),
            ({"name": "StopTransactionOnEVSideDisconnect", "value": "false"}, 409, "read-only"),
            ({"name": "MaxEnergyOnInvalidId", "value": "1"}, 422, "no such variable"),
            ({"name": "AuthorizationKey", "value": "0123456789abcdef"}, 422, "/v1/credentials"),
        ):
            answer = await api.request("PATCH", path, json={"variables": [wanted]})
            assert (answer.status_code, word in answer.text) == (status, True), answer.text
        assert len(station.history.commands) == before
        assert await change(station, {"MaxEnergyOnInvalidId": "1"}, force=True) == {
            "MaxEnergyOnInvalidId": "UnknownVariable"
        }


async def test_half_a_report_is_visible_and_parts_come_in_any_order(raw_station, api, told, variables):
    def datum(name, value):
        return {
            "component": {"name": "AcmeCtrlr"},
            "variable": {"name": name},
            "variableAttribute": [{"value": value}],
            "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False},
        }

    def part(number, seq_no, *data, tbc=True):
        at = "2026-01-01T00:00:00Z"
        return {"requestId": number, "generatedAt": at, "seqNo": seq_no, "tbc": tbc, "reportData": list(data)}

    replies = {"GetBaseReport": {"status": "Accepted"}}
    async with raw_station("2.0.1", replies) as station:
        path = f"/v1/stations/{station.station_id}/variables"
        request = await api.call("POST", f"{path}/read")
        asked = await station.asked("GetBaseReport")
        number = asked["requestId"]
        await station.call("NotifyReport", part(number, 2, datum("C", "3"), tbc=False))
        await station.call("NotifyReport", part(number, 0, datum("A", "1")))
        await station.call("NotifyReport", part(number, 0, datum("A", "1")))
        await station.call("NotifyReport", part(number - 1, 0, datum("Old", "0"), tbc=False))
        at = f"{path}/requests/{request['request_id']}"
        half = await told(at, lambda said: said["parts"] == 2 and said["state"] == "reporting", what="two parts")
        assert half["missing_parts"] == [1]
        await told(path, lambda said: len(said["items"]) == 3, what="half a report and an old one")
        await station.call("NotifyReport", part(number, 1, datum("B", "2")))
        whole = await told(at, lambda said: said["state"] == "ended", what="the rest")
        assert (whole["result"], whole["read"]) == ("complete", 3)
        known = await variables(station)
        assert [known[f"AcmeCtrlr.{name}"]["value"] for name in "ABC"] == ["1", "2", "3"]


async def test_one_configuration_brings_stations_of_all_versions_there(virtual_station, api, told):
    async with virtual_station("1.6") as one, virtual_station("2.0.1") as two, virtual_station("2.1") as three:
        stations = (one, two, three)
        wanted = [{"name": "HeartbeatInterval", "value": "77"}, {"name": "ConnectionTimeOut", "value": "55"}]
        given = {"name": "harbour", "stations": {"station_ids": [*map(id_of, stations)]}, "variables": wanted}
        tried = await api.call("POST", "/v1/configuration-dry-run", given)
        assert (tried["stations"], len(tried["items"])) == (3, 3)
        made = await api.call("POST", "/v1/configurations", given)
        path = f"/v1/configurations/{made['configuration_id']}"
        done = {"stations": 3, "drifted": 0, "verdicts": {"as_wanted": 6}}
        await told(path, lambda said: said["sum"] == done, what="all as wanted")
        for station in stations:
            values = {address.variable: each.value for address, each in station.state.device.items()}
            assert values["HeartbeatInterval"] == "77"
            assert "55" in {values.get("ConnectionTimeOut"), values.get("EVConnectionTimeOut")}
        # Somebody turns one of them: it is turned back.
        body = {"variables": [{"name": "HeartbeatInterval", "value": "30"}]}
        await api.call("PATCH", f"/v1/stations/{id_of(two)}/variables", body)
        await two.until(lambda: len(calls(two, "SetVariables")) > 2)
        await told(path, lambda said: said["sum"] == done, what="all as wanted again")
        await api.call("DELETE", path)
