"""Stations are read whole once, and again with other firmware; what waited for a boot is read after it."""

from dataclasses import replace

import pytest
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.variable import Reported
from chargebus_device.variables.routes import WORDS
from chargebus_runtime.sealing import Sealing

READ = "/stations/CS-1/variables"


def asked(stations):
    return [(action, payload) for _, action, payload in stations.asked]


async def test_a_station_is_read_whole_after_its_first_boot_and_after_one_with_other_firmware(stations, api):
    await stations.connect("CS-1")
    assert await stations.answer() == []
    await stations.go_on()
    assert asked(stations) == [("GetConfiguration", {})]
    found = (await api.get(READ)).json()["items"]
    assert {each["variable"]: each["value"] for each in found} == stations.keys["CS-1"]

    await stations.boot("CS-1")
    await stations.go_on()
    assert len(stations.asked) == 1
    del stations.keys["CS-1"]["WebSocketPingInterval"]
    stations.device.time.pass_s(120)
    await stations.boot("CS-1", "2.0")
    await stations.go_on()
    assert len(stations.asked) == 2
    assert [each["variable"] for each in (await api.get(READ)).json()["items"]] == ["HeartbeatInterval"]


async def test_only_so_many_stations_are_read_at_a_time(stations):
    await stations.connect(*(f"CS-{number}" for number in range(30)))
    stations.device.time.pass_s(60)
    await stations.device.asked.reading.sweep()
    await stations.device.asked.reading.sweep()
    assert len(await stations.answer()) == 20
    await stations.device.asked.reading.sweep()
    assert len(await stations.answer()) == 10


async def test_keys_that_a_station_keeps_back_are_asked_for_in_pieces_that_it_takes(stations, api):
    await stations.connect("CS-1", GetConfigurationMaxKeys="3")
    await stations.go_on()
    (first, whole), *rest = asked(stations)
    assert (first, whole) == ("GetConfiguration", {})
    assert {len(payload["key"]) for _, payload in rest[:-1]} == {3}
    [request] = (await api.get(f"{READ}/requests")).json()["items"]
    assert (request["state"], request["result"]) == ("ended", "complete")


async def test_a_station_that_is_away_is_waited_for_and_then_given_up(stations, api):
    await stations.connect("CS-1")
    await stations.go_on()
    await stations.device.apply(stations.device.presence(500, connected=False, epoch=101))
    body = {"variables": [{"name": "HeartbeatInterval", "value": "60"}], "ttl_s": 30}
    answer = await api.patch(READ, json=body)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    await stations.go_on()
    [request, _] = (await api.get(f"{READ}/requests")).json()["items"]
    assert (request["result"], request["items"][0]["status"]) == ("failed", "Unreachable")


async def test_a_boot_that_comes_with_the_answer_before_it_is_the_one_that_was_waited_for(stations, api):
    await stations.connect("CS-1")
    await stations.go_on()
    await api.patch(READ, json={"variables": [{"name": "HeartbeatInterval", "value": "60"}]})
    device, late = stations.device, []
    apply = device.apply

    async def hold(*records):
        late.extend(records)
        return []

    device.apply, stations._reply = hold, lambda *_: {"status": "RebootRequired"}
    await stations.answer()
    device.time.pass_s(1)
    await stations.boot("CS-1", "2.0")
    device.time.pass_s(1)
    await apply(late[0])
    assert len((await api.get(READ, params={"reboot_required": True})).json()["items"]) == 1
    await apply(*late[1:])
    assert (await api.get(READ, params={"reboot_required": True})).json()["items"] == []


async def test_only_so_much_is_kept_of_a_station(stations, api, monkeypatch):
    monkeypatch.setattr("chargebus_device.variables.store.variables.MOST_VARIABLES", 3)
    await stations.connect("CS-1", A="1", B="2")
    await stations.go_on()
    stations.keys["CS-1"] |= {"A": "3", "B": "3", "HeartbeatInterval": "3", "WebSocketPingInterval": "3"}
    await api.post(f"{READ}/read")
    await stations.go_on()
    assert [each["value"] for each in (await api.get(READ)).json()["items"]] == ["3", "3", "3"]


async def test_a_status_that_tells_no_value_leaves_what_is_known(stations, api, monkeypatch):
    await stations.connect("CS-1")
    await stations.go_on()
    said = Reported(place=Place(variable="HeartbeatInterval"))
    words = {"1.6": replace(WORDS["1.6"], told=lambda _: [(said, "Rejected")])}
    monkeypatch.setattr("chargebus_device.variables.operations.requests.WORDS", words)
    await api.post(f"{READ}/read", json={"variables": [{"name": "HeartbeatInterval"}]})
    await stations.go_on()
    [known] = (await api.get(READ, params={"name": "HeartbeatInterval"})).json()["items"]
    assert known["value"] == "300"


async def test_a_secret_in_a_value_is_refused_and_what_cannot_be_sealed_fails_alone(stations, api):
    await stations.connect("CS-1")
    stations.device.asked.commanding._sealing = Sealing()
    value = {"name": "DiagnosticsURL", "value": "ftp://u:pw@host"}
    assert (await api.patch(READ, json={"variables": [value], "force": True})).status_code == 422
    assert (await api.post("/configurations", json={"name": "logs", "variables": [value]})).status_code == 422
    answer = await api.post(f"{READ}/read", json={"variables": [{"name": "x PRIVATE KEY-----"}]})
    assert (answer.json()["state"], answer.json()["result"]) == ("ended", "failed")


@pytest.mark.parametrize("path", [READ, f"{READ}/requests"])
async def test_a_station_that_nobody_registered_has_no_variables(api, path):
    assert (await api.get(path)).status_code == 404


async def test_a_station_whose_version_nobody_knows_is_not_asked_yet(stations, api):
    await stations.connect("CS-1")
    await stations.device.database.pool.execute("DELETE FROM connection")
    await stations.device.database.pool.execute("DELETE FROM boot")
    assert (await api.post(f"{READ}/read")).status_code == 409
    assert (await api.patch(READ, json={"variables": [{"name": "CpoName", "value": "x"}]})).status_code == 409


async def test_what_is_known_of_a_station_goes_with_it(stations, api):
    await stations.connect("CS-1")
    await stations.go_on()
    assert (await api.delete("/stations/CS-1")).status_code == 204
    for table in ("variable", "variable_station", "variable_request"):
        assert await stations.device.fetch(f"SELECT FROM {table}") == []
