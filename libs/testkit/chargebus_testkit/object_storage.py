"""S3-compatible storage in a process of its own: SeaweedFS, from its wheel."""

import contextlib
import json
import os
import secrets
import sysconfig
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import httpx
from chargebus_embedded import free_port
from chargebus_embedded.child import Child, Command, until_answering
from chargebus_objects import Objects, ObjectsAwayError, ObjectsSettings, objects_from

_PROGRAM: Final = str(Path(sysconfig.get_path("scripts")) / "weed")
_UP_WITHIN_S: Final = 120.0
_PROBE: Final = bytes(64 * 1024)


class ObjectStorage:
    """A running storage; it may be killed and started again, and has then what it had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._key, self._secret = secrets.token_hex(8), secrets.token_hex(16)
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def settings(self) -> Mapping[str, str]:
        """What a service needs to keep its objects there, as the environment spells it."""
        return {
            "OBJECTS_URL": f"s3://chargebus/kept?endpoint={self.endpoint}",
            "OBJECTS_ACCESS_KEY_ID": self._key,
            "OBJECTS_SECRET_ACCESS_KEY": self._secret,
        }

    def objects(self) -> Objects:
        """Return what it keeps, as a service sees it."""
        settings = {name.removeprefix("OBJECTS_").lower(): value for name, value in self.settings.items()}
        return objects_from(ObjectsSettings.model_validate(settings))

    async def start(self) -> None:
        """Start it and wait until it gives back what it is given.

        It is healthy a while before that: its parts find each other only then.

        Raises:
            StartError: it does not.
        """
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "s3.json"
        configuration.write_text(json.dumps(self._identities()))
        ports = {f"{part}.port": free_port() for part in ("master", "volume", "filer")}
        # By default 10,000 higher: where systems take ports for outgoing connections from.
        ports |= {f"{part}.port.grpc": free_port() for part in ("master", "volume", "filer", "s3")}
        arguments = (
            *(_PROGRAM, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}"),
            *("-s3", f"-s3.port={self._port}", f"-s3.config={configuration}"),
            *(f"-{name}={port}" for name, port in ports.items()),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # else two of them want the same ports
            # Room for all that a session's tests write: nothing is taken before it is written, or given back at once.
            *("-volume.max=100", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"),
        )
        environment = {**os.environ, "GOMAXPROCS": "2"}
        log = self._folder / "weed.log"
        self._child = Child(Command("SeaweedFS", arguments, self._folder, log, environment))
        await until_answering(self._child, self._answers, _UP_WITHIN_S)

    async def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            await self._child.kill()

    def _identities(self) -> object:
        credentials = [{"accessKey": self._key, "secretKey": self._secret}]
        return {"identities": [{"name": "chargebus", "credentials": credentials, "actions": ["Admin"]}]}

    async def _answers(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=self.endpoint, timeout=2) as client:
                if (await client.get("/healthz")).status_code != httpx.codes.OK:
                    return False
        except httpx.HTTPError:
            return False
        with contextlib.suppress(ObjectsAwayError):
            objects = self.objects()
            await objects.put("probe", _probe(), len(_PROBE))
            return b"".join([chunk async for chunk in objects.read("probe")]) == _PROBE
        return False


async def _probe() -> AsyncIterator[bytes]:
    yield _PROBE
