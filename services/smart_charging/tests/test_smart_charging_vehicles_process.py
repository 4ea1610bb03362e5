"""Vehicles in the service's process: sessions, meter values and frames in, what is known of each in the database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_events.public import (
    METER_READINGS,
    SESSION_ENDED,
    SESSION_STARTED,
    MeterReadings,
    Reading,
    Session,
    event,
)
from chargebus_events.topics import frames_topic
from chargebus_smart_charging.main import build
from chargebus_smart_charging.vehicles.store import vehicles
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"


def site_of(station_id: str) -> dict:
    return {
        "name": "depot",
        "nodes": [{"node_id": "grid", "capacity": {"phase_a": 63}}],
        "evses": [{"station_id": station_id, "evse_id": 1, "node_id": "grid"}],
    }


def session(station_id: str, kind: str = SESSION_STARTED, *, at: float = 0, evse_id: int = 1):
    now = NOW + timedelta(seconds=at)
    state = "ended" if kind == SESSION_ENDED else "active"
    body = Session(f"{station_id}-1", station_id, "tx-1", "2.0.1", state, now, evse_id, started_at=NOW)
    return event(kind, f"{station_id}/{kind}/{at}", "/session", now, body)


def readings(station_id: str, number: int, *values: tuple[str, str, float], evse_id: int = 1, transaction_id: str = ""):
    at = NOW + timedelta(seconds=60 * number)
    told = tuple(
        Reading(f"{station_id}-{number}-{place}", at, measurand, value, "", str(value), phase=phase)
        for place, (measurand, phase, value) in enumerate(values)
    )
    body = MeterReadings(station_id, evse_id, at, told, transaction_id=transaction_id)
    return event(METER_READINGS, f"{station_id}/{number}", "/metering", at, body)


def on_one_phase(station_id: str, number: int, **where):
    currents = [("Current.Import", "L1", 16.0), ("Current.Import", "L2", 0.0), ("Current.Import", "L3", 0.0)]
    return readings(station_id, number, *currents, ("Energy.Active.Import.Register", "", 1000.0 * number), **where)


async def known(process, key):
    async with process.service.database.pool.acquire() as connection:
        return (await vehicles.load(connection, [key])).get(key)


async def until_known(process, key, condition, what: str):
    return await eventually(
        lambda: known(process, key), lambda vehicle: vehicle is not None and condition(vehicle), what=what
    )


async def test_a_vehicle_is_followed_from_its_session_to_its_end(make_bed, station_id):
    bed = make_bed(build)
    key = station_id, 1
    async with bed.running() as process, bed.client("operator") as client:
        assert (await client.put(f"/sites/{station_id}", json=site_of(station_id))).status_code == 201
        await process.producer.publish([session(station_id)])
        await until_known(process, key, lambda vehicle: vehicle.present is not None, "the session is known")
        await process.producer.publish([on_one_phase(station_id, number) for number in (1, 2)])
        by_transaction = on_one_phase(station_id, 3, evse_id=0, transaction_id="tx-1")
        await process.producer.publish([by_transaction])
        vehicle = await until_known(process, key, lambda each: each.learned.phases == (0,), "its one phase is learned")
        await process.producer.publish([session(station_id, SESSION_ENDED, at=300), session(station_id)])
        over = await until_known(process, key, lambda each: each.present is None, "its session is over")

    assert (vehicle.phase_a, vehicle.energy_wh) == ((16.0, 0.0, 0.0), 2000.0)
    assert over.session.session_id == f"{station_id}-1"


async def test_meter_values_of_stations_without_a_site_are_passed_over(make_bed, station_id):
    bed = make_bed(build)
    elsewhere = f"{station_id}-x"
    async with bed.running() as process, bed.client("operator") as client:
        assert (await client.put(f"/sites/{station_id}", json=site_of(station_id))).status_code == 201
        await process.producer.publish([on_one_phase(elsewhere, 1), on_one_phase(station_id, 1)])
        await until_known(
            process, (station_id, 1), lambda each: each.phase_a is not None, "the site's EVSE is measured"
        )

        assert await known(process, (elsewhere, 1)) is None


async def test_the_limit_of_an_EVSE_of_which_nobody_knows_what_it_holds_is_forgotten(make_bed, station_id):
    bed = make_bed(build)
    key = station_id, 1
    async with bed.running() as process, bed.client("operator") as client:
        database = process.service.database
        async with database.transaction() as tx:
            await vehicles.allow(tx.connection, {key: 16.0}, tx.now)

        async def noted():
            async with database.pool.acquire() as connection:
                return await vehicles.limits(connection, [key])

        assert (await noted())[key].limit_a == 16
        assert (await client.put(f"/sites/{station_id}", json=site_of(station_id))).status_code == 201
        await eventually(noted, lambda found: not found, what="the site is planned, and the old limit gone")


NEEDED = [
    ("2.0.1", True, "AC_three_phase", "Accepted"),
    ("2.0.1", False, "AC_three_phase", "Rejected"),
    ("2.1", True, "AC_three_phase", "Accepted"),
    ("2.1", False, "AC_three_phase", "NoChargingProfile"),
    ("2.1", True, "AC_BPT", "Rejected"),
]


def needing(station_id: str, version: str, transfer: str) -> Frame:
    needs = {
        "evseId": 1,
        "chargingNeeds": {
            "requestedEnergyTransfer": transfer,
            "departureTime": (NOW + timedelta(hours=2)).isoformat(),
            "acChargingParameters": {"energyAmount": 9000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230},
        },
    }
    payload = msgspec.json.encode(needs)
    return Frame(station_id, version, "NotifyEVChargingNeeds", "m1", 0, 7, 1, payload, datetime.now(UTC))


async def test_K15_needs_of_a_vehicle_are_answered_by_whether_a_profile_follows(make_bed, station_id, answers):
    bed = make_bed(build)
    stations = [f"{station_id}-{number}" for number in range(len(NEEDED))]
    cases = list(zip(stations, NEEDED, strict=True))
    async with bed.running() as process, bed.client("operator") as client, answers() as answer:
        for name, (_, with_site, _, _) in cases:
            if with_site:
                assert (await client.put(f"/sites/{name}", json=site_of(name))).status_code == 201
        frames = [needing(name, version, transfer) for name, (version, _, transfer, _) in cases]
        await process.producer.publish([frame.record(frames_topic("smart_charging")) for frame in frames])
        answered = [(await answer(name))["status"] for name in stations]
        vehicle = await known(process, (stations[0], 1))
        refused = await known(process, (stations[-1], 1))

    assert answered == [status for *_, status in NEEDED]
    assert (vehicle.ev.energy_wh, vehicle.ev.max_a, vehicle.ev.phases) == (9000.0, 16.0, 3)
    assert refused is None


async def test_what_drivers_of_a_class_need_is_kept_until_it_is_taken_back(make_bed):
    bed = make_bed(build)
    said = {"energy_wh": 9000.0, "stay_s": 3600.0, "priority": 2.0}
    path = "/smart-charging/driver-needs/id_token/AB/12"
    async with bed.running(), bed.client("operator") as client:
        put = await client.put(path, json=said)
        shown = await client.get(path.lower())
        listed = (await client.get("/smart-charging/driver-needs")).json()["items"]
        nothing = await client.put(path, json={})
        removed = await client.delete(path)
        gone = await client.get(path)

    assert put.json() == shown.json() == listed[0] == {"kind": "id_token", "value": "ab/12"} | said
    assert [each.status_code for each in (put, shown, nothing, removed, gone)] == [200, 200, 422, 204, 404]
