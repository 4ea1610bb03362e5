"""A decision about a station's queue, and what it is made with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chargebus_command.domain.state import Command, Connection, Edge, Ended, Form, Rules, Station

CONNECTION_LOST = "connection lost before the answer"
NOT_WRITTEN = "its edge could not write to the station"
REFUSED = "the command service could not handle it"

Misfit = Callable[[Form, str], str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision needs beside the station: the edges by slot, the rules, the check of a payload, and the time.

    `misfit` says why a form cannot be sent in an OCPP version, or returns an empty string.
    """

    edges: Mapping[int, Edge]
    rules: Rules
    misfit: Misfit
    now: datetime


@dataclass(frozen=True, slots=True)
class Decision:
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
    if station.void is not None and station.void.epoch == connection.epoch and around.now < station.void.until:
        return NOT_WRITTEN
    if edge_ended(connection, around.edges):
        return "the edge that held the connection is gone"
    if around.now - around.edges[connection.slot].seen_at > timedelta(seconds=around.rules.edge_silence_s):
        return "the edge that holds the connection is silent"
    return ""


def edge_ended(connection: Connection, edges: Mapping[int, Edge]) -> bool:
    """Tell whether the life of the edge that announced the connection is over, or not yet known."""
    edge = edges.get(connection.slot)
    return edge is None or edge.stopped or edge.epoch != connection.edge_epoch


def no_answer(command: Command) -> str:
    """Say that the station was silent."""
    return f"no answer within {command.timeout_s:g} s"
