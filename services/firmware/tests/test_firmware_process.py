"""The whole service in its process: real Kafka in, real database, HTTP with a key."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.record import Record
from chargebus_firmware.main import build
from chargebus_testkit.waiting import eventually


@pytest.mark.road
async def test_a_station_is_shown_as_others_tell_of_it(make_bed, station_id, booted, connected, session):
    bed = make_bed(build)
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(connected(station_id, 7), booted(station_id, "1.0.0"), session(station_id))
        shown = await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["busy"] and answer.json()["online"],
            what="the station is known",
        )
        await bed.publish(session(station_id, ended=True), connected(station_id, 7, online=False))
        left = await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: not answer.json()["busy"] and not answer.json()["online"],
            what="its session ended, and it left",
        )

    assert shown.json()["vendor"] == "Acme"
    assert shown.json()["firmware_version"] == "1.0.0"
    assert shown.json()["ocpp_version"] == "1.6"
    assert shown.json()["last_ended_at"] is None
    assert left.json()["last_ended_at"] is not None


async def test_a_station_has_the_labels_that_operators_give_it_and_is_gone_when_they_remove_it(make_bed, station_id):
    def described(minutes: int, **more) -> Record:
        body = StationDescribed(station_id, datetime.now(UTC) + timedelta(minutes=minutes), **more)
        return event(STATION_DESCRIBED, f"{station_id}/{minutes}", "/device", body.at, body)

    bed = make_bed(build)
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(described(0, name="Quay 1", labels={"site": "port"}, time_zone="Europe/Berlin"))
        shown = await eventually(
            lambda: client.get(f"/firmware/stations/{station_id}"),
            lambda answer: answer.status_code == 200,
            what="the station is known",
        )
        await bed.publish(described(1, removed=True))
        await eventually(
            lambda: client.get("/firmware/stations", params={"limit": 500}),
            lambda answer: station_id not in [item["station_id"] for item in answer.json()["items"]],
            what="it is gone",
        )

    assert shown.json()["labels"] == {"site": "port"}


async def test_a_station_of_which_nothing_is_heard_any_more_is_forgotten(make_bed, station_id, booted, monkeypatch):
    monkeypatch.setenv("FIRMWARE_KEEP_DAYS", "1")
    monkeypatch.setenv("FIRMWARE_FORGET_EVERY_S", "0.1")
    bed = make_bed(build)
    recent, ancient = f"{station_id}-recent", f"{station_id}-ancient"
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(booted(recent, "1.0.0"), booted(ancient, "1.0.0"))
        for name in (recent, ancient):
            await eventually(
                lambda name=name: client.get(f"/firmware/stations/{name}"),
                lambda answer: answer.status_code == 200,
                what=f"{name} is known",
            )
        await bed.rows(
            "UPDATE station SET heard_at = $1 WHERE station_id = $2", datetime.now(UTC) - timedelta(days=2), ancient
        )
        await eventually(
            lambda: client.get(f"/firmware/stations/{ancient}"),
            lambda answer: answer.status_code == 404,
            what="it is forgotten",
        )

        assert (await client.get(f"/firmware/stations/{recent}")).status_code == 200


async def test_a_page_goes_on_where_the_one_before_ended(make_bed, station_id, booted):
    bed = make_bed(build)
    names = [f"{station_id}-{number}" for number in range(3)]
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(*(booted(name, "1.0.0") for name in names))
        for name in names:
            await eventually(
                lambda name=name: client.get(f"/firmware/stations/{name}"),
                lambda answer: answer.status_code == 200,
                what=f"{name} is known",
            )
        listed, cursor = [], None
        while cursor is not None or not listed:
            page = (
                await client.get("/firmware/stations", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            listed += [item["station_id"] for item in page["items"]]
            cursor = page["next"]

    assert listed == names
