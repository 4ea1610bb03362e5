"""Where a station is: the compacted records by which edges, slots and connections are known.

An epoch is the offset, in its compacted topic, of the record that announced the connection (or the edge): the log
itself orders connections, no clock does. The announcing record cannot know its own offset and carries no epoch.
"""

from datetime import datetime

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import EDGES, PRESENCE

PRESENCE_TYPE = "chargebus.station.presence.v1"
EDGE_TYPE = "chargebus.edge.heartbeat.v1"


class Presence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station's newest connection, or its end.

    `epoch` is None in the record that announces a connection: its offset is the epoch. A connection's end, and a
    connection that asserts itself again, carry it. `at` is when it began, was last heard, or ended. `credential` is the
    fingerprint of the stored form that the station's password matched; `deviations` say in which way its opening
    request was not as the specification has it.
    """

    station_id: str
    connected: bool
    slot: int
    edge_epoch: int
    at: datetime
    epoch: int | None = None
    version: str = ""
    security_profile: int = 1
    remote_address: str = ""
    credential: str = ""
    deviations: tuple[str, ...] = ()

    def record(self) -> Record:
        """Return the presence as a record for `ocpp.presence`."""
        envelope = Envelope(
            f"{self.station_id}/{self.slot}/{self.edge_epoch}/{self.at.timestamp()}",
            PRESENCE_TYPE,
            f"/edge/{self.slot}",
            self.station_id,
            self.at,
        )
        return Record(PRESENCE, self.station_id, msgspec.json.encode(self), envelope.headers())

    def epoch_at(self, offset: int) -> int:
        """Return the connection's epoch, for a record that was read at `offset`."""
        return offset if self.epoch is None else self.epoch


class EdgeHeartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """An edge process holds a slot; `epoch` is None in its first record, whose offset is the epoch.

    `issuers` are those under whom its own certificates stand, as `chargebus_certificates.anchors` tells them.
    """

    slot: int
    instance: str
    at: datetime
    epoch: int | None = None
    connections: int = 0
    draining: bool = False
    stopped: bool = False
    issuers: tuple[str, ...] = ()

    def record(self) -> Record:
        """Return the heartbeat as a record for `ocpp.edges`, keyed by slot."""
        envelope = Envelope(
            f"{self.instance}/{self.at.timestamp()}", EDGE_TYPE, f"/edge/{self.slot}", str(self.slot), self.at
        )
        return Record(EDGES, str(self.slot), msgspec.json.encode(self), envelope.headers())

    def epoch_at(self, offset: int) -> int:
        """Return the edge's epoch, for a record that was read at `offset`."""
        return offset if self.epoch is None else self.epoch
