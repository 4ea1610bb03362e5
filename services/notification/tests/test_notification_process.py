"""The whole service in its process: real Kafka in, real database, HTTP with a key."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_events.public import STATION_BOOTED, STATION_CONNECTION, StationBooted, StationConnection, event
from chargebus_notification.main import build
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)


def connection(station_id, at, epoch, *, connected):
    body = StationConnection(station_id, at, connected=connected, epoch=epoch, version="1.6")
    return event(STATION_CONNECTION, f"{station_id}/{epoch}/{connected}", "/device", at, body)


@pytest.mark.road
async def test_what_topics_tell_of_a_station_is_known(make_bed, station_id):
    bed = make_bed(build)
    boot = StationBooted(station_id, NOW, "accepted", "1.6", vendor="Voltware", firmware_version="1.2")
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish(
            [
                connection(station_id, NOW, 7, connected=True),
                event(STATION_BOOTED, f"{station_id}/boot", "/device", NOW, boot),
                connection(station_id, NOW + timedelta(minutes=1), 7, connected=False),
            ]
        )
        known = await eventually(
            lambda: client.get(f"/notification/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["connected"] is False,
            what="the station is known to be offline",
        )
        listed = (await client.get("/notification/stations")).json()["items"]

    assert known.json()["firmware_version"] == "1.2"
    assert datetime.fromisoformat(known.json()["offline_since"]) == NOW + timedelta(minutes=1)
    assert station_id in [each["station_id"] for each in listed]


async def test_a_station_that_is_not_heard_of_any_more_is_forgotten(make_bed, station_id, monkeypatch):
    monkeypatch.setenv("NOTIFICATION_KEEP_DAYS", "1")
    monkeypatch.setenv("NOTIFICATION_FORGET_EVERY_S", "0.1")
    bed = make_bed(build)
    ancient = f"{station_id}-ancient"
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([connection(each, NOW, 7, connected=True) for each in (station_id, ancient)])
        await eventually(
            lambda: bed.rows("SELECT station_id FROM known_station WHERE station_id LIKE $1", f"{station_id}%"),
            lambda rows: len(rows) == 2,
            what="both are known",
        )
        await bed.rows("UPDATE known_station SET heard_at = $2 WHERE station_id = $1", ancient, NOW - timedelta(days=2))
        await eventually(
            lambda: client.get(f"/notification/stations/{ancient}"),
            lambda answer: answer.status_code == 404,
            what="the one that is not heard of is forgotten",
        )

        assert (await client.get(f"/notification/stations/{station_id}")).status_code == 200


async def test_when_a_station_was_heard_of_is_kept_by_the_hour(make_bed, station_id):
    bed = make_bed(build)

    async def heard_at(epoch, *, connected):
        await bed.publish(connection(station_id, NOW, epoch, connected=connected))
        await eventually(
            lambda: client.get(f"/notification/stations/{station_id}"),
            lambda answer: answer.status_code == 200 and answer.json()["connected"] is connected,
            what=f"connection {epoch} is known",
        )
        [row] = await bed.rows("SELECT heard_at FROM known_station WHERE station_id = $1", station_id)
        return row[0]

    set_back = "UPDATE known_station SET heard_at = $2 WHERE station_id = $1"
    async with bed.running(), bed.client("viewer") as client:
        first = await heard_at(7, connected=True)
        again = await heard_at(8, connected=False)
        await bed.rows(set_back, station_id, first - timedelta(hours=2))
        later = await heard_at(9, connected=True)

    assert first == again < later


async def test_a_page_goes_on_where_the_one_before_ended(make_bed, station_id):
    bed = make_bed(build)
    names = [f"{station_id}-{number}" for number in range(3)]
    async with bed.running() as process, bed.client("viewer") as client:
        await process.producer.publish([connection(name, NOW, 7, connected=True) for name in names])
        await eventually(
            lambda: bed.rows("SELECT station_id FROM known_station WHERE station_id LIKE $1", f"{station_id}%"),
            lambda rows: len(rows) == 3,
            what="all are known",
        )
        listed, cursor = [], None
        while cursor is not None or not listed:
            page = (
                await client.get("/notification/stations", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            listed += [item["station_id"] for item in page["items"]]
            cursor = page["next"]

    assert listed == sorted(set(listed))
    assert [name for name in listed if name in names] == names
