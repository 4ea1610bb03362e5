"""In what ways stations break the schemas: what reports add up to, over HTTP too, and the rules of makes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_device.deviations import operations
from chargebus_device.deviations.domain import ANY_PLACE, MOST, Make, add, is_news
from chargebus_device.deviations.operations import MOST_RULES
from chargebus_device.deviations.store import deviations
from chargebus_device.deviations.tasks import Retention
from chargebus_device.registration.resources import StationIn
from chargebus_events.deviations import DeviationCount, DeviationReport
from chargebus_events.public import STATION_DEVIATED, StationDeviated
from chargebus_events.record import Received
from chargebus_events.registry import DEVIATION_RULES_KEY, DeviationRule, DeviationRules, RegisteredStation
from chargebus_events.topics import DEVIATIONS, REGISTRY, STATION_EVENTS
from chargebus_ocppj.deviations import KINDS

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
ACME = Make("Acme", "One", "1.0")
LONG_AGO = START - timedelta(days=91)


def received(record, offset):
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


def count(number=1, **more):
    values = {
        "action": "StatusNotification",
        "kind": "too_long",
        "path": "info",
        "count": number,
        "first_at": START,
        "last_at": START,
        "detail": "80 characters",
    }
    return DeviationCount(**(values | more))


def report(*counts, epoch=7, station_id="CS-1", version="1.6"):
    return DeviationReport(station_id, version, 3, epoch, START, counts or (count(),))


def counted(known):
    return {key.path: each.count for key, each in known.items()}


# What reports add up to


def test_a_connections_counts_rise_and_a_report_that_comes_twice_adds_nothing():
    known = {}
    for said in (report(count(1)), report(count(5)), report(count(5)), report(count(3))):
        add(known, said, ACME)

    assert counted(known) == {"info": 5}


def test_each_connection_counts_from_the_beginning():
    known = {}
    add(known, report(count(5), epoch=7), ACME)
    add(known, report(count(2), epoch=9), ACME)
    add(known, report(count(6), epoch=7), ACME)

    assert counted(known) == {"info": 7}


def test_of_each_make_are_only_the_frames_that_came_while_a_station_was_of_it():
    known = {}
    add(known, report(count(5)), ACME)
    add(known, report(count(7)), Make("Acme", "One", "1.1"))

    assert {key.firmware_version: each.count for key, each in known.items()} == {"1.0": 5, "1.1": 2}


def test_what_was_accepted_and_what_was_refused_are_two_counts():
    known = {}
    add(known, report(count(2), count(3, refused=True)), ACME)

    assert sorted((key.refused, each.count) for key, each in known.items()) == [(False, 2), (True, 3)]


def test_times_and_detail_are_those_of_the_first_and_the_last_frame():
    known = {}
    later = START + timedelta(hours=1)
    add(known, report(count(1)), ACME)
    (changed,) = add(known, report(count(2, first_at=later, last_at=later, detail="other"), epoch=8), ACME)

    assert (changed.first_at, changed.last_at, changed.detail) == (START, later, "80 characters")


def test_what_to_do_about_refused_handshakes_is_that_of_the_newest_and_told_when_it_changes():
    known = {}

    def refused(epoch, detail):
        handshake = count(action="", kind="handshake", path="", refused=True, detail=detail)
        was = dict(known)
        (changed,) = add(known, report(handshake, epoch=epoch, version=""), ACME)
        return changed.count, changed.detail, is_news(was.get(changed.key), changed)

    assert refused(1, "change its registration") == (1, "change its registration", True)
    assert refused(2, "change its registration") == (2, "change its registration", False)
    assert refused(3, "have it offer ocpp1.6") == (3, "have it offer ocpp1.6", True)


def test_a_station_has_a_bounded_number_of_deviations_however_many_properties_it_makes_up():
    known = {}
    for number in range(3 * MOST):
        add(known, report(count(path=f"made-up-{number}"), epoch=number), ACME)

    assert len(known) == MOST + 1
    assert counted(known)[ANY_PLACE] == 2 * MOST


# In the database


async def test_deviations_are_counted_under_the_make_of_the_newest_boot(device):
    await register(device)
    boot = device.frame("BootNotification", b'{"chargePointVendor":"Acme","chargePointModel":"One"}')
    await device.apply(boot)
    await device.apply(received(report(count(2)).record(), 0))
    await device.apply(received(report(count(2)).record(), 1), received(report(count(5)).record(), 2))

    assert await device.fetch("SELECT vendor, model, firmware_version, count, counted, epoch FROM deviation") == [
        ("Acme", "One", "", 5, 5, 7)
    ]


async def test_others_hear_of_a_new_deviation_and_twice_a_day_that_it_goes_on(device):
    await register(device)
    later = [count(number + 2, last_at=START + timedelta(hours=hours)) for number, hours in enumerate((1, 13, 14))]
    sent = []
    for number, said in enumerate((count(1, last_at=START), *later)):
        sent += await device.apply(received(report(said).record(), number))

    told = [
        msgspec.json.decode(record.value, type=StationDeviated)
        for record in sent
        if received(record, 0).type == STATION_DEVIATED
    ]
    assert [each.count for each in told] == [1, 3]
    assert {(each.station_id, each.action) for each in told} == {("CS-1", count(1).action)}


async def test_what_others_hear_of_a_deviation_shows_nothing_that_a_station_wrote(device):
    await register(device)
    sent = await device.apply(received(report(count(kind="wrong_type", path="idTag", detail="4711")).record(), 0))

    assert [b"4711" in record.value for record in sent] == [False]


@pytest.mark.parametrize(
    ("kind", "detail", "told"),
    [
        ("too_long", "80 characters", "80 characters"),
        ("wrong_type", "4711", ""),
        ("extra_property", '"Alice"', ""),
        ("unreadable", '["Alice"] is no text', ""),
        ("unknown_value", '"Alice"', ""),
        ("TypeConstraintViolation", "'Alice' is no integer", ""),
    ],
)
def test_others_hear_nothing_of_what_a_station_wrote(kind, detail, told):
    (kept,) = add({}, report(count(kind=kind, detail=detail)), ACME)

    assert (kept.detail, kept.public_detail) == (detail, told)


async def test_nobody_hears_of_the_deviations_of_a_station_that_is_not_registered(device):
    sent = await device.apply(received(report().record(), 0))

    assert [record for record in sent if record.topic == STATION_EVENTS] == []


async def test_a_boot_that_comes_together_with_its_deviations_counts_for_them(device):
    await register(device)
    boot = device.frame("BootNotification", b'{"chargePointVendor":"Acme","chargePointModel":"One"}')
    await device.apply(received(report().record(), 0), boot)

    assert await device.fetch("SELECT vendor FROM deviation") == [("Acme",)]


async def test_on_a_new_kafka_cluster_connections_count_from_the_beginning(device):
    await device.apply(received(report(count(5), epoch=700).record(), 0))
    async with device.database.pool.acquire() as connection:
        await device.consumed.on_new_cluster(connection)
    await device.apply(received(report(count(2), epoch=7).record(), 0))

    assert await device.fetch("SELECT count FROM deviation") == [(7,)]


async def test_what_a_station_has_not_done_for_long_is_forgotten(device):
    await device.apply(received(report(count(path="old", last_at=LONG_AGO), count(path="new")).record(), 0))
    await Retention(device.database, timedelta(days=90)).sweep()

    assert await device.fetch("SELECT path FROM deviation") == [("new",)]


SUMMED = """
SELECT vendor, model, firmware_version, version, action, kind, refused, count(DISTINCT station_id), sum(count)::bigint
FROM deviation GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
SUMS = """
SELECT vendor, model, firmware_version, version, action, kind, refused, stations, count
FROM deviation_sum WHERE stations > 0 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""


async def test_the_sums_are_those_of_the_deviations_whatever_becomes_of_these(api, device):
    wrong, refused = count(2, path="a"), count(kind="wrong_type", refused=True)
    for number, said in enumerate(
        (
            report(wrong, count(3, path="b", last_at=LONG_AGO), refused),
            report(count(4, path="a"), epoch=8),
            report(wrong, station_id="CS-2"),
            report(count(7, path="old", kind="missing", last_at=LONG_AGO), station_id="CS-2"),
            report(count(5, path="a"), count(1, action="Heartbeat"), epoch=8, version="2.0.1", station_id="CS-3"),
        )
    ):
        await device.apply(received(said.record(), number))
        assert await device.fetch(SUMS) == await device.fetch(SUMMED)
    await Retention(device.database, timedelta(days=90)).sweep()
    after_the_sweep = await device.fetch(SUMS)
    assert after_the_sweep == await device.fetch(SUMMED)
    assert len(after_the_sweep) == 4
    for station_id in ("CS-1", "CS-3"):
        await device.registrar.register(StationIn(station_id=station_id))
        await api.delete(f"/stations/{station_id}")
        assert await device.fetch(SUMS) == await device.fetch(SUMMED)
    await Retention(device.database, timedelta(days=90)).sweep()
    assert await device.fetch("SELECT stations, count FROM deviation_sum") == [(1, 2)]


async def test_what_is_deleted_while_a_report_is_counted_is_counted_once(device):
    await device.apply(received(report(count(path="old", last_at=LONG_AGO)).record(), 0))
    async with device.database.pool.acquire() as connection, connection.transaction():
        known = await deviations.load(connection, {"CS-1"})
        await Retention(device.database, timedelta(days=90)).sweep()
        assert len(known["CS-1"]) == 1

    assert await device.fetch("SELECT count FROM deviation") == [(1,)]
    assert await device.fetch(SUMS) == await device.fetch(SUMMED)


@pytest.mark.parametrize(
    "by_another_release",
    ["UPDATE deviation SET count = count + 5", "DELETE FROM deviation WHERE path = 'a'", "DELETE FROM deviation_sum"],
)
async def test_sums_that_another_release_left_behind_are_put_right(device, caplog, by_another_release):
    await device.apply(received(report(count(2, path="a"), count(kind="missing", path="b")).record(), 0))
    await device.database.pool.execute(by_another_release)
    for _ in range(2):
        await Retention(device.database, timedelta(days=90)).sweep()
        assert await device.fetch(SUMS) == await device.fetch(SUMMED)

    assert [record.getMessage()[:24] for record in caplog.records] == ["the sums of deviations w"]


# Over HTTP


async def register(device, **more):
    await device.registrar.register(StationIn(station_id="CS-1", **more))


async def test_a_stations_deviations_are_listed_page_by_page(api, device):
    await register(device)
    refused = count(path="", action="", kind="FormationViolation", refused=True)
    await device.apply(received(report(count(3), count(path="vendorId"), refused).record(), 0))

    first = (await api.get("/stations/CS-1/deviations", params={"limit": 2})).json()
    rest = (await api.get("/stations/CS-1/deviations", params={"limit": 2, "cursor": first["next"]})).json()

    items = first["items"] + rest["items"]
    assert [(item["action"], item["path"], item["refused"]) for item in items] == [
        ("", "", True),
        ("StatusNotification", "info", False),
        ("StatusNotification", "vendorId", False),
    ]
    assert rest["next"] is None
    assert items[1] == {
        "action": "StatusNotification",
        "kind": "too_long",
        "path": "info",
        "refused": False,
        "count": 3,
        "first_at": "2025-03-01T12:00:00Z",
        "last_at": "2025-03-01T12:00:00Z",
        "detail": "80 characters",
        "vendor": "",
        "model": "",
        "firmware_version": "",
        "version": "1.6",
    }


async def test_a_station_that_keeps_to_the_schemas_has_none_and_one_that_is_not_registered_is_unknown(api, device):
    await register(device)

    assert (await api.get("/stations/CS-1/deviations")).json() == {"items": [], "next": None}
    assert (await api.get("/stations/CS-2/deviations")).status_code == 404


async def test_deviations_of_all_stations_are_summed_up_by_make_and_kind(api, device):
    for number, station_id in enumerate(("CS-1", "CS-2", "CS-3")):
        await device.registrar.register(StationIn(station_id=station_id))
        vendor = "Acme" if number < 2 else "Other"
        payload = b'{"chargePointVendor":"%s","chargePointModel":"One"}' % vendor.encode()
        await device.apply(device.frame("BootNotification", payload, station_id=station_id))
        said = report(count(2), count(1, path="vendorId"), station_id=station_id)
        await device.apply(received(said.record(), number))

    all_of_them = (await api.get("/deviations", params={"limit": 1})).json()
    others = (await api.get("/deviations", params={"limit": 1, "cursor": all_of_them["next"]})).json()
    of_acme = (await api.get("/deviations", params={"vendor": "Acme", "refused": "false"})).json()["items"]

    assert [(item["vendor"], item["stations"], item["count"]) for item in all_of_them["items"] + others["items"]] == [
        ("Acme", 2, 6),
        ("Other", 1, 3),
    ]
    assert [(item["kind"], item["count"]) for item in of_acme] == [("too_long", 6)]
    assert (await api.get("/deviations", params={"refused": "true"})).json()["items"] == []


async def test_the_deviations_of_a_station_that_is_removed_go_with_it(api, device):
    await register(device)
    await device.apply(received(report().record(), 0))
    await api.delete("/stations/CS-1")

    assert await device.fetch("SELECT FROM deviation") == []


# Strict stations, and makes


async def test_strict_is_set_when_a_station_is_registered_or_changed_and_reaches_the_edges(api, device):
    created = await api.post("/stations", json={"station_id": "CS-1", "strict": True})
    assert created.json()["strict"] is True
    changed = await api.patch("/stations/CS-1", json={"strict": False})
    assert changed.json()["strict"] is False
    assert (await api.patch("/stations/CS-1", json={"name": "as it was"})).json()["strict"] is False

    assert [each.strict for each in await registered(device)] == [True, False, False]


async def registered(device):
    records = [record for record in await device.settled() if record.topic == REGISTRY and record.key == "CS-1"]
    return [msgspec.json.decode(record.value, type=RegisteredStation) for record in records]


def boot(device, firmware, epoch=7):
    payload = {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": firmware}
    return device.frame("BootNotification", msgspec.json.encode(payload), epoch=epoch)


async def test_the_edges_learn_a_stations_make_from_its_boot_and_again_only_if_it_is_another(device):
    await register(device)
    before = (await registered(device))[-1]
    sent = []
    for epoch, firmware in ((7, "1.0"), (8, "1.0"), (9, "1.1")):
        sent += [each for each in await device.apply(boot(device, firmware, epoch)) if each.topic == REGISTRY]
    makes = [msgspec.json.decode(record.value, type=RegisteredStation) for record in sent]

    assert [(each.vendor, each.model, each.firmware_version) for each in makes] == [
        ("Acme", "One", "1.0"),
        ("Acme", "One", "1.1"),
    ]
    assert before.updated_at < makes[0].updated_at < makes[1].updated_at
    assert makes[0].password_hash == before.password_hash


async def test_a_station_that_the_policy_lets_in_is_registered_and_its_make_told(device):
    await device.registrar.set_onboarding("accept", new_password=False)
    sent = [each for each in await device.apply(boot(device, "1.0")) if each.topic == REGISTRY]

    assert msgspec.json.decode(sent[-1].value, type=RegisteredStation).vendor == "Acme"


async def test_a_make_is_cut_and_the_boot_kept_whole(device):
    await register(device)
    sent = [each for each in await device.apply(boot(device, "x" * 300)) if each.topic == REGISTRY]

    assert len(msgspec.json.decode(sent[-1].value, type=RegisteredStation).firmware_version) == 100
    assert await device.fetch("SELECT length(firmware_version) FROM boot") == [(300,)]


# Rules


RULE = {"treatment": "refuse", "vendor": "Acme", "firmware_version": "1.*", "action": "Authorize", "kind": "too_long"}


async def rules(device):
    records = [record for record in await device.settled() if record.key == DEVIATION_RULES_KEY]
    return [msgspec.json.decode(record.value, type=DeviationRules) for record in records]


async def test_rules_are_added_listed_and_removed_and_each_change_reaches_the_edges(api, device, role_headers):
    admin = role_headers("admin")
    added = await api.post("/deviation-rules", json={**RULE, "note": "firmware 2 mends it"}, headers=admin)
    assert added.status_code == 201
    listed = (await api.get("/deviation-rules")).json()["items"]
    assert listed == [added.json()]
    assert {name: listed[0][name] for name in RULE} == RULE
    assert (await api.delete(added.headers["Location"].removeprefix("/v1"), headers=admin)).status_code == 204
    assert (await api.get("/deviation-rules")).json()["items"] == []

    first, second = await rules(device)
    assert first.rules == (DeviationRule(**RULE),)
    assert second.rules == ()
    assert second.updated_at > first.updated_at


async def test_only_an_admin_changes_rules(api):
    assert (await api.post("/deviation-rules", json=RULE)).status_code == 403
    assert (await api.delete("/deviation-rules/6f9619ff-8b86-d011-b42d-00cf4fc964ff")).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "too_lng"}, {"action": "Autorize"}, {"treatment": "ignore"}, {"vendor": "x" * 101}, {"make": "x"}],
)
async def test_a_rule_that_could_never_count_is_not_taken(api, role_headers, wrong):
    answer = await api.post("/deviation-rules", json={**RULE, **wrong}, headers=role_headers("admin"))

    assert answer.status_code == 422


async def test_two_rules_about_the_same_would_contradict_each_other(api, role_headers):
    admin = role_headers("admin")
    await api.post("/deviation-rules", json=RULE, headers=admin)

    assert (await api.post("/deviation-rules", json={**RULE, "treatment": "accept"}, headers=admin)).status_code == 409


async def test_there_is_an_end_to_rules_as_every_edge_holds_all(api, role_headers, monkeypatch):
    admin = role_headers("admin")
    monkeypatch.setattr(operations, "MOST_RULES", 1)
    await api.post("/deviation-rules", json=RULE, headers=admin)

    assert (await api.post("/deviation-rules", json={**RULE, "kind": ""}, headers=admin)).status_code == 409
    assert len(KINDS) < MOST_RULES


async def test_a_rule_that_is_not_there_cannot_be_removed(api, role_headers):
    answer = await api.delete("/deviation-rules/6f9619ff-8b86-d011-b42d-00cf4fc964ff", headers=role_headers("admin"))

    assert answer.status_code == 404


def test_deviations_have_a_topic_of_their_own(device):
    assert DEVIATIONS in device.consumed.topics
