"""The whole service in its process: real Kafka in, real database, HTTP with a key."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.record import Record
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_security.main import build
from chargebus_testkit.pki import Authority, pem
from chargebus_testkit.waiting import eventually


@pytest.mark.road
async def test_a_station_is_shown_as_others_tell_of_it_and_is_gone_when_it_is_removed(
    make_bed, station_id, booted, connected
):
    def described(minutes: int, **more) -> Record:
        body = StationDescribed(station_id, datetime.now(UTC) + timedelta(minutes=minutes), **more)
        return event(STATION_DESCRIBED, f"{station_id}/{minutes}", "/device", body.at, body)

    bed = make_bed(build)
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(
            connected(station_id, 7), booted(station_id, "SN-7"), described(0, labels={"site": "port"}, name="Quay 1")
        )
        shown = await eventually(
            lambda: client.get(f"/security/stations/{station_id}"),
            lambda answer: (
                answer.status_code == 200
                and answer.json()["online"]
                and answer.json()["booted_at"]
                and answer.json()["name"]
            ),
            what="the station is known",
        )
        await bed.publish(described(1, removed=True))
        await eventually(
            lambda: client.get("/security/stations", params={"limit": 500}),
            lambda answer: station_id not in [item["station_id"] for item in answer.json()["items"]],
            what="it is gone",
        )

        assert (await client.get(f"/security/stations/{station_id}")).status_code == 404

    assert shown.json()["serial_number"] == "SN-7"
    assert shown.json()["ocpp_version"] == "1.6"
    assert shown.json()["labels"] == {"site": "port"}


async def test_a_station_of_which_nothing_is_heard_any_more_is_forgotten(make_bed, station_id, booted, monkeypatch):
    monkeypatch.setenv("SECURITY_KEEP_DAYS", "1")
    monkeypatch.setenv("SECURITY_FORGET_EVERY_S", "0.1")
    bed = make_bed(build)
    recent, ancient = f"{station_id}-recent", f"{station_id}-ancient"
    async with bed.running(), bed.client("viewer") as client:
        await bed.publish(booted(recent), booted(ancient))
        for name in (recent, ancient):
            await eventually(
                lambda name=name: client.get(f"/security/stations/{name}"),
                lambda answer: answer.status_code == 200,
                what=f"{name} is known",
            )
        await bed.rows(
            "UPDATE station SET heard_at = $1 WHERE station_id = $2", datetime.now(UTC) - timedelta(days=2), ancient
        )
        await eventually(
            lambda: client.get(f"/security/stations/{ancient}"),
            lambda answer: answer.status_code == 404,
            what="it is forgotten",
        )

        assert (await client.get(f"/security/stations/{recent}")).status_code == 200


async def test_of_two_roots_for_the_csms_only_one_can_be_deleted_at_the_same_time(make_bed, station_id, connected):
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        await bed.publish(connected(station_id, 7, "2.0.1"))
        await eventually(
            lambda: client.get(f"/security/stations/{station_id}"),
            lambda answer: answer.status_code == 200,
            what="the station is known",
        )
        ids = []
        for name in ("one", "two"):
            root = Authority.root(f"{name} of {station_id}").certificate
            uploaded = await client.post("/certificates", json={"pem": pem(root)})
            ids.append(uploaded.json()["items"][0]["certificate_id"])
            named = hash_data(root, root)
            await bed.rows(
                "INSERT INTO installed_certificate VALUES ($1, 'CSMSRootCertificate', $2, $3, '[]', now())",
                station_id,
                named.key,
                msgspec.json.encode(named).decode(),
            )

        def delete(number):
            path = f"/stations/{station_id}/certificates/{ids[number]}/delete"
            return client.post(path, json={}, headers={"Idempotency-Key": f"{station_id}/{number}"})

        both = await asyncio.gather(delete(0), delete(1))
        [first] = [number for number, answer in enumerate(both) if answer.status_code == 202]
        again = await delete(first)

    assert sorted(answer.status_code for answer in both) == [202, 409]
    assert again.json()["command_id"] == both[first].json()["command_id"]
