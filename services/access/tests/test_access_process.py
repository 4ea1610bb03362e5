"""The service in its process: the key of the file opens the API, new keys do a moment later, over a real Kafka."""

import httpx
import pytest
from chargebus_access.main import build
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.real_broker


async def until_answered(client, status):
    return await eventually(
        lambda: client.get("/api-keys"), lambda answer: answer.status_code == status, what=f"answered with {status}"
    )


@pytest.mark.road
async def test_keys_work_from_creation_to_revocation(make_bed, tmp_path, monkeypatch):
    path = tmp_path / "admin.key"
    monkeypatch.setenv("ACCESS_ADMIN_KEY_FILE", str(path))
    bed = make_bed(build)
    async with bed.running():
        headers = {"X-API-Key": path.read_text().strip()}
        async with httpx.AsyncClient(base_url=bed.url, headers=headers) as admin:
            await until_answered(admin, 200)
            made = (await admin.post("/api-keys", json={"name": "second", "role": "admin"})).json()
            async with httpx.AsyncClient(base_url=bed.url, headers={"X-API-Key": made["key"]}) as second:
                await until_answered(second, 200)
                assert (await admin.delete(f"/api-keys/{made['key_id']}")).status_code == 204
                await until_answered(second, 401)
