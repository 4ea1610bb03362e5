"""In what ways the frames of a connection break their schemas: what an edge tells `device` now and then."""

from datetime import datetime

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import DEVIATIONS

DEVIATIONS_TYPE = "chargebus.ocpp.deviations.v1"


class DeviationCount(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way in which frames of an action break their schema.

    `kind` is one of libs/ocppj's; of a frame that was `refused` it may be the code of its CALLERROR. `action` is empty
    where it is not known. `path` names the member, with `*` for any place in a list. `count` is how many frames of the
    connection had it up to now, `first_at` and `last_at` when; `detail` is what was said of the first.
    """

    action: str
    kind: str
    path: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str = ""
    refused: bool = False


class DeviationReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """The deviations of connection `epoch` that are new, or were counted on, since the report before.

    Counts are those of the whole connection, so a report that comes twice adds nothing.
    """

    station_id: str
    version: str
    slot: int
    epoch: int
    at: datetime
    deviations: tuple[DeviationCount, ...]

    def record(self) -> Record:
        """Return the report as a record for `ocpp.deviations`."""
        envelope = Envelope(
            f"{self.station_id}/{self.epoch}/{self.at.timestamp()}",
            DEVIATIONS_TYPE,
            f"/edge/{self.slot}",
            self.station_id,
            self.at,
        )
        return Record(DEVIATIONS, self.station_id, msgspec.json.encode(self), envelope.headers())
