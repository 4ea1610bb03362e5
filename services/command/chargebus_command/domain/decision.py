"""A decision about a station's queue, and what it is made with."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec
from chargebus_events.commands import CommandForm
from msgspec.structs import replace

from chargebus_command.domain.state import Command, Ended, Reply, Rules, Station, StationConnection

CONNECTION_LOST = "connection lost before the answer"
NOT_WRITTEN = "its edge could not write to the station"
PENDING = "the station is pending: it must not be asked to start or stop before it is accepted"
REFUSED = "the command service could not handle it"

Misfit = Callable[[CommandForm, str], str]
Life = Literal["alive", "silent", "over"]

_OFFLINE: dict[Life, str] = {
    "alive": "",
    "silent": "the edge that holds the connection is silent",
    "over": "the edge that held the connection is gone",
}


class Surroundings(msgspec.Struct, frozen=True):
    """What a decision needs beside the station: the edges, the rules, the check of a payload, and the time.

    `life` tells of the edge that held a slot with an epoch whether it lives, is silent, or is no more. `misfit` says
    why a form cannot be sent in an OCPP version, or returns an empty string. `now` is by our clock, `kafka_now` by
    Kafka's: by that the edge judges whether what it gets is fresh.
    """

    life: Callable[[int, int], Life]
    rules: Rules
    misfit: Misfit
    now: datetime
    kafka_now: datetime


class Decision(msgspec.Struct, frozen=True):
    """The station as it is now, the commands that ended, the one to send, and the reports that concerned nothing."""

    station: Station
    ended: tuple[Ended, ...] = ()
    sent: Command | None = None
    ignored: int = 0

    def ending(self, ended: Ended) -> "Decision":
        """Return the decision with one more command ended."""
        return replace(self, ended=(*self.ended, ended))

    def landed(self) -> "Decision":
        """Return the decision with nothing in flight."""
        return replace(self, station=replace(self.station, in_flight=None))

    def queueing(self, waiting: tuple[Command, ...]) -> "Decision":
        """Return the decision with `waiting` as the queue."""
        return replace(self, station=replace(self.station, waiting=waiting))


def offline_reason(station: Station, around: Surroundings) -> str:
    """Say why nothing can be sent to the station; an empty string: it is online."""
    connection = station.connection
    if connection is None or not connection.connected:
        return "the station is not connected"
    avoided = station.avoided
    if avoided is not None and avoided.epoch == connection.epoch and around.now < avoided.until:
        return NOT_WRITTEN
    return _OFFLINE[around.life(connection.slot, connection.edge_epoch)]


def connection_lost(connection: StationConnection | None, epoch: int, around: Surroundings) -> bool:
    """Tell whether the connection `epoch` is over, the newest of its station being `connection`."""
    if connection is None or not connection.connected or connection.epoch != epoch:
        return True
    return around.life(connection.slot, connection.edge_epoch) == "over"


def fault_of(reply: Reply) -> str:
    """Say what is wrong with a station's answer; an empty string: nothing."""
    if not reply.error_code:
        return ""
    what = "cannot be read" if reply.payload is None else "breaks its schema"
    return f"the station's answer {what}: {reply.error_code}: {reply.error_description}"


def no_answer(command: Command) -> str:
    """Say that the station was silent."""
    return f"no answer within {command.timeout_s:g} s"
