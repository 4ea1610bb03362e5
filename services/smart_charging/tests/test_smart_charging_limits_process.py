"""Limits, readings and series through the whole service: over HTTP, from the topics, out of stations' frames."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from chargebus_events.frames import Frame
from chargebus_events.public import (
    CHARGING_LIMIT,
    GRID_SERIES_TOLD,
    METER_READINGS,
    ChargingLimit,
    GridSeries,
    MeterReadings,
    Reading,
    event,
)
from chargebus_events.topics import CHARGING_LIMITS, GRID_SERIES, frames_topic
from chargebus_smart_charging.main import build
from chargebus_testkit.waiting import eventually

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def name() -> str:
    """Return the name of a site, a zone and the beginning of a station's, of this test alone."""
    return f"S-{uuid4().hex[:8]}"


def site_of(name: str) -> dict:
    meter = {"worst_case_a": [20, 20, 20]}
    return {
        "zone": name,
        "nodes": [
            {"node_id": "grid", "capacity": {"phase_a": 63}, "meter": meter},
            {"node_id": "b", "parent_id": "grid", "meter": meter | {"station_id": f"{name}-meter"}},
        ],
        "evses": [{"station_id": f"{name}-CS", "evse_id": number, "node_id": "grid"} for number in (1, 2)],
    }


def now() -> datetime:
    return datetime.now(UTC)


def call(station_id: str, number: int, action: str, **members):
    payload = json.dumps(members).encode()
    frame = Frame(station_id, "2.0.1", action, f"m{number}", 0, 7, number, payload, now())
    return frame.record(frames_topic("smart_charging"))


async def until_limits(client, name: str, condition, what: str) -> list[dict]:
    answer = await eventually(
        lambda: client.get(f"/sites/{name}/limits"),
        lambda answer: answer.status_code == 200 and condition(answer.json()["items"]),
        what=what,
    )
    return answer.json()["items"]


@pytest.mark.road
async def test_limits_of_all_ways_stand_side_by_side_and_the_lowest_decides(make_bed, name):
    bed = make_bed(build)
    async with bed.running() as process, bed.client() as client:
        await client.put(f"/sites/{name}", json=site_of(name))
        by_http = await client.put(f"/sites/{name}/limits/EMS/1", json={"periods": [{"phase_a": 40}]})
        again = await client.put(f"/sites/{name}/limits/EMS/1", json={"periods": [{"phase_a": 32}]})
        curtailed = await client.put(
            f"/sites/{name}/curtailment", json={"total_w": 4200, "valid_until": (now() + HOUR).isoformat()}
        )
        told = ChargingLimit(name, "block", "OSCP", now(), phase_a=16.0, renewed_every_s=900.0, fallback_a=10.0)
        schedule = [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 13}]}]
        notified = {"chargingLimit": {"chargingLimitSource": "EMS"}, "chargingSchedule": schedule, "evseId": 2}
        await process.producer.publish(
            [
                event(CHARGING_LIMIT, uuid4().hex, "/oscp", now(), told),
                call(f"{name}-CS", 1, "NotifyChargingLimit", **notified),
                call(f"{name}-elsewhere", 2, "NotifyChargingLimit", **notified),
            ]
        )
        standing = await until_limits(client, name, lambda items: len(items) == 4, "all are known")

        await process.producer.publish([call(f"{name}-CS", 3, "ClearedChargingLimit", chargingLimitSource="EMS")])
        cleared = [
            await client.delete(f"/sites/{name}/curtailment"),
            await client.delete(f"/sites/{name}/limits/OSCP/block"),
            await client.delete(f"/sites/{name}/limits/OSCP/block"),
        ]
        late = ChargingLimit(name, "block", "OSCP", told.at, phase_a=1.0)  # it was told before it was taken away
        await process.producer.publish([event(CHARGING_LIMIT, uuid4().hex, "/oscp", now(), late)])
        left = await until_limits(client, name, lambda items: len(items) == 1, "one is left")
        await process.idle()
        assert await until_limits(client, name, lambda items: True, "still") == left
        told_on = [json.loads(record.value) for record in await bed.read(CHARGING_LIMITS, name) if record.value]
        assert await bed.rows("SELECT count(*) FROM site_due WHERE marks > 5") == [(1,)]

    assert [answer.status_code for answer in (by_http, again, curtailed)] == [201, 200, 201]
    found = {(each["source"], each["told_by"]): (each["station_id"], each["decides"]) for each in standing}
    assert found == {
        ("EMS", "http"): ("", []),
        ("curtailment", "http"): ("", ["power"]),
        ("OSCP", "topic"): ("", ["current"]),
        ("EMS", "frame"): (f"{name}-CS", ["current"]),
    }
    assert [answer.status_code for answer in cleared] == [204, 204, 404]
    assert [each["periods"][0]["phase_a"] for each in left] == [32]
    own = [(each["source"], each.get("cleared", False)) for each in told_on if each["source"] != "OSCP"]
    assert sorted(own) == [("EMS", False)] * 3 + [("EMS", True)] + [("curtailment", False), ("curtailment", True)]


async def test_bad_limits_are_refused_with_what_is_wrong_and_nothing_changes(make_bed, name):
    bed = make_bed(build)
    now_ = now()
    overlapping = [
        {"phase_a": 32},
        {"phase_a": 16, "valid_from": now_.isoformat(), "valid_until": (now_ + HOUR).isoformat()},
    ]
    over = [{"phase_a": 32, "valid_until": (now_ - HOUR).isoformat()}]
    async with bed.running() as process, bed.client() as client:
        await client.put(f"/sites/{name}", json=site_of(name))

        async def refused(path: str = "limits/EMS/1", **body) -> tuple[int, list[str]]:
            answer = await client.put(f"/sites/{name}/{path}", json=body)
            return answer.status_code, [error["field"] for error in answer.json()["errors"]]

        assert await refused(periods=[{"phase_a": -1}]) == (422, ["body.periods.0.phase_a"])
        assert await refused(periods=[{}]) == (422, ["body.periods.0"])
        assert await refused(periods=overlapping) == (422, ["body.periods.1"])
        assert await refused(periods=over) == (422, ["body.periods"])
        assert await refused(periods=[{"phase_a": 6}], floor={"phase_a": 8}) == (422, ["body.floor"])
        assert await refused(periods=[{"phase_a": 6}], node_id="attic") == (422, ["body.node_id"])
        assert await refused(periods=[{"phase_a": 6}], station_id="CS-?") == (422, ["body.station_id"])
        unknown_evse = await refused(periods=[{"phase_a": 6}], station_id=f"{name}-CS", evse_id=3)
        assert unknown_evse == (422, ["body.evse_id"])
        assert await refused("curtailment", total_w=4200, valid_until=(now_ - HOUR).isoformat()) == (
            422,
            ["body.periods"],
        )
        assert await refused("limits/curtailment/1", periods=[{"phase_a": 6}]) == (422, ["body.source"])
        assert (await client.put("/sites/nowhere/limits/EMS/1", json={"periods": [{"phase_a": 6}]})).status_code == 404

        negative = ChargingLimit(name, "1", "OSCP", now_, phase_a=-1.0)
        nowhere = ChargingLimit(f"{name}-nowhere", "1", "OSCP", now_, phase_a=1.0)
        await process.producer.publish(
            [event(CHARGING_LIMIT, uuid4().hex, "/oscp", now_, told) for told in (negative, nowhere)]
        )
        await eventually(bed.caught_up, what="the topic is read")
        assert await bed.rows("SELECT * FROM charging_limit") == []


async def test_readings_of_a_node_come_over_http_or_from_a_stations_main_meter(make_bed, name):
    bed = make_bed(build)
    told_at = now()

    def current(value: float, evse_id: int = 0, **more):
        reading = Reading(uuid4().hex, told_at, "Current.Import", value, "A", str(value), phase="L1")
        body = MeterReadings(f"{name}-meter", evse_id, told_at, (reading,), **more)
        return event(METER_READINGS, uuid4().hex, "/metering", told_at, body)

    async with bed.running() as process, bed.client() as client:
        await client.put(f"/sites/{name}", json=site_of(name))

        async def tell(node_id: str, **body) -> int:
            return (await client.post(f"/sites/{name}/nodes/{node_id}/readings", json=body)).status_code

        forecast = {"starts_at": told_at.isoformat(), "phase_a": [[1, 2, 3], [4, 5, 6]]}
        assert await tell("grid", at=told_at.isoformat(), phase_a=[1, 2, 3], forecast=forecast) == 204
        assert await tell("grid", at=(told_at - HOUR).isoformat(), phase_a=[9, 9, 9]) == 204  # late, so passed over
        assert await tell("grid", at=told_at.isoformat(), total_w=6900) == 204
        assert await tell("grid", at=told_at.isoformat()) == 422
        assert await tell("grid", at=(told_at + HOUR).isoformat(), total_w=6900) == 422
        assert await tell("b", at=told_at.isoformat(), total_w=6900) == 404  # it is a station's
        assert await tell("attic", at=told_at.isoformat(), total_w=6900) == 404
        await process.producer.publish([current(7.5), current(99.0, 1), current(98.0, transaction_id="T")])
        await eventually(bed.caught_up, what="the readings are taken")
        rows = await bed.rows("SELECT node_id, phase_a, forecast IS NOT NULL FROM node_reading ORDER BY node_id")

    assert rows == [("b", [7.5, 7.5, 7.5], False), ("grid", [10.0, 10.0, 10.0], True)]


async def test_series_come_over_http_or_from_the_topic_and_are_shown_with_holes_and_lateness(make_bed, name):
    bed = make_bed(build)
    hour = now().replace(minute=0, second=0, microsecond=0)
    price = {
        "zone": name,
        "kind": "price",
        "source": "market",
        "unit": "EUR/MWh",
        "starts_at": hour.isoformat(),
        "resolution_s": 3600,
        "values": [200, None, 300],
    }
    async with bed.running() as process, bed.client() as client:
        await client.put(f"/sites/{name}", json=site_of(name))
        shown = (await client.put("/grid-series", json=price)).json()
        past = await client.put("/grid-series", json=price | {"starts_at": (hour - 5 * HOUR).isoformat()})
        told = [
            GridSeries(name, "price", "other", "EUR/kWh", now(), hour + HOUR, 3600, (0.25,)),
            GridSeries(name, "co2", "grid", "g/kWh", now(), hour + 2 * HOUR, 3600, (100.0,)),
            GridSeries(name, "demand", "grid", "share", now(), hour, 3600, (2.0,)),
        ]
        await process.producer.publish([event(GRID_SERIES_TOLD, uuid4().hex, "/x", now(), each) for each in told])
        whole = await eventually(
            lambda: client.get(f"/grid-series/{name}/price"),
            lambda answer: len(answer.json()["values"]) == 3,
            what="the hole is filled",
        )
        late = (await client.get(f"/grid-series/{name}/co2")).json()
        unknown = await client.get(f"/grid-series/{name}/demand")
        listed = (await client.get("/grid-series", params={"limit": 500})).json()["items"]
        told_on = await bed.read(GRID_SERIES, name)

    assert shown["holes"] == [{"starts_at": _z(hour + HOUR), "ends_at": _z(hour + 2 * HOUR)}]
    assert (shown["known_until"], shown["last_until"]) == (_z(hour + HOUR), _z(hour + 3 * HOUR))
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "body.starts_at")
    assert "lies in the past" in past.json()["errors"][0]["error"]
    assert [each["per_kwh"] for each in whole.json()["values"]] == [0.2, 0.25, 0.3]
    assert (late["is_late"], late["known_until"], late["last_until"]) == (True, None, _z(hour + 3 * HOUR))
    assert unknown.status_code == 404
    assert [(each["zone"], each["kind"], each["is_late"]) for each in listed] == [
        (name, "co2", True),
        (name, "price", False),
    ]
    assert len(told_on) == 4


async def test_what_is_gone_is_forgotten_in_time(make_bed, name, monkeypatch):
    monkeypatch.setenv("SMART_CHARGING_FORGET_EVERY_S", "0.1")
    monkeypatch.setenv("SMART_CHARGING_SERIES_KEEP_DAYS", "1")
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        await client.put(f"/sites/{name}", json=site_of(name))
        for number in (1, 2):
            await client.put(f"/sites/{name}/limits/EMS/{number}", json={"periods": [{"phase_a": 40}]})
        await client.delete(f"/sites/{name}/limits/EMS/1")
        await bed.rows("UPDATE charging_limit SET gone_at = gone_at - interval '3 days' RETURNING 1")
        await bed.rows(
            "INSERT INTO grid_value SELECT 'Z', 'price', t, 3600, t, 1, 's', 'EUR/kWh', t FROM"
            " unnest(array[now(), now() - interval '2 days']) AS t RETURNING 1"
        )
        await eventually(
            lambda: bed.rows("SELECT limit_id, (SELECT count(*) FROM grid_value) FROM charging_limit"),
            lambda rows: rows == [("2", 1)],
            what="what is gone is forgotten",
        )


def _z(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
