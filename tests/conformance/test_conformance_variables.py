"""What stations are set to, read and changed by an operator in one way for all versions (block B, and keys of 1.6)."""

import pytest
from chargebus_station.device_model import Setting

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


class Variables:
    """What an operator does with the variables of a station."""

    def __init__(self, api, station):
        self._api = api
        self._station = station
        self._path = f"/v1/stations/{station.config.station_id}/variables"

    async def read(self, *variables, **more):
        """Read some variables, or all; return what became of it."""
        body = {"variables": list(variables), "wait": True, **more}
        return await self._api.call("POST", f"{self._path}/read", body)

    async def change(self, *variables, **more):
        """Set variables; return what became of each."""
        told = await self._api.call("PATCH", self._path, {"variables": list(variables), "wait": True, **more})
        return [each["status"] for each in told["items"]]

    async def shown(self, **query):
        """Return the variables that are shown."""
        return [each async for each in self._api.items(self._path, **query)]

    async def value(self, name):
        """Return the value that is shown of a name."""
        [found] = await self.shown(name=name)
        return found["value"]

    def heard(self, action):
        """Return what the station was sent by an action."""
        return [each.payload for each in self._station.history.commands if each.action == action]


def named(name, value=None):
    return {"name": name} | ({} if value is None else {"value": value})


@pytest.mark.case("TC_019_1", "TC_019_2")
async def test_TC_019_configuration_keys_are_read_all_or_some(virtual_station, api):
    async with virtual_station("1.6") as station:
        variables = Variables(api, station)
        some = await variables.read(named("HeartbeatInterval"), named("Coffee"))
        assert [each["status"] for each in some["items"]] == ["Accepted", "UnknownVariable"]
        assert await variables.value("HeartbeatInterval") == station.state.settings.text(Setting.HEARTBEAT_INTERVAL_S)
        all_of_them = await variables.read()
        assert all_of_them["result"] == "complete"
        keys = {each["variable"] for each in await variables.shown(known=True)}
        assert {"HeartbeatInterval", "NumberOfConnectors", "MeterValueSampleInterval"} <= keys


@pytest.mark.case("TC_021", "TC_040_1", "TC_040_2")
async def test_TC_021_TC_040_a_configuration_key_is_changed_or_the_refusal_told(virtual_station, api):
    async with virtual_station("1.6") as station:
        variables = Variables(api, station)
        key = "MeterValueSampleInterval"
        assert await variables.change(named(key, "77")) == ["Accepted"]
        assert await variables.value(key) == "77"
        assert await variables.change(named("Coffee", "1"), named(key, "much"), force=True) == [
            "UnknownVariable",
            "Rejected",
        ]
        assert await variables.value(key) == "77"


@V2
@pytest.mark.case("TC_B_06", "TC_B_07", "TC_B_09", "TC_B_10")
async def test_TC_B_06_to_B_10_variables_are_got_and_set_one_or_several(virtual_station, api, version):
    async with virtual_station(version) as station:
        variables = Variables(api, station)
        names = ["HeartbeatInterval", "ConnectionTimeOut"]
        for count in (1, 2):
            told = await variables.read(*map(named, names[:count]))
            assert [each["status"] for each in told["items"]] == ["Accepted"] * count
            wanted = [named(name, f"{60 + count}") for name in names[:count]]
            assert await variables.change(*wanted) == ["Accepted"] * count
            assert [await variables.value(name) for name in names[:count]] == [f"{60 + count}"] * count
        assert [len(each["getVariableData"]) for each in variables.heard("GetVariables")][-1] == 2


@V2
@pytest.mark.case("TC_B_08", "TC_B_13")
async def test_TC_B_08_no_more_variables_are_asked_for_at_once_than_a_station_takes(virtual_station, api, version):
    async with virtual_station(version) as station:
        variables = Variables(api, station)
        full = await variables.read()
        assert (full["result"], full["parts"] > 1, full["missing_parts"]) == ("complete", True, [])
        [most] = [
            int(each["value"])
            for each in await variables.shown(component="DeviceDataCtrlr", variable="ItemsPerMessage")
            if each["variable_instance"] == "GetVariables"
        ]
        place = ("component", "component_instance", "evse_id", "connector_id", "variable", "variable_instance")
        known = [each for each in await variables.shown(known=True) if not each["secret"]]
        wanted = [{name: each[name] for name in place} for each in known[: most + 1]]
        before = len(variables.heard("GetVariables"))
        told = await variables.read(*wanted)
        assert len(wanted) == most + 1
        assert {each["status"] for each in told["items"]} == {"Accepted"}
        sizes = [len(each["getVariableData"]) for each in variables.heard("GetVariables")[before:]]
        assert (sum(sizes), max(sizes)) == (most + 1, most)


@V2
@pytest.mark.case("TC_B_12", "TC_B_14", "TC_B_18")
async def test_TC_B_12_TC_B_14_TC_B_18_reports_of_parts_of_the_device_model_are_kept(virtual_station, api, version):
    async with virtual_station(version) as station:
        variables = Variables(api, station)
        for base in ("ConfigurationInventory", "SummaryInventory"):
            told = await variables.read(base=base)
            assert told["result"] == "complete"
            assert variables.heard("GetBaseReport")[-1]["reportBase"] == base
        assert {each["component"] for each in await variables.shown(known=True)} >= {"OCPPCommCtrlr", "TxCtrlr"}
        custom = await variables.read({"component": "SampledDataCtrlr"}, criteria=["Enabled"])
        assert (custom["result"], custom["read"] > 0) == ("complete", True)
        assert "componentCriteria" in variables.heard("GetReport")[-1]
        assert {each["read_by"] for each in await variables.shown(component="SampledDataCtrlr")} == {"NotifyReport"}
