"""A process that is killed in the middle of an upload: what it has told of is kept, and the next one goes on."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from chargebus_embedded import free_port
from chargebus_testkit.waiting import eventually

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}

# The routes of the service on a real server, without Kafka.
SERVER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from chargebus_firmware.images.api import images as images_api, uploads as uploads_api
from chargebus_firmware.images.operations.contents import Contents
from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.images.operations.uploads import Uploads
from chargebus_firmware.images.tasks import tasks
from chargebus_firmware.metrics import Metrics
from chargebus_objects import ObjectsSettings, objects_from
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.http import HttpParts, HttpServer, build_app
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.http import Anyone
from chargebus_testkit.producer import KeepingProducer

server_url, name, migrations, port = sys.argv[1:]

def clock():
    return datetime.now(UTC)

async def fine():
    return {}

async def main():
    options = DatabaseOptions(name, server_url, Path(migrations), pool_size=4)
    database = Database(options, KeepingProducer(), clock, Tracing(enabled=False))
    await database.start()
    objects = objects_from(ObjectsSettings())
    contents = Contents(database, objects, Metrics(), clock, 1 << 30)
    uploads = Uploads(database, objects, contents, timedelta(hours=1))
    routers = {"/v1": images_api.router(Images(database), contents)}
    routers = [routers, {"/v1": uploads_api.router(uploads)}]
    app = build_app(HttpParts("test", routers, [Anyone()], Tracing(enabled=False), fine, fine))
    running = [asyncio.create_task(task()) for task in tasks(contents, uploads, 0.2)]
    await HttpServer(app, "127.0.0.1", int(port)).serve()

asyncio.run(main())
"""


class Server:
    """The process, which may be killed and started again."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{arguments[-1]}"

    async def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, *self._arguments], env=self._environment)  # noqa: ASYNC220 - it does not wait

        async def ready() -> bool:
            async with httpx.AsyncClient(base_url=self.url) as client:
                try:
                    return (await client.get("/health/live")).status_code == 200
                except httpx.HTTPError:
                    return False

        await eventually(ready, what="the server answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
async def server(make_migrated, postgres, tmp_path) -> AsyncIterator[Server]:
    name = await make_migrated("killed", MIGRATIONS)
    arguments = [postgres.url, name, str(MIGRATIONS), str(free_port())]
    server = Server(arguments, {**os.environ, "OBJECTS_URL": str(tmp_path / "objects")})
    await server.start()
    yield server
    server.kill()


@asynccontextmanager
async def calling(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, headers=TUS) as client:
        yield client


async def test_after_kill_9_in_mid_upload_it_goes_on_at_the_offset_that_head_tells(server, tmp_path):
    content = os.urandom(22 * MIB)
    described = {"name": "x", "version": "1", "vendor": "Acme", "sha256": hashlib.sha256(content).hexdigest()}
    never = asyncio.Event()

    async def first_half() -> AsyncIterator[bytes]:
        for start in range(0, 14 * MIB, MIB):
            yield content[start : start + MIB]
        await never.wait()

    async with calling(server) as client:
        image_id = (await client.post("/v1/firmware/images", json=described)).json()["image_id"]
        begun = await client.post(
            f"/v1/firmware/images/{image_id}/uploads", headers={"Upload-Length": str(len(content))}
        )
        upload = begun.headers["Location"]
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sending = asyncio.create_task(client.patch(upload, content=first_half(), headers=headers))
        await eventually(
            lambda: client.head(upload),
            lambda told: int(told.headers["Upload-Offset"]) >= 12 * MIB,
            what="three pieces are kept",
        )
        server.kill()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    await server.start()
    async with calling(server) as client:
        offset = int((await client.head(upload)).headers["Upload-Offset"])
        headers = {**headers, "Upload-Offset": str(offset)}
        finished = await eventually(
            lambda: client.patch(upload, content=content[offset:], headers=headers),
            lambda answer: answer.status_code != 409,  # the killed call holds the upload for a moment
            what="the upload goes on",
        )
        image = (await client.get(f"/v1/firmware/images/{image_id}")).json()
        await eventually(
            lambda: asyncio.to_thread(lambda: [path for path in tmp_path.rglob("*") if path.is_file()]),
            lambda files: len(files) == 1,
            what="only the image is left",
        )

    assert 12 * MIB <= offset <= 14 * MIB
    assert finished.status_code == 204
    assert (image["state"], image["size"]) == ("ready", len(content))
