"""TCP ports of the loopback interface: finding a free one, and saying plainly that one is taken."""

import secrets
import socket
import sys
from contextlib import closing

from chargebus_embedded.errors import EmbeddedError, PortTakenError

LOOPBACK = "127.0.0.1"

# Below the range from which systems take ports for outgoing connections: a client that keeps calling a dead server on a
# port of that range can be given the very same port as its own end, and then talks to itself and holds the port.
_LOWEST, _HIGHEST = 20000, 32000
_ATTEMPTS = 200


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that nobody else is given while this process lives."""
    for _ in range(_ATTEMPTS):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if _reserved(port):
            return port
    message = f"no free port between {_LOWEST} and {_HIGHEST} on {LOOPBACK}"
    raise EmbeddedError(message)


def _reserved(port: int) -> bool:
    """Keep a port that is free until this process ends: else another one might be given it before a server listens.

    Linux lets a server with SO_REUSEADDR listen where a socket with it is bound and does not listen. Others do not:
    there the port is only looked at.
    """
    if sys.platform != "linux":
        return is_free(port)
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.bind((LOOPBACK, port))  # without SO_REUSEADDR: one that is kept elsewhere is not taken
    except OSError:
        held.close()
        return False
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.detach()  # it stays open
    return True


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on the port now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, what: str, host: str = LOOPBACK) -> None:
    """Raise where the port is taken.

    Args:
        port: the port to listen on.
        what: who wants it, for the message ("the HTTP API").
        host: the address to listen on.

    Raises:
        PortTakenError: another program listens there.
    """
    if not is_free(port, host):
        message = f"port {port} on {host}, wanted for {what}, is taken by another program"
        raise PortTakenError(message)
