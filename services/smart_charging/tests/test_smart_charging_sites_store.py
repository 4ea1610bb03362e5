"""Sites in the database: kept as they are described, and due when somebody says so."""

import asyncio
from datetime import UTC, datetime, time, timedelta

import msgspec
from chargebus_events.public import SESSION_STARTED, Session
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch
from chargebus_runtime.telemetry import Trace
from chargebus_smart_charging.sites.domain.site import (
    CalendarEntry,
    Capacity,
    Evse,
    LoadMeter,
    Node,
    Policy,
    Site,
)
from chargebus_smart_charging.sites.resources import DescribedSite, SiteDescription
from chargebus_smart_charging.sites.store import due, evses, sites
from chargebus_smart_charging.sites.store.sites import Described
from chargebus_smart_charging.vehicles.handlers import hear_sessions
from chargebus_smart_charging.vehicles.store import vehicles

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = NOW + 60 * MINUTE

FULL = Site(
    "S-1",
    "depot",
    (
        Node("b", "grid", "panel B", Capacity(63.0, 30_000.0, 31_000.0), 0.05, 20.0, controller_station_id="CS-LC"),
        Node(
            "grid",
            None,
            calendar=(
                CalendarEntry(Capacity(phase_a=32.0), weekdays=(0, 4), from_time=time(17), to_time=time(6)),
                CalendarEntry(Capacity(total_w=10_000.0), starts_at=NOW, ends_at=NOW + MINUTE),
            ),
            meter=LoadMeter((20.0, 21.0, 22.0), 90.0, "CS-METER", "everything"),
        ),
    ),
    (
        Evse("CS-2", 1, "b", "DC", 230.0, (2, 3, 1), 1.0, 80.0, 0.5, 2.0),
        Evse("CS-1", 2, "grid"),
        Evse("CS-1", 1, "grid", phases=(3,)),
    ),
    zone="NL",
    time_zone="Europe/Amsterdam",
    policy=Policy(interval_s=30.0, objective="price", default_a=6.0, unmeasured="count", on_off=True),
)


def plain(site_id: str, *station_ids: str, zone: str = "") -> Site:
    return Site(site_id, "", (Node("grid", None),), tuple(Evse(each, 1, "grid") for each in station_ids), zone)


async def put(connection, *described: Site) -> None:
    for each in described:
        await sites.put(connection, Described(each, NOW, NOW))


async def test_a_site_is_read_back_as_it_was_described(connection):
    await put(connection, FULL, plain("S-2", "CS-9"))

    assert await sites.load(connection, ["S-1", "S-2", "S-3"]) == {"S-1": FULL, "S-2": plain("S-2", "CS-9")}


def test_everything_that_the_domain_knows_of_a_site_can_be_described_and_is_answered():
    described = DescribedSite.of(Described(FULL, NOW, NOW))
    same = described.model_dump(exclude={"site_id", "version", "created_at", "updated_at"})

    assert SiteDescription(**same, version=FULL.version).site("S-1") == FULL


async def test_a_description_takes_the_place_of_the_one_before(connection):
    await put(connection, FULL, plain("S-1", "CS-9"))

    assert await sites.load(connection, ["S-1"]) == {"S-1": plain("S-1", "CS-9")}
    assert await evses.sites_of(connection, ["CS-1", "CS-9"]) == {"CS-9": "S-1"}


async def test_nothing_is_left_of_a_site_that_is_removed(connection):
    await put(connection, FULL)
    await due.mark(connection, ["S-1"], NOW)

    assert await sites.remove(connection, "S-1")
    assert not await sites.remove(connection, "S-1")
    for table in ("site", "site_due", "node", "evse"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_stations_are_found_where_they_hang_and_where_else(connection):
    await put(connection, plain("S-1", "CS-1"), plain("S-2", "CS-2"))

    assert await evses.sites_of(connection, ["CS-1", "CS-2", "CS-3"]) == {"CS-1": "S-1", "CS-2": "S-2"}
    assert await evses.elsewhere(connection, "S-1", ["CS-1", "CS-2", "CS-3"]) == {"CS-2": "S-2"}


async def test_a_zone_has_its_sites_and_a_site_is_a_zone_of_its_own(connection):
    await put(connection, plain("S-1", zone="NL"), plain("S-2", zone="NL"), plain("S-3", zone="BE"))

    assert sorted(await sites.in_zones(connection, ["NL"])) == ["S-1", "S-2"]
    assert await sites.in_zones(connection, ["S-3"]) == ["S-3"]


async def test_the_earliest_mark_says_when_a_site_is_due(connection):
    await put(connection, plain("S-1"), plain("S-2"))
    taken = await due.take(connection, NOW, 10)
    await due.put_off(connection, [(each, NOW + 60 * MINUTE) for each in taken])
    await due.mark(connection, ["S-1", "S-9"], NOW + 5 * MINUTE)
    await due.mark(connection, ["S-1"], NOW + 10 * MINUTE)

    assert await due.take(connection, NOW + 4 * MINUTE, 10) == []
    assert [each.site_id for each in await due.take(connection, NOW + 5 * MINUTE, 10)] == ["S-1"]


async def test_a_site_that_is_described_while_its_vehicles_are_written_is_planned_soon(
    connect, connection, monkeypatch
):
    describing, lock = await connect(), vehicles.lock

    async def described_meanwhile(own, keys):
        await put(describing, plain("S-1", "CS-1"))
        await due.put_off(describing, [(each, LATER) for each in await due.take(describing, NOW, 10)])
        return await lock(own, keys)

    monkeypatch.setattr(vehicles, "lock", described_meanwhile)
    session = Session("s1", "CS-1", "t1", "2.0.1", "active", NOW, 1, started_at=NOW)
    body = msgspec.json.encode(session)
    begun = Received("session", 0, 0, "CS-1", body, {"ce_type": SESSION_STARTED.encode()})
    async with connection.transaction():
        batch = Batch([], connection, NOW, Trace())
        await hear_sessions(batch, [begun])
        await batch.finish()

    assert [each.site_id for each in await due.take(connection, NOW + MINUTE, 10)] == ["S-1"]


async def test_a_mark_that_comes_while_a_site_is_planned_is_not_lost(connect, connection):
    await put(connection, plain("S-1"), plain("S-2"))
    async with connection.transaction():
        taken = await due.take(connection, NOW, 10)
        async with asyncio.timeout(180):  # who marks does not wait for who plans
            await due.mark(await connect(), ["S-1"], NOW)
        await due.put_off(connection, [(each, NOW + MINUTE) for each in taken])

    assert [each.site_id for each in await due.take(connection, NOW, 10)] == ["S-1"]


async def test_copies_that_mark_the_same_sites_in_other_orders_do_not_wait_for_each_other_in_a_circle(
    connect, connection
):
    await put(connection, plain("S-1"), plain("S-2"))
    between = asyncio.Barrier(2)

    async def applies(own, *parts: str) -> None:
        async with own.transaction():
            batch = Batch([], own, NOW, Trace())
            for site_id in parts:
                await due.mark_by(batch, [site_id], NOW - MINUTE)
                await between.wait()
            await batch.finish()

    await asyncio.gather(applies(await connect(), "S-1", "S-2"), applies(await connect(), "S-2", "S-1"))

    assert {(each.site_id, each.marks) for each in await due.take(connection, NOW, 10)} == {("S-1", 2), ("S-2", 2)}


async def test_a_site_that_is_being_planned_is_passed_over_by_others(connect, connection):
    await put(connection, plain("S-1"), plain("S-2"))
    async with connection.transaction():
        assert len(await due.take(connection, NOW, 1)) == 1
        other = await connect()
        async with other.transaction():
            assert [each.site_id for each in await due.take(other, NOW, 10)] == ["S-2"]


async def test_a_piece_begins_with_what_has_waited_longest(connection):
    await put(connection, plain("S-1"), plain("S-2"), plain("S-3"))
    await due.mark(connection, ["S-2"], NOW - MINUTE)

    assert [each.site_id for each in await due.take(connection, NOW, 1)] == ["S-2"]
