"""What services change of stations' credentials, which are device's: what comes of it stands in `station.registry`."""

from datetime import datetime

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import CREDENTIALS

CHANGE_TYPE = "chargebus.station.credentials.v1"


class CredentialsChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of a station's credentials; taken again it changes nothing.

    Attributes:
        change_id: tells it from others of the station.
        source: which service changes it.
        give: the stored form of a password that is to count beside those that do, until the station has used it.
        take_back: the stored form of one that was given, which counts no more, unless the station has used it.
        security_profile: the least that the station may use from now on; one that is lower than before counts only
            if it `lowers`.
    """

    station_id: str
    change_id: str
    source: str
    at: datetime
    give: str = ""
    take_back: str = ""
    security_profile: int | None = None
    lowers: bool = False

    def record(self) -> Record:
        """Return the change as a record for `station.credentials`."""
        envelope = Envelope(self.change_id, CHANGE_TYPE, f"/{self.source}", self.station_id, self.at)
        return Record(CREDENTIALS, self.station_id, msgspec.json.encode(self), envelope.headers())
