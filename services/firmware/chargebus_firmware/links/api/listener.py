"""The listener of links: a port of its own, so that stations need not reach the API."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from chargebus_runtime.http import HttpServer, listen
from starlette.types import ASGIApp

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Where to listen, and what stations are told; with certificate and key it is HTTPS."""

    host: str
    port: int
    public_url: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    setting: str = "FIRMWARE_FILES_PORT"


class Listener:
    """Serves links from `start` to `stop`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._port = address.port
        self._serving: tuple[HttpServer, asyncio.Task[None]] | None = None

    @property
    def url(self) -> str:
        """What links begin with."""
        scheme = "http" if self._address.tls_certificate is None else "https"
        return self._address.public_url or f"{scheme}://{self._address.host}:{self._port}"

    async def start(self, app: ASGIApp) -> None:
        """Listen.

        Raises:
            PortTakenError: the port is in use.
            OSError: the certificate or its key cannot be read.
        """
        address = self._address
        server = HttpServer(app, address.host, address.port, address.tls_certificate, address.tls_key)
        server.config.load()  # says here, and not in a task, what is wrong with a certificate
        listening = listen(address.host, address.port, address.setting)
        self._port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="links over HTTP")
        self._serving = server, serving

    async def stop(self) -> None:
        """End: transfers under way have a moment, and go on elsewhere by their ranges."""
        if self._serving is not None:
            server, serving = self._serving
            server.request_stop()
            await asyncio.gather(serving, return_exceptions=True)

    def check(self) -> str | None:
        """Return why links cannot be used, if they cannot."""
        if self._serving is not None and self._serving[1].done():
            return "the listener for links has ended"
        return None
