"""What administrators see, against a real database."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from chargebus_access.operations import AdminFile
from chargebus_access.store import keys

WAITING_FOR_A_LOCK = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def admin(access, api, tmp_path):
    """Return the client with the admin key of the file."""
    path = tmp_path / "admin.key"
    await AdminFile(path, access.database).install()
    await access.settled()
    api.headers["X-API-Key"] = path.read_text().strip()
    return api


async def create(client, **wanted):
    answer = await client.post("/api-keys", json={"name": "someone", "role": "viewer", **wanted})
    assert answer.status_code == 201
    return answer.json()


async def test_a_new_key_is_shown_once_and_opens(admin, access):
    made = await create(admin, role="operator")
    await access.settled()
    listed = (await admin.get("/api-keys")).json()["items"]

    assert access.ring.caller(made["key"]).name == "someone"
    assert made["key_id"] in {item["key_id"] for item in listed}
    assert all("key" not in item and "secret_hash" not in item for item in listed)
    assert made["created_by"] in {item["key_id"] for item in listed}


async def test_the_database_keeps_no_secret(admin, access):
    made = await create(admin)
    secret = made["key"].split("_")[2]
    rows = await access.database.pool.fetch("SELECT k::text FROM api_key AS k")

    assert not any(secret in row["k"] for row in rows)


async def test_a_revoked_key_opens_no_more(admin, access):
    made = await create(admin, role="admin")
    assert (await admin.delete(f"/api-keys/{made['key_id']}")).status_code == 204
    await access.settled()

    assert (await admin.get("/api-keys", headers={"X-API-Key": made["key"]})).status_code == 401
    assert (await admin.delete(f"/api-keys/{made['key_id']}")).status_code == 204


async def test_a_key_ends_when_it_expires(admin, access):
    made = await create(admin, role="admin", expires_at=(access.time() + timedelta(hours=1)).isoformat())
    await access.settled()
    headers = {"X-API-Key": made["key"]}
    before = (await admin.get("/api-keys", headers=headers)).status_code
    access.time.pass_s(3600)

    assert (before, (await admin.get("/api-keys", headers=headers)).status_code) == (200, 401)


async def test_the_last_admin_key_cannot_be_revoked(admin, access):
    own = (await admin.get("/api-keys")).json()["items"][0]["key_id"]
    await create(admin, role="operator")
    await create(admin, role="admin", expires_at=(access.time() + timedelta(seconds=1)).isoformat())
    access.time.pass_s(1)
    answer = await admin.delete(f"/api-keys/{own}")

    assert (answer.status_code, answer.json()["title"]) == (409, "the last admin key")


async def test_two_admins_that_revoke_each_other_at_once_leave_one(admin, access):
    own = (await admin.get("/api-keys")).json()["items"][0]["key_id"]
    other = await create(admin, role="admin")
    async with access.database.transaction() as tx:
        known = await keys.lock(tx.connection)
        await keys.revoke(tx.connection, replace(known[other["key_id"]], revoked_at=tx.now))
        calling = asyncio.create_task(admin.delete(f"/api-keys/{own}"))
        while not calling.done() and not await access.database.pool.fetch(WAITING_FOR_A_LOCK):
            await asyncio.sleep(0.01)

    assert (await calling).status_code == 409


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_admins_manage_keys(admin, access, role):
    headers = {"X-API-Key": (await create(admin, role=role))["key"]}
    await access.settled()

    assert (await admin.get("/api-keys", headers=headers)).status_code == 403
    assert (await admin.post("/api-keys", json={"name": "x", "role": "viewer"}, headers=headers)).status_code == 403
    assert (await admin.delete("/api-keys/x", headers=headers)).status_code == 403


async def test_keys_are_listed_in_pages_and_by_state(admin):
    made = [await create(admin, name=f"key {n}") for n in range(4)]
    await admin.delete(f"/api-keys/{made[0]['key_id']}")

    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        found = (await admin.get("/api-keys", params=query)).json()
        seen += [item["key_id"] for item in found["items"]]
        cursor = found["next"]
        if cursor is None:
            break
    revoked = (await admin.get("/api-keys?state=revoked")).json()["items"]

    assert len(seen) == len(set(seen)) == 4
    assert [item["key_id"] for item in revoked] == [made[0]["key_id"]]


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": ""},
        {"role": "king"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"secret": "mine"},
    ],
)
async def test_what_makes_no_key_is_refused(admin, wanted):
    answer = await admin.post("/api-keys", json={"name": "someone", "role": "viewer", **wanted})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_key_is_not_found(admin):
    assert (await admin.delete("/api-keys/nobody")).status_code == 404
    assert (await admin.get("/api-keys?cursor=%00")).status_code == 422
