"""The service in its process: the key of the file opens the API, new keys do a moment later, over a real Kafka."""

import asyncio
import dataclasses
import uuid

import httpx
import pytest
from chargebus_access.main import build
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings

pytestmark = pytest.mark.real_broker


class Alone(Process):
    """A process whose database is this test's alone."""

    def __init__(self, settings, name):
        super().__init__(settings, name)
        self.alone = name

    def database(self, service, package):
        database = super().database(service, package)
        database._options = dataclasses.replace(database._options, name=self.alone)
        return database


async def until(client, status):
    async with asyncio.timeout(20):
        while (answer := await client.get("/api-keys")).status_code != status:
            await asyncio.sleep(0.05)
    return answer


@pytest.fixture
def settings(kafka, topics, postgres, unused_tcp_port):
    return RuntimeSettings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url, http_port=unused_tcp_port
    )


async def test_keys_work_from_creation_to_revocation(settings, tmp_path, monkeypatch):
    path = tmp_path / "admin.key"
    monkeypatch.setenv("ACCESS_ADMIN_KEY_FILE", str(path))
    process = Alone(settings, f"access_{uuid.uuid4().hex[:8]}")
    await build(process).database.migrate()
    await process.start([build])
    url = f"http://127.0.0.1:{settings.http_port}/v1"
    try:
        headers = {"X-API-Key": path.read_text().strip()}
        async with httpx.AsyncClient(base_url=url, headers=headers) as admin:
            await until(admin, 200)
            made = (await admin.post("/api-keys", json={"name": "second", "role": "admin"})).json()
            async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": made["key"]}) as second:
                await until(second, 200)
                assert (await admin.delete(f"/api-keys/{made['key_id']}")).status_code == 204
                await until(second, 401)
    finally:
        await process.stop()
