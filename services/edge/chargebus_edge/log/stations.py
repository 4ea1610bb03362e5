"""What the log part needs to know of a station that is connected, in whatever way it speaks."""

from enum import Enum
from typing import Protocol

import msgspec
from chargebus_events.registry import Registration
from chargebus_ocppj.versions import Version

from chargebus_edge.log.commands import StationCommand
from chargebus_edge.log.frames import Answer


class Station(msgspec.Struct, frozen=True):
    """Who connected, and how: see `Presence`, which tells it to others."""

    station_id: str
    version: Version
    security_profile: int = 1
    remote_address: str = ""
    credential: str = ""
    deviations: tuple[str, ...] = ()


class Ending(Enum):
    """Why a connection is ended from this side; the value is what the station is told."""

    REPLACED = "replaced by a newer connection"
    NOT_ANNOUNCED = "the connection could not be announced"
    TERMS = "the station is not registered"
    KAFKA_AWAY = "Kafka is away"
    EDGE_STOPS = "the edge stops"
    TAKEN_OVER = "another edge takes over"


class HeldConnection(Protocol):
    """A connection of a station that this edge holds; it begins when it is announced."""

    station: Station
    epoch: int | None
    ended: bool

    @property
    def busy(self) -> bool:
        """Whether a call is open in either direction, or waits."""
        ...

    def announced(self, epoch: int) -> None:
        """Begin: the log has this connection as the newest of its station."""

    def answer(self, number: int, answer: Answer, registration: Registration | None) -> None:
        """Take a service's answer to a call."""

    def command(self, command: StationCommand) -> None:
        """Take a command for the station."""

    def hold(self) -> None:
        """Stop reading: Kafka does not take what is read."""

    def release(self) -> None:
        """Read again."""

    def close(self, ending: Ending) -> None:
        """End the connection from this side."""
