"""The server of a process's HTTP port, or of one more."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

IDLE_FOR_S: Final = 75
"""How long a connection is kept for its next request: longer than gateways and clients keep theirs (60 s, 5 s), so that
none sends a request on a connection that is being closed."""


class PortTakenError(OSError):
    """A port for HTTP is in use; the message says which and how to choose another."""


class HttpServer(uvicorn.Server):
    """uvicorn, without its own signal handling: the process decides when it stops. With a certificate it is HTTPS."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host,
                port,
                log_config=None,  # its own would close the log file of the process
                log_level="warning",
                access_log=False,
                lifespan="off",
                ssl_certfile=certificate,
                ssl_keyfile=key,
                timeout_keep_alive=IDLE_FOR_S,
                timeout_graceful_shutdown=5,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def request_stop(self) -> None:
        """End `serve` after the requests under way."""
        self.should_exit = True


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Return a socket that listens, for a server; port 0 is any free one.

    Raises:
        PortTakenError: the port cannot be used; `setting` is the variable that takes another.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTakenError(f"HTTP port {port} on {host} cannot be used ({error.strerror}); set {setting}") from error
    listening.listen(1024)
    listening.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    return listening
