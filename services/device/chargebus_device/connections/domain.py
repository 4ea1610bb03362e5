"""Owns who is connected: presence records ordered by connection epoch, valid only while their edge lives."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from chargebus_events.presence import Presence
from chargebus_events.public import StationConnection

NEVER = -1


class Connection(msgspec.Struct, frozen=True):
    """A station's newest connection.

    `present` is what presence says last, `connected` what follows from it and from the life of edge `edge_epoch`
    on `slot`; `deviations` tell in which way its opening request was not as the specification has it.
    """

    station_id: str
    epoch: int = NEVER
    present: bool = False
    connected: bool = False
    slot: int = NEVER
    edge_epoch: int = NEVER
    version: str = ""
    security_profile: int = 1
    remote_address: str = ""
    deviations: tuple[str, ...] = ()
    changed_at: datetime | None = None


class Edge(msgspec.Struct, frozen=True):
    """The newest edge process known on a slot."""

    epoch: int
    alive: bool

    @property
    def void_up_to(self) -> int:
        """The newest edge epoch on this slot whose presence is void: its own if it died, else its predecessor's."""
        return self.epoch if not self.alive else self.epoch - 1


def lives(edges: Mapping[int, Edge], slot: int, edge_epoch: int) -> bool:
    """Tell whether the edge that made a presence may still hold its sockets; one not heard of yet may."""
    edge = edges.get(slot)
    return edge is None or edge_epoch > edge.void_up_to


def follow(
    current: Connection, presence: Presence, epoch: int, edges: Mapping[int, Edge]
) -> tuple[Connection, list[StationConnection]]:
    """Apply the next presence record in log order.

    Args:
        current: the station's newest connection, `Connection(station_id)` if it never had one.
        presence: the record's content.
        epoch: the epoch of its connection, see `Presence.epoch_at`.
        edges: the edges known, by slot.

    Returns:
        The new state and the public events. A record of an older connection changes nothing; a newer connection
        ends an older one that never reported its own end.
    """
    if presence.connected:
        return _opened(current, presence, epoch, edges)
    if epoch != current.epoch or not current.present:
        return current, []
    ended = msgspec.structs.replace(current, present=False, connected=False, changed_at=presence.at)
    return ended, [connection_event(current, presence.at, connected=False)] if current.connected else []


def _opened(
    current: Connection, presence: Presence, epoch: int, edges: Mapping[int, Edge]
) -> tuple[Connection, list[StationConnection]]:
    if epoch < current.epoch:
        return current, []
    opened = Connection(
        station_id=presence.station_id,
        epoch=epoch,
        present=True,
        connected=lives(edges, presence.slot, presence.edge_epoch),
        slot=presence.slot,
        edge_epoch=presence.edge_epoch,
        version=presence.version,
        security_profile=presence.security_profile,
        remote_address=presence.remote_address,
        deviations=presence.deviations,
        changed_at=presence.at,
    )
    was, now = (current.connected, current.epoch), (opened.connected, opened.epoch)
    if was == now:
        return msgspec.structs.replace(opened, changed_at=current.changed_at), []
    events = [connection_event(current, presence.at, connected=False)] if current.connected else []
    return opened, [*events, connection_event(opened, presence.at, connected=True)] if opened.connected else events


def connection_event(connection: Connection, at: datetime, *, connected: bool) -> StationConnection:
    """Return the public event of a connection that opened or ended."""
    return StationConnection(
        station_id=connection.station_id,
        at=at,
        connected=connected,
        epoch=connection.epoch,
        version=connection.version,
        security_profile=connection.security_profile,
    )
