"""The connections of an edge: which one speaks for a station, and how it is announced, fenced and ended in the log."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from chargebus_events.frames import RpcError
from chargebus_events.presence import Presence
from chargebus_events.record import Record
from chargebus_runtime.clock import Clock
from chargebus_runtime.producer import Sent

from chargebus_edge.counts import Counts
from chargebus_edge.log.commands import Report, StationCommand, delivery
from chargebus_edge.log.presence import Consequence, Remnants, consequence
from chargebus_edge.log.stations import Ending, HeldConnection
from chargebus_edge.log.uplink import Uplink

log = logging.getLogger(__name__)

MAX_EARLY_COMMANDS: Final = 16

C = TypeVar("C", bound=HeldConnection)
HoldReason = Literal["kafka", "memory"]


@dataclass(frozen=True)
class TableParts:
    """What the table of connections needs."""

    slot: int
    uplink: Uplink
    counts: Counts
    clock: Clock
    monotonic: Callable[[], float]
    remnants: Remnants


class _Seen(NamedTuple):
    """The newest of what the log showed of a station while a connection's epoch was not known."""

    epoch: int
    offset: int


class _Early(NamedTuple):
    epoch: int
    command: StationCommand


class Connections(Generic[C]):
    """One connection a station; others may be announcing themselves, and the newest of them wins.

    A connection's epoch is the offset of the record that announced it, so it is known only once Kafka has that.
    """

    def __init__(self, parts: TableParts) -> None:
        self._parts = parts
        self._current: dict[str, C] = {}
        self._announcing: dict[str, list[C]] = {}
        self._seen: dict[str, _Seen] = {}
        self._early: dict[str, list[_Early]] = {}
        self._holds: set[HoldReason] = set()
        self.edge_epoch = -1
        self.quiet = False  # whether ends are left for later, or for somebody else

    def __len__(self) -> int:
        return len(self._current) + sum(len(connections) for connections in self._announcing.values())

    def __iter__(self) -> Iterator[C]:
        """Iterate over a snapshot of all connections."""
        announcing = (connection for connections in self._announcing.values() for connection in connections)
        return iter([*self._current.values(), *announcing])

    def of(self, station_id: str) -> list[C]:
        """Return the connections of one station, announced or not."""
        current = self._current.get(station_id)
        return [*([] if current is None else [current]), *self._announcing.get(station_id, ())]

    def find(self, station_id: str, epoch: int) -> C | None:
        """Return the connection with that epoch if it is held here."""
        current = self._current.get(station_id)
        return current if current is not None and current.epoch == epoch else None

    # A connection's life

    def open(self, connection: C) -> None:
        """Announce a connection; it begins when Kafka has the announcement."""
        if self._holds:
            connection.hold()
        self._announcing.setdefault(connection.station.station_id, []).append(connection)
        self._parts.uplink.publish(self._presence(connection), partial(self._announced, connection))

    def gone(self, connection: C) -> None:
        """Learn that a connection ended; one that was the station's is ended in the log."""
        station_id = connection.station.station_id
        if self._current.get(station_id) is connection and connection.epoch is not None:
            del self._current[station_id]
            self._end_in_log(station_id, connection.epoch)

    def assert_again(self, connection: C, silence_s: float = 0.0) -> None:
        """Let the log say again that a connection is there, and that it was heard `silence_s` ago."""
        self._parts.uplink.post(self._presence(connection, silence_s))

    def close_all(self, ending: Ending) -> None:
        """Close every connection at once."""
        for connection in self:
            connection.close(ending)

    # Reading

    def hold(self, reason: HoldReason) -> None:
        """Read from no station, however much one may send: for as long as there is a reason."""
        if not self._holds:
            for connection in self:
                connection.hold()
        self._holds.add(reason)

    def release(self, reason: HoldReason) -> None:
        """Take a reason away; without any, stations are read again."""
        if reason not in self._holds:
            return
        self._holds.discard(reason)
        if not self._holds:
            for connection in self:
                connection.release()

    # What the log says

    def observe(self, station_id: str, *, offset: int, epoch: int, connected: bool) -> int | None:
        """Take a presence record of any edge; return the epoch held here, if any."""
        if station_id in self._announcing:
            seen = self._seen.get(station_id, _Seen(-1, -1))
            self._seen[station_id] = _Seen(max(seen.epoch, epoch), max(seen.offset, offset))
        current = self._current.get(station_id)
        if current is None or current.epoch is None:
            return None
        then = consequence(offset=offset, epoch=epoch, connected=connected, held=current.epoch)
        if then is Consequence.FENCE:
            self._fence(current)
        elif then is Consequence.REASSERT:
            self.assert_again(current)
        return current.epoch

    def end_remnants(self, now: float) -> int:
        """Publish the end of connections that the log has open and nobody holds; return how many."""
        due = self._parts.remnants.take_due(now)
        for station_id, epoch in due:
            self.end_in_log(station_id, epoch)
        return len(due)

    def end_in_log(self, station_id: str, epoch: int) -> None:
        """Publish the end of a connection that nobody holds."""
        self._parts.uplink.post(
            Presence(
                station_id=station_id,
                connected=False,
                slot=self._parts.slot,
                edge_epoch=self.edge_epoch,
                at=self._parts.clock(),
                epoch=epoch,
            ).record()
        )

    # Commands

    def command(self, station_id: str, epoch: int, command: StationCommand) -> None:
        """Give a command to its connection; one whose epoch may be about to become known waits for that."""
        current = self._current.get(station_id)
        early = self._early.get(station_id, ())
        if current is not None and current.epoch == epoch:
            current.command(command)
        elif station_id in self._announcing and self._may_become(station_id, epoch) and len(early) < MAX_EARLY_COMMANDS:
            self._early.setdefault(station_id, []).append(_Early(epoch, command))
        else:
            self.undeliverable(station_id, epoch, command)

    def undeliverable(self, station_id: str, epoch: int, command: StationCommand) -> None:
        """Report a command for a connection that is not held here."""
        self._parts.counts.commands["undeliverable"] += 1
        report = Report(command, "undeliverable", None, RpcError("", "the connection is not here"))
        self._parts.uplink.post(delivery(report, station_id, epoch, self._parts.clock()).record(self._parts.slot))

    def _may_become(self, station_id: str, epoch: int) -> bool:
        current = self._current.get(station_id)
        return current is None or current.epoch is None or epoch > current.epoch

    def _announced(self, connection: C, sent: Sent | None) -> None:
        station_id = connection.station.station_id
        self._announcing[station_id].remove(connection)
        if sent is None or sent.offset < 0:  # a broker may know no more than that it has the record
            connection.close(Ending.NOT_ANNOUNCED)
        elif self._newest(station_id) > sent.offset:
            connection.close(Ending.REPLACED)
        elif connection.ended:
            self._end_in_log(station_id, sent.offset)
        else:
            self._install(connection, sent.offset)
        if not self._announcing[station_id]:
            del self._announcing[station_id]
            self._seen.pop(station_id, None)
        self._deliver_early(station_id)

    def _newest(self, station_id: str) -> int:
        current, seen = self._current.get(station_id), self._seen.get(station_id)
        held = -1 if current is None or current.epoch is None else current.epoch
        return held if seen is None else max(held, seen.epoch)

    def _install(self, connection: C, epoch: int) -> None:
        station_id = connection.station.station_id
        current, seen = self._current.get(station_id), self._seen.get(station_id)
        if current is not None:
            self._fence(current)
        self._current[station_id] = connection
        self._parts.remnants.settle(station_id, epoch)
        connection.announced(epoch)
        if seen is not None and seen.offset > epoch:
            self.assert_again(connection)

    def _deliver_early(self, station_id: str) -> None:
        for early in self._early.pop(station_id, ()):
            self.command(station_id, early.epoch, early.command)

    def _fence(self, connection: C) -> None:
        # The log has a newer connection already: an end of this one would only hide that.
        del self._current[connection.station.station_id]
        connection.close(Ending.REPLACED)

    def _presence(self, connection: C, silence_s: float = 0.0) -> Record:
        station = connection.station
        return Presence(
            station_id=station.station_id,
            connected=True,
            slot=self._parts.slot,
            edge_epoch=self.edge_epoch,
            at=self._parts.clock() - timedelta(seconds=silence_s),
            epoch=connection.epoch,  # None in the first, whose offset becomes the epoch
            version=station.version,
            security_profile=station.security_profile,
            remote_address=station.remote_address,
            credential=station.credential,
            deviations=station.deviations,
        ).record()

    def _end_in_log(self, station_id: str, epoch: int) -> None:
        self._parts.remnants.add(station_id, epoch, self._parts.monotonic())
        if not self.quiet:
            self.end_in_log(station_id, epoch)


AnyConnections = Connections[Any]
"""The connections of an edge for whom it does not matter what stations speak."""
