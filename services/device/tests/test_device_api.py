"""Stations and the onboarding policy over HTTP."""

import asyncio
import json
from urllib.parse import quote

import msgspec
import pytest
from chargebus_device.registration.tasks import PasswordExpiry
from chargebus_events.registry import ONBOARDING_KEY, OnboardingPolicy, RegisteredStation
from chargebus_events.topics import REGISTRY
from chargebus_runtime import secrets
from chargebus_runtime.partition_sender import ProducerBatch
from chargebus_runtime.producer import Sending

BOOT = b'{"chargePointVendor":"Acme","chargePointModel":"One","chargePointSerialNumber":"SN-7"}'


async def published(device, station_id="CS-1"):
    """The newest registry record of a station."""
    records = [r for r in await device.settled() if r.topic == REGISTRY and r.key == station_id]
    return records[-1].value


async def station(device, station_id="CS-1"):
    return msgspec.json.decode(await published(device, station_id), type=RegisteredStation)


async def test_a_generated_password_is_shown_once_and_kept_hashed(api, device):
    answer = await api.post("/stations", json={"station_id": "CS-1"})

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/stations/CS-1"
    password = answer.json()["password"]
    assert secrets.verify(password.encode(), (await station(device)).password_hash)
    assert password not in (await api.get("/stations/CS-1")).text
    assert password.encode() not in await published(device)


async def test_a_chosen_password_is_taken_and_not_shown(api, device):
    answer = await api.post("/stations", json={"station_id": "CS-1", "password": "chosen by operator"})

    assert answer.status_code == 201
    assert answer.json()["password"] is None
    stored = (await station(device)).password_hash
    assert secrets.is_slow(stored)
    assert secrets.verify(b"chosen by operator", stored)


@pytest.mark.parametrize(
    "password", ["fifteen letters", "x" * 41, "with a line\nbreak in it", "umlaut äöü in password"]
)
async def test_A00_FR_205_a_chosen_password_has_16_to_40_printable_characters(api, password):
    answer = await api.post("/stations", json={"station_id": "CS-1", "password": password})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "station_id",
    [
        "",
        "x" * 256,
        " ",
        " before",
        "behind ",
        "/onboarding",
        ".",
        "..",
        "newline\n",
        "nul\0",
        "right to left \u202e",
        "invisible\u200b",
        "decomposed u\u0308",
        "line\u2028",
    ],
)
async def test_a_station_id_that_no_url_could_carry_or_nobody_could_read_is_refused(api, station_id):
    assert (await api.post("/stations", json={"station_id": station_id})).status_code == 422


@pytest.mark.parametrize(
    "station_id",
    ["RDAM 123", "RDAM:123", "a/b", "slash/", "Ladesäule", "充电桩", "x" * 255, "50%|+?#&", "%2F", "a\ufffdb", "bulk"],
)
async def test_any_other_identity_is_registered_shown_and_addressed_percent_encoded(api, device, station_id):
    path = f"/stations/{quote(station_id, safe='')}"
    created = await api.post("/stations", json={"station_id": station_id})
    assert (created.status_code, created.headers["Location"]) == (201, f"/v1{path}")
    assert (await station(device, station_id)).station_id == station_id
    assert (await api.get(path)).json()["station_id"] == station_id
    assert (await api.patch(path, json={"name": "found"})).json()["name"] == "found"
    assert (await api.post(f"{path}/password")).json()["station_id"] == station_id
    assert station_id in await listed(api)
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_identities_of_all_kinds_come_page_by_page(api):
    ids = ["a", "a/b", "a b", "ä", "充电桩", "a:b", "Z"]
    for station_id in ids:
        await api.post("/stations", json={"station_id": station_id})
    found, cursor = [], None
    while cursor is not None or not found:
        page = (await api.get("/stations", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += [item["station_id"] for item in page["items"]]
        cursor = page["next"]
    assert found == sorted(ids, key=str.encode)


async def test_what_an_operator_gives_is_kept_and_published(api, device):
    body = {
        "station_id": "DE*ACME+7@x|y.z-_=",
        "registration": "pending",
        "versions": ["2.0.1", "2.1"],
        "security_profile": 2,
        "name": "Harbour 1",
        "labels": {"site": "harbour"},
    }
    created = (await api.post("/stations", json=body)).json()

    found = (await api.get(f"/stations/{body['station_id']}")).json()
    assert {key: found[key] for key in body} == body
    assert {key: created[key] for key in body} == body
    registered = await station(device, body["station_id"])
    assert (registered.registration, registered.versions, registered.security_profile) == (
        "pending",
        ("2.0.1", "2.1"),
        2,
    )


async def test_the_least_security_profile_and_what_the_client_certificate_must_be_are_published(api, device):
    certificate = {"certificate_identity": "SN 0815", "certificate_pins": ["0a:0B", "ff" * 32]}
    await api.post("/stations", json={"station_id": "CS-3", "security_profile": 3, **certificate})
    found = (await api.get("/stations/CS-3")).json()
    assert {key: found[key] for key in certificate} == certificate
    registered = await station(device, "CS-3")
    assert (registered.security_profile, registered.certificate_identity, registered.certificate_pins) == (
        3,
        "SN 0815",
        ("0a:0B", "ff" * 32),
    )
    changed = await api.patch(
        "/stations/CS-3", json={"security_profile": 2, "certificate_pins": [], "certificate_identity": ""}
    )
    assert changed.json()["security_profile"] == 2
    registered = await station(device, "CS-3")
    assert (registered.security_profile, registered.certificate_identity, registered.certificate_pins) == (2, "", ())
    await api.patch("/stations/CS-3", json={"name": "n"})
    assert (await api.get("/stations/CS-3")).json()["security_profile"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"security_profile": 4},
        {"certificate_pins": ["xyz"]},
        {"certificate_pins": ["aa"] * 11},
        {"certificate_identity": " blank"},
    ],
)
async def test_a_certificate_that_cannot_be_is_refused(api, wrong):
    assert (await api.post("/stations", json={"station_id": "CS-4", **wrong})).status_code == 422
    assert (await api.patch("/stations/CS-4", json=wrong)).status_code == 422


async def test_an_id_that_is_taken_is_a_conflict_and_changes_nothing(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    before = await published(device)

    answer = await api.post("/stations", json={"station_id": "CS-1", "registration": "rejected"})

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert await published(device) == before


async def test_in_bulk_each_station_stands_for_itself(api, device):
    await api.post("/stations", json={"station_id": "known"})
    stations = [
        {"station_id": "new-1"},
        {"station_id": "known"},
        {"station_id": "not an id\n"},
        {"station_id": "new-2", "password": "chosen by operator"},
        {"station_id": "new-1", "registration": "rejected"},
        "nonsense",
        {"station_id": "new-3", "mispelt": True},
    ]

    answer = (await api.post("/stations/bulk", json={"stations": stations})).json()

    assert (answer["created"], answer["exists"], answer["invalid"]) == (2, 2, 3)
    results = [(item["station_id"], item["result"]) for item in answer["items"]]
    assert results == [
        ("new-1", "created"),
        ("known", "exists"),
        ("not an id\n", "invalid"),
        ("new-2", "created"),
        ("new-1", "exists"),
        (None, "invalid"),
        ("new-3", "invalid"),
    ]
    assert "mispelt" in answer["items"][6]["detail"]
    generated = answer["items"][0]["password"]
    assert secrets.verify(generated.encode(), (await station(device, "new-1")).password_hash)
    assert answer["items"][3]["password"] is None
    assert [item["password"] for item in answer["items"] if item["result"] != "created"] == [None] * 5


async def test_a_bulk_call_can_be_repeated(api, device):
    body = {"stations": [{"station_id": "A"}, {"station_id": "B"}]}
    await api.post("/stations/bulk", json=body)
    before = len(await device.settled())

    answer = (await api.post("/stations/bulk", json=body)).json()

    assert (answer["created"], answer["exists"]) == (0, 2)
    assert len(await device.settled()) == before


@pytest.mark.parametrize(
    "stations",
    [
        [{"station_id": f"S{n}"} for n in range(51)],
        [{"station_id": f"S{n}", "password": "chosen by operator"} for n in range(3)],
        [],
    ],
    ids=["too many", "too many passwords", "none"],
)
async def test_a_bulk_call_of_a_wrong_size_creates_nothing(api, device, stations):
    answer = await api.post("/stations/bulk", json={"stations": stations})

    assert answer.status_code == 422
    assert await device.fetch("SELECT FROM station") == []


async def test_a_change_touches_what_it_names_and_is_published(api, device):
    await api.post("/stations", json={"station_id": "CS-1", "name": "old", "labels": {"a": "b"}, "versions": ["1.6"]})

    answer = await api.patch("/stations/CS-1", json={"registration": "rejected", "versions": []})

    changed = answer.json()
    assert (changed["registration"], changed["versions"], changed["name"], changed["labels"]) == (
        "rejected",
        [],
        "old",
        {"a": "b"},
    )
    registered = await station(device)
    assert (registered.registration, registered.versions) == ("rejected", ())


async def test_a_new_password_stands_beside_the_old_one_until_the_station_used_it(api, device):
    old = (await api.post("/stations", json={"station_id": "CS-1"})).json()["password"]
    new = (await api.post("/stations/CS-1/password")).json()["password"]

    between = await station(device)
    assert secrets.verify(old.encode(), between.password_hash)
    (stored,) = between.newer_password_hashes
    assert secrets.verify(new.encode(), stored)
    assert (await state(api)) == (1, False, None)

    device.time.pass_s(60)
    await device.apply(device.presence(40, credential=secrets.fingerprint(between.password_hash)))
    assert (await state(api)) == (1, False, None)
    (record,) = [
        record
        for record in await device.apply(device.presence(41, credential=secrets.fingerprint(stored)))
        if record.topic == REGISTRY
    ]

    after = msgspec.json.decode(record.value, type=RegisteredStation)
    assert (after.password_hash, after.newer_password_hashes) == (stored, ())
    assert after.updated_at > between.updated_at
    assert (await state(api)) == (0, True, None)
    assert (await api.get("/stations/CS-1")).json()["password_change"]["used_at"] == "2025-03-01T12:01:00Z"


async def state(api, station_id="CS-1"):
    """How many passwords are unused, whether the newest was used, and when the older ones end."""
    change = (await api.get(f"/stations/{station_id}")).json()["password_change"]
    return change["unused"], change["used_at"] is not None, change["older_until"]


async def test_a_chosen_new_password_is_honoured(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})

    answer = await api.post("/stations/CS-1/password", json={"password": "chosen by operator"})

    assert answer.json() == {"station_id": "CS-1", "password": None}
    (stored,) = (await station(device)).newer_password_hashes
    assert secrets.verify(b"chosen by operator", stored)


async def test_a_password_that_was_given_at_registration_counts_as_used_at_the_first_connection(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    assert (await state(api)) == (0, False, None)

    sent = await device.apply(
        device.presence(40, credential=secrets.fingerprint((await station(device)).password_hash))
    )

    assert [record for record in sent if record.topic == REGISTRY] == []
    assert (await state(api)) == (0, True, None)


async def test_while_a_change_waits_another_may_follow_and_all_stay_valid(api, device):
    first = (await api.post("/stations", json={"station_id": "CS-1"})).json()["password"]
    second = (await api.post("/stations/CS-1/password", json={})).json()["password"]
    third = (await api.post("/stations/CS-1/password", json={"password": None})).json()["password"]

    known = await station(device)
    stored = [known.password_hash, *known.newer_password_hashes]
    assert [
        secrets.verify(shown.encode(), each) for shown, each in zip((first, second, third), stored, strict=True)
    ] == [True] * 3

    await device.apply(device.presence(40, credential=secrets.fingerprint(stored[1])))
    assert (await state(api)) == (1, False, None)
    await device.apply(device.presence(41, credential=secrets.fingerprint(stored[2])))
    assert (await state(api)) == (0, True, None)


async def test_a_use_that_is_told_again_or_late_changes_nothing(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.post("/stations/CS-1/password")
    known = await station(device)
    old, new = (secrets.fingerprint(each) for each in (known.password_hash, *known.newer_password_hashes))
    await device.apply(device.presence(40, credential=new))

    sent = await device.apply(
        device.presence(41, credential=new), device.presence(42, credential=old), device.presence(43, credential="")
    )

    assert [record for record in sent if record.topic == REGISTRY] == []
    assert (await state(api)) == (0, True, None)


async def test_the_use_of_a_password_of_before_is_none_of_a_station_that_was_registered_anew(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.post("/stations/CS-1/password")
    (before,) = (await station(device)).newer_password_hashes
    await api.delete("/stations/CS-1")
    await api.post("/stations", json={"station_id": "CS-1"})

    await device.apply(device.presence(40, credential=secrets.fingerprint(before)))

    assert (await state(api)) == (0, False, None)


async def test_several_uses_in_one_batch_are_each_taken(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.post("/stations/CS-1/password")
    await api.post("/stations/CS-1/password")
    known = await station(device)
    ids = [secrets.fingerprint(each) for each in (known.password_hash, *known.newer_password_hashes)]

    sent = await device.apply(*(device.presence(40 + age, credential=ids[age]) for age in (0, 1, 2)))

    last = [record for record in sent if record.topic == REGISTRY][-1]
    assert msgspec.json.decode(last.value, type=RegisteredStation).password_hash == known.newer_password_hashes[-1]


async def test_with_too_many_unused_passwords_no_other_is_given(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    for _ in range(3):
        assert (await api.post("/stations/CS-1/password")).status_code == 200

    answer = await api.post("/stations/CS-1/password")

    assert (answer.status_code, answer.json()["title"]) == (409, "too many unused passwords")
    assert len((await station(device)).newer_password_hashes) == 3


async def test_older_passwords_end_at_once_if_an_operator_says_so(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    new = (await api.post("/stations/CS-1/password", json={"older_valid_s": 0})).json()["password"]
    known = await station(device)
    assert secrets.verify(new.encode(), known.password_hash)
    assert known.newer_password_hashes == ()

    await api.post("/stations/CS-1/password")
    newest = (await station(device)).newer_password_hashes[-1]
    assert (await api.delete("/stations/CS-1/password/older")).status_code == 204
    known = await station(device)
    assert (known.password_hash, known.newer_password_hashes) == (newest, ())
    answer = await api.delete("/stations/CS-1/password/older")
    assert (answer.status_code, answer.json()["title"]) == (409, "no change of the password")


async def test_unused_passwords_can_be_taken_back(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    before = (await station(device)).password_hash
    await api.post("/stations/CS-1/password")
    await api.post("/stations/CS-1/password", json={"older_valid_s": 60})

    assert (await api.delete("/stations/CS-1/password/newer")).status_code == 204

    known = await station(device)
    assert (known.password_hash, known.newer_password_hashes) == (before, ())
    assert (await state(api)) == (0, False, None)
    assert (await api.delete("/stations/CS-1/password/newer")).status_code == 409


async def test_a_password_that_the_station_used_just_now_is_not_taken_back(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await api.post("/stations/CS-1/password")
    (new,) = (await station(device)).newer_password_hashes
    device.news.unread = lambda: device.apply(device.presence(40, credential=secrets.fingerprint(new)))

    assert (await api.delete("/stations/CS-1/password/newer")).status_code == 409

    assert (await state(api)) == (0, True, None)


async def test_older_passwords_end_when_their_time_has_come(api, device):
    for name in ("CS-1", "CS-2"):
        await api.post("/stations", json={"station_id": name})
    await api.post("/stations/CS-1/password", json={"older_valid_s": 60})
    await api.post("/stations/CS-2/password")
    assert (await state(api)) == (1, False, "2025-03-01T12:01:00Z")
    newest = (await station(device)).newer_password_hashes[-1]
    expiry = PasswordExpiry(device.database)

    device.time.pass_s(59)
    await expiry.sweep()
    assert len((await station(device)).newer_password_hashes) == 1
    device.time.pass_s(1)
    await expiry.sweep()

    known = await station(device)
    assert (known.password_hash, known.newer_password_hashes) == (newest, ())
    assert (await state(api)) == (0, False, None)
    assert len((await station(device, "CS-2")).newer_password_hashes) == 1


async def test_stations_that_have_not_used_their_new_password_are_listed(api, device):
    for name in ("CS-1", "CS-2"):
        await api.post("/stations", json={"station_id": name})
    await api.post("/stations/CS-2/password")

    assert await listed(api, password_unused=True) == ["CS-2"]
    assert await listed(api, password_unused=False) == ["CS-1"]


async def test_a_removed_station_leaves_a_tombstone_and_nothing_else(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    await device.apply(
        device.frame("BootNotification", BOOT),
        device.frame("StatusNotification", b'{"connectorId":1,"status":"Available","errorCode":"NoError"}'),
    )

    assert (await api.delete("/stations/CS-1")).status_code == 204

    assert await published(device) is None
    assert (await api.get("/stations/CS-1")).status_code == 404
    assert await device.fetch("SELECT FROM boot") == await device.fetch("SELECT FROM connector_status") == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/stations/CS-1", None),
        ("PATCH", "/stations/CS-1", {}),
        ("POST", "/stations/CS-1/password", None),
        ("DELETE", "/stations/CS-1/password/older", None),
        ("DELETE", "/stations/CS-1/password/newer", None),
        ("DELETE", "/stations/CS-1", None),
    ],
)
async def test_an_unknown_station_is_not_found(api, method, path, body):
    answer = await api.request(method, path, json=body)

    assert answer.status_code == 404
    assert "CS-1" in answer.json()["detail"]


async def test_a_station_shows_its_boot_connection_evses_and_connectors(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    reports = [
        (0, 0, "Available"),
        (1, 1, "Available"),
        (1, 2, "Occupied"),
        (2, 1, "Faulted"),
    ]
    statuses = [
        {"evseId": e, "connectorId": c, "connectorStatus": s, "timestamp": "2025-03-01T11:59:00Z"}
        for e, c, s in reports
    ]
    await device.apply(
        device.presence(40, version="2.0.1", remote_address="10.0.0.1", deviations=("forgiven",)),
        device.frame(
            "BootNotification",
            b'{"chargingStation":{"vendorName":"Acme","model":"Two"},"reason":"PowerUp"}',
            version="2.0.1",
            epoch=40,
        ),
        *(device.frame("StatusNotification", json.dumps(s).encode(), version="2.0.1") for s in statuses),
    )

    found = (await api.get("/stations/CS-1")).json()

    assert found["connection"]["connected"] is True
    assert found["connection"]["remote_address"] == "10.0.0.1"
    assert found["connection"]["deviations"] == ["forgiven"]
    assert found["connection"]["last_seen_at"] == "2025-03-01T12:00:00Z"
    assert (found["boot"]["vendor"], found["boot"]["reason"], found["boot"]["version"]) == ("Acme", "PowerUp", "2.0.1")
    assert found["status"] == "Occupied"
    assert found["reported"]["status"] == "Available"
    assert [(evse["evse_id"], evse["status"]) for evse in found["evses"]] == [(1, "Occupied"), (2, "Faulted")]
    assert [c["status"] for c in found["evses"][0]["connectors"]] == ["Available", "Occupied"]


async def test_a_station_that_never_called_has_neither_boot_nor_status(api):
    await api.post("/stations", json={"station_id": "CS-1"})

    found = (await api.get("/stations/CS-1")).json()

    assert found["connection"]["connected"] is False
    assert (found["boot"], found["status"], found["evses"]) == (None, None, [])


async def listed(api, **query):
    answer = await api.get("/stations", params=query)
    assert answer.status_code == 200, answer.text
    return [item["station_id"] for item in answer.json()["items"]]


@pytest.fixture
async def fleet(api, device):
    await api.post("/stations", json={"station_id": "A", "name": "Harbour 100%"})
    await api.post("/stations", json={"station_id": "B", "registration": "pending"})
    await api.post("/stations", json={"station_id": "C"})
    await device.apply(
        device.presence(40, station_id="A", version="1.6"),
        device.frame("BootNotification", BOOT, station_id="C"),
        device.frame(
            "StatusNotification", b'{"connectorId":2,"status":"Faulted","errorCode":"GroundFailure"}', station_id="C"
        ),
    )
    return device


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["A", "B", "C"]),
        ({"connected": True}, ["A"]),
        ({"connected": False}, ["B", "C"]),
        ({"registration": "pending"}, ["B"]),
        ({"version": "1.6"}, ["A", "C"]),
        ({"version": "2.1"}, []),
        ({"text": "hARBOUR"}, ["A"]),
        ({"text": "100%"}, ["A"]),
        ({"text": "%"}, ["A"]),
        ({"text": "sn-7"}, ["C"]),
        ({"status": "Faulted"}, ["C"]),
        ({"status": "Faulted", "connected": True}, []),
    ],
)
async def test_a_list_is_filtered(fleet, api, query, expected):
    assert await listed(api, **query) == expected


async def test_a_list_comes_in_pages_in_the_order_of_ids(fleet, api):
    first = (await api.get("/stations", params={"limit": 2})).json()
    second = (await api.get("/stations", params={"limit": 2, "cursor": first["next"]})).json()

    assert [item["station_id"] for item in first["items"]] == ["A", "B"]
    assert [item["station_id"] for item in second["items"]] == ["C"]
    assert second["next"] is None


async def test_nobody_comes_in_unregistered_by_default(api):
    assert (await api.get("/onboarding")).json()["unknown_stations"] == "refuse"


async def policy(device):
    return msgspec.json.decode(await published(device, ONBOARDING_KEY), type=OnboardingPolicy)


async def test_the_onboarding_password_is_shown_once_and_kept_until_a_new_one_is_asked_for(api, device, role_headers):
    admin = role_headers("admin")
    first = (await api.put("/onboarding", json={"unknown_stations": "pending"}, headers=admin)).json()["password"]
    again = (await api.put("/onboarding", json={"unknown_stations": "accept"}, headers=admin)).json()["password"]
    kept = await policy(device)
    renewed = await api.put("/onboarding", json={"unknown_stations": "accept", "new_password": True}, headers=admin)
    shown = (await api.get("/onboarding")).json()

    assert secrets.verify(first.encode(), kept.password_hash)
    assert (again, kept.unknown_stations) == (None, "accept")
    assert secrets.verify(renewed.json()["password"].encode(), (await policy(device)).password_hash)
    assert shown["password"] is None


async def test_a_policy_that_refuses_forgets_its_password(api, device, role_headers):
    admin = role_headers("admin")
    await api.put("/onboarding", json={"unknown_stations": "accept"}, headers=admin)
    await api.put("/onboarding", json={"unknown_stations": "refuse"}, headers=admin)

    assert (await policy(device)).password_hash == ""


@pytest.mark.parametrize(
    ("role", "call", "allowed"),
    [
        ("viewer", "GET /stations", True),
        ("viewer", "GET /onboarding", True),
        ("viewer", "POST /stations", False),
        ("viewer", "POST /stations/bulk", False),
        ("viewer", "PATCH /stations/CS-1", False),
        ("viewer", "DELETE /stations/CS-1", False),
        ("viewer", "POST /stations/CS-1/password", False),
        ("viewer", "DELETE /stations/CS-1/password/older", False),
        ("viewer", "DELETE /stations/CS-1/password/newer", False),
        ("operator", "PUT /onboarding", False),
        ("admin", "PUT /onboarding", True),
    ],
)
async def test_roles(api, role_headers, role, call, allowed):
    method, path = call.split()
    answer = await api.request(method, path, json={"unknown_stations": "accept"}, headers=role_headers(role))

    assert (answer.status_code != 403) is allowed


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("POST /stations", {"station_id": "NEW"}),
        ("POST /stations/bulk", {"stations": [{"station_id": "NEW"}]}),
        ("POST /stations/CS-1/password", None),
        ("PATCH /stations/CS-1", {"registration": "rejected"}),
        ("DELETE /stations/CS-1", None),
        ("PUT /onboarding", {"unknown_stations": "pending"}),
    ],
)
async def test_what_is_answered_stands_in_the_topic_that_edges_read(api, device, role_headers, call, body):
    await api.post("/stations", json={"station_id": "CS-1"})
    batch = ProducerBatch()
    device.sent.take = lambda records, _objection: Sending([batch] * len(records))

    asking = asyncio.create_task(api.request(*call.split(), json=body, headers=role_headers("admin")))
    await asyncio.sleep(0.3)
    assert not asking.done()

    batch.acknowledge(0, 0)
    assert (await asyncio.wait_for(asking, 180)).is_success
