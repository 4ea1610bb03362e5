"""The identity of a reading: the same for the same fact, however often a station sends it."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_MS = (1 << 48) - 1

_MICROSECOND = timedelta(microseconds=1)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

_pack = msgspec.msgpack.Encoder().encode


Transaction = tuple[str, str]
"""A station's id and the id of one of its transactions."""

Identity = tuple[str | int | None, ...]


class Place(msgspec.Struct, frozen=True):
    """Where readings were taken.

    `evse_id` 0 is the main meter or, with a transaction, an EVSE that nobody can tell; None says that the message
    does not tell (a StopTransaction names only its transaction). `transaction_id` is empty outside transactions.
    """

    station_id: str
    evse_id: int | None = 0
    connector_id: int = 0
    transaction_id: str = ""

    @property
    def transaction(self) -> Transaction:
        """The transaction, by its station."""
        return (self.station_id, self.transaction_id)

    @property
    def tells_evse(self) -> bool:
        """Whether it says at which EVSE its transaction is."""
        return bool(self.transaction_id and self.evse_id)

    @property
    def asks_evse(self) -> bool:
        """Whether only its transaction can say where it is."""
        return bool(self.transaction_id) and self.evse_id is None

    def stored(self) -> "Place":
        """Return the place as it is stored: with EVSE 0 where nobody tells it."""
        return self if self.evse_id is not None else msgspec.structs.replace(self, evse_id=0)

    def identity(self) -> Identity:
        """Return what tells this place from others.

        A transaction stands for its EVSE and connector: its messages may name them or not, and the same reading
        may come in both (MeterValues, then StopTransaction's transactionData).
        """
        if self.transaction_id:
            return (self.station_id, self.transaction_id)
        return (self.station_id, self.evse_id, self.connector_id)


def microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def reading_id(sampled_at_us: int, *identity: object) -> str:
    """Return a reading's UUID: 48 bits of time in milliseconds, then a hash of all that identifies it.

    Time first keeps neighbours in time neighbours in the index, lets pages follow the id, and lets the table be
    partitioned by ranges of it. Times before 1970 count as 1970 in these bits; the hash holds them exactly.

    Spec: RFC 9562 section 5.8 (version 8)
    """
    digest = blake2b(_pack((sampled_at_us, *identity)), digest_size=10).hexdigest()
    time = f"{_time_bits(sampled_at_us):012x}"
    variant = _VARIANT[digest[3]]
    return f"{time[:8]}-{time[8:]}-8{digest[:3]}-{variant}{digest[4:7]}-{digest[7:19]}"


FIRST_ID = "00000000-0000-0000-0000-000000000000"
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def first_id(moment: datetime) -> str:
    """Return a UUID before those of all readings of `moment` or later."""
    return str(UUID(int=_time_bits(microseconds(moment)) << 80))


def last_id(moment: datetime) -> str:
    """Return a UUID after those of all readings of `moment` or earlier."""
    return str(UUID(int=(_time_bits(microseconds(moment)) << 80) | ((1 << 80) - 1)))


def _time_bits(sampled_at_us: int) -> int:
    return min(max(sampled_at_us // 1000, 0), MAX_MS)
