"""What operators say of stations is told in station.events: at each change, and to those who come later."""

from datetime import timedelta

import msgspec
import pytest
from chargebus_device.registration.resources import StationIn
from chargebus_device.registration.tasks import Descriptions
from chargebus_events.public import STATION_DESCRIBED, StationDescribed
from chargebus_events.topics import STATION_EVENTS

BOOT = b'{"chargePointVendor":"Acme","chargePointModel":"One"}'
AGAIN_AFTER = timedelta(days=60)


def descriptions_in(records):
    told = [record for record in records if dict(record.headers).get("ce_type") == STATION_DESCRIBED.encode()]
    assert all(record.topic == STATION_EVENTS for record in told)
    return [msgspec.json.decode(record.value, type=StationDescribed) for record in told]


async def told(device):
    """All that was told so far of stations."""
    return descriptions_in(await device.settled())


async def test_a_registration_a_change_and_a_removal_are_told_with_all_of_it(api, device):
    start = device.time()
    body = {"station_id": "CS-1", "name": "Harbour 1", "labels": {"site": "harbour"}, "time_zone": "Europe/Amsterdam"}
    assert (await api.post("/stations", json=body)).json()["time_zone"] == "Europe/Amsterdam"
    device.time.pass_s(1)
    assert (await api.patch("/stations/CS-1", json={"labels": {}})).json()["time_zone"] == "Europe/Amsterdam"
    device.time.pass_s(1)
    await api.delete("/stations/CS-1")

    second = timedelta(seconds=1)
    assert await told(device) == [
        StationDescribed("CS-1", start, "Harbour 1", {"site": "harbour"}, "Europe/Amsterdam"),
        StationDescribed("CS-1", start + second, "Harbour 1", {}, "Europe/Amsterdam"),
        StationDescribed("CS-1", start + 2 * second, removed=True),
    ]


@pytest.mark.parametrize("change", [{"name": "A"}, {"labels": {"site": "a"}}, {"time_zone": "Asia/Kolkata"}])
async def test_each_of_what_describes_a_station_is_told(api, device, change):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.patch("/stations/CS-1", json=change)

    _, changed = await told(device)
    assert {name: getattr(changed, name) for name in change} == change


async def test_a_change_of_anything_else_describes_nothing(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.patch("/stations/CS-1", json={"registration": "pending", "strict": True})

    assert len(await told(device)) == 1


async def test_stations_registered_in_bulk_and_by_their_first_boot_are_told_once_each(api, device):
    await api.post(
        "/stations/bulk", json={"stations": [{"station_id": "A", "labels": {"x": "y"}}, {"station_id": "B"}]}
    )
    await device.registrar.set_onboarding("pending", new_password=False)
    sent = await device.apply(*[device.frame("BootNotification", BOOT, station_id=name) for name in ("A", "C", "C")])

    assert [(each.station_id, each.labels) for each in await told(device)] == [("A", {"x": "y"}), ("B", {})]
    assert [each.station_id for each in descriptions_in(sent)] == ["C"]


@pytest.mark.parametrize("zone", ["Europe", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "a" * 65, "\0"])
async def test_a_time_zone_that_is_none_is_refused(api, zone):
    assert (await api.post("/stations", json={"station_id": "CS-1", "time_zone": zone})).status_code == 422
    await api.post("/stations", json={"station_id": "CS-1"})
    assert (await api.patch("/stations/CS-1", json={"time_zone": zone})).status_code == 422


async def test_of_two_descriptions_the_later_one_has_the_later_time_even_if_clocks_disagree(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    device.time.pass_s(-3600)
    await api.patch("/stations/CS-1", json={"name": "A"})
    await api.delete("/stations/CS-1")

    times = [each.at for each in await told(device)]
    assert times == sorted(set(times))


async def test_stations_from_before_are_told_of_a_few_at_once_and_all_again_after_a_while(device):
    for name in ("A", "B", "C"):
        await device.registrar.register(StationIn(station_id=name, labels={"of": name}))
    await device.database.pool.execute("UPDATE station SET described_at = DEFAULT")  # as the migration leaves them
    before = len(await told(device))
    descriptions = Descriptions(device.database, AGAIN_AFTER, at_once=2)

    await descriptions.tell_some()
    assert len(await told(device)) == before + 2
    for _ in range(3):
        await descriptions.tell_some()
    again = (await told(device))[before:]
    assert sorted((each.station_id, each.labels["of"]) for each in again) == [("A", "A"), ("B", "B"), ("C", "C")]

    device.time.pass_s(AGAIN_AFTER.total_seconds() + 1)
    for _ in range(3):
        await descriptions.tell_some()
    assert len(await told(device)) == before + 6


async def test_two_copies_tell_each_station_once(device):
    for name in ("A", "B", "C", "D"):
        await device.registrar.register(StationIn(station_id=name))
    await device.database.pool.execute("UPDATE station SET described_at = DEFAULT")
    before = len(await told(device))
    one, two = (Descriptions(device.database, AGAIN_AFTER, at_once=2) for _ in range(2))

    async with device.database.transaction() as tx:  # holds two of them, as a copy in the midst of telling does
        await tx.connection.execute("SELECT FROM station WHERE station_id IN ('A', 'B') FOR NO KEY UPDATE")
        await one.tell_some()
        await two.tell_some()

    assert sorted(each.station_id for each in (await told(device))[before:]) == ["C", "D"]
