"""What a connection needs of its WebSocket, and by which codes it is closed."""

from collections.abc import Mapping
from typing import Final, Protocol

from chargebus_edge.log.stations import Ending

# Spec: RFC 6455 7.4, and the registry of WebSocket close codes for 1012 and 1013
CODES: Final[Mapping[Ending, int]] = {
    Ending.REPLACED: 1000,
    Ending.TERMS: 1008,
    Ending.EDGE_STOPS: 1012,
    Ending.TAKEN_OVER: 1012,
    Ending.NOT_ANNOUNCED: 1013,
    Ending.KAFKA_AWAY: 1013,
}


class Socket(Protocol):
    """A WebSocket as its connection uses it."""

    @property
    def congested(self) -> bool:
        """Whether the station does not read what was written."""
        ...

    def write(self, text: str) -> bool:
        """Send a text message; return whether the socket was open for it."""
        ...

    def poke(self) -> None:
        """Send a ping."""

    def shut(self, code: int, reason: str) -> None:
        """Close with a word."""

    def cut(self) -> None:
        """Close without one."""

    def hold(self) -> None:
        """Stop reading."""

    def release(self) -> None:
        """Read again."""
