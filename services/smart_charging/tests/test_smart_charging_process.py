"""The whole service in its process: real Kafka in, real database, HTTP with a key."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from chargebus_smart_charging.main import build
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"


@pytest.mark.road
async def test_a_station_that_says_something_is_heard(make_bed, message, station_id):
    bed = make_bed(build)
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([message(station_id, 1, NOW), message(station_id, 2, NOW - timedelta(hours=1))])
        heard = await eventually(
            lambda: client.get(f"/smart-charging/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["times"] == 2,
            what="the station is heard twice",
        )
        listed = (await client.get("/smart-charging/stations")).json()["items"]

    assert heard.json() in listed
    assert datetime.fromisoformat(heard.json()["heard_at"]) == NOW


async def test_a_station_that_is_not_heard_any_more_is_forgotten(make_bed, message, station_id, monkeypatch):
    monkeypatch.setenv("SMART_CHARGING_KEEP_DAYS", "1")
    monkeypatch.setenv("SMART_CHARGING_FORGET_EVERY_S", "0.1")
    bed = make_bed(build)
    recent, ancient = f"{station_id}-recent", f"{station_id}-ancient"
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([message(recent, 1, NOW), message(ancient, 2, NOW - timedelta(days=2))])
        await eventually(
            lambda: client.get("/smart-charging/stations", params={"limit": 500}),
            lambda answer: (
                [item["station_id"] for item in answer.json()["items"] if item["station_id"].startswith(station_id)]
                == [recent]
            ),
            what="one is kept, the other forgotten",
        )

        assert (await client.get(f"/smart-charging/stations/{ancient}")).status_code == 404


async def test_a_page_goes_on_where_the_one_before_ended(make_bed, message, station_id):
    bed = make_bed(build)
    names = [f"{station_id}-{number}" for number in range(3)]
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([message(name, number, NOW) for number, name in enumerate(names)])
        for name in names:
            await eventually(
                lambda name=name: client.get(f"/smart-charging/stations/{name}"),
                lambda answer: answer.status_code == 200,
                what=f"{name} is heard",
            )
        listed, cursor = [], None
        while cursor is not None or not listed:
            page = (
                await client.get(
                    "/smart-charging/stations", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
                )
            ).json()
            listed += [item["station_id"] for item in page["items"]]
            cursor = page["next"]

    assert listed == sorted(set(listed))
    assert [name for name in listed if name in names] == names
