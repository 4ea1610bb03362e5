"""Sites over HTTP."""

from contextlib import asynccontextmanager

import pytest
from chargebus_smart_charging.main import build

GRID = {"node_id": "grid", "name": "grid connection", "capacity": {"phase_a": 63}}
PANEL = {
    "node_id": "b",
    "parent_id": "grid",
    "capacity": {"phase_a": 32.5},
    "calendar": [{"capacity": {"phase_a": 10}, "weekdays": [0, 1], "from_time": "22:00", "to_time": "06:30:30"}],
    "meter": {"worst_case_a": [20, 20, 20], "silent_after_s": 60},
}
EVSE = {"station_id": "CS/1", "evse_id": 1, "node_id": "b", "phases": [2, 3, 1]}
DEPOT = {
    "name": "depot",
    "zone": "NL",
    "time_zone": "Europe/Amsterdam",
    "nodes": [GRID, PANEL],
    "evses": [EVSE],
    "policy": {"interval_s": 30},
}


@asynccontextmanager
async def running(make_bed):
    bed = make_bed(build)
    async with bed.running(), bed.client("operator") as client:
        yield client


async def test_a_site_is_answered_as_it_was_described_until_it_is_removed(make_bed):
    async with running(make_bed) as client:
        created = await client.put("/sites/depot", json=DEPOT)
        shown = await client.get("/sites/depot")
        listed = (await client.get("/sites")).json()["items"]
        removed = await client.delete("/sites/depot")
        gone = await client.get("/sites/depot")

    assert (created.status_code, created.headers["location"]) == (201, "/v1/sites/depot")
    assert shown.json() == created.json()
    described = shown.json()
    assert (described["version"], described["time_zone"], described["zone"]) == (1, "Europe/Amsterdam", "NL")
    assert described["nodes"][1]["calendar"][0]["from_time"] == "22:00:00"
    assert described["nodes"][1]["meter"]["worst_case_a"] == [20, 20, 20]
    assert described["evses"] == [
        EVSE | {"current": "AC", "voltage_v": None, "min_a": None, "max_a": None, "step_a": None, "priority": 1.0}
    ]
    assert (described["policy"]["interval_s"], described["policy"]["grace_s"]) == (30, 60)
    assert [(each["site_id"], each["nodes"], each["evses"]) for each in listed] == [("depot", 2, 1)]
    assert (removed.status_code, gone.status_code) == (204, 404)


async def test_what_was_answered_can_be_changed_and_put_back_once(make_bed):
    async with running(make_bed) as client:
        described = (await client.put("/sites/depot", json=DEPOT)).json()
        again = DEPOT | {"version": described["version"], "name": "depot north"}
        changed = await client.put("/sites/depot", json=again)
        late = await client.put("/sites/depot", json=again | {"name": "depot south"})
        same = await client.put("/sites/depot", json=DEPOT | {"name": "depot north"})
        unborn = await client.put("/sites/other", json=DEPOT | {"version": 3, "evses": []})

    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (late.status_code, late.json()["title"]) == (409, "the site was changed meanwhile")
    assert "version 2, and not at 1" in late.json()["detail"]
    assert (same.status_code, same.json()["version"]) == (200, 2)
    assert unborn.status_code == 409


@pytest.mark.road
async def test_a_site_that_does_not_fit_together_is_refused_and_nothing_changes(make_bed):
    circle = {**DEPOT, "nodes": [GRID, PANEL | {"parent_id": "c"}, {"node_id": "c", "parent_id": "b"}]}
    async with running(make_bed) as client:
        before = (await client.put("/sites/depot", json=DEPOT)).json()
        refused = await client.put("/sites/depot", json=circle)
        stolen = await client.put("/sites/other", json=DEPOT)
        negative = await client.put("/sites/depot", json=DEPOT | {"nodes": [GRID | {"capacity": {"phase_a": -1}}]})
        broken = await client.put(
            "/sites/depot",
            content=b'{"nodes": [{"node_id": "grid", "margin": NaN}]}',
            headers={"Content-Type": "application/json"},
        )
        after = (await client.get("/sites/depot")).json()

    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["body.nodes.1.parent_id"]
    assert "in a circle: b < c < b" in refused.json()["errors"][0]["error"]
    assert [error["field"] for error in stolen.json()["errors"]] == ["body.evses.0.station_id"]
    assert "CS/1 hangs under the site depot" in stolen.json()["errors"][0]["error"]
    assert (negative.status_code, negative.json()["errors"][0]["field"]) == (422, "body.nodes.0.capacity.phase_a")
    assert broken.status_code == 400
    assert after == before


async def test_a_check_tells_what_is_missing(make_bed):
    async with running(make_bed) as client:
        await client.put("/sites/depot", json=DEPOT)
        check = (await client.get("/sites/depot/check")).json()
        unknown = await client.get("/sites/nowhere/check")

    assert check["version"] == 1
    assert [(each["kind"], each["where"]) for each in check["findings"]] == [
        ("missing", "evses.0.voltage_v"),
        ("missing", "evses.0.max_a"),
    ]
    assert unknown.status_code == 404


async def test_a_site_of_a_thousand_evses_is_taken_at_once(make_bed):
    evses = [{"station_id": f"CS-{number}", "evse_id": 1, "node_id": "b"} for number in range(1000)]
    async with running(make_bed) as client:
        created = await client.put("/sites/large", json=DEPOT | {"evses": evses})
        shown = await client.get("/sites/large")

    assert created.status_code == 201
    assert [evse["station_id"] for evse in shown.json()["evses"]] == [evse["station_id"] for evse in evses]
