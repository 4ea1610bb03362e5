"""A report in parts: which of them are here, which are missing, whether it is whole."""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_device.variables.domain.variable import Reported

MOST_PARTS: Final = 10_000
"""Parts of a report that are counted; more there cannot be of any device model."""


class Part(msgspec.Struct, frozen=True):
    """A NotifyReport: some variables of a station; `unread` are those that could not be read.

    `said_at` is the station's own time, None if it gave none that can be read.
    """

    station_id: str
    request_id: int
    seq_no: int
    is_last: bool
    variables: tuple[Reported, ...] = ()
    unread: int = 0
    said_at: datetime | None = None


class Parts(msgspec.Struct, frozen=True):
    """The numbers of the parts that came, and that of the last one, None until that came."""

    seen: frozenset[int] = frozenset()
    last: int | None = None

    def having(self, part: Part) -> "Parts":
        """Return them with one more, in whatever order it comes; one that comes again changes nothing."""
        if not 0 <= part.seq_no < MOST_PARTS:
            return self
        return Parts(self.seen | {part.seq_no}, part.seq_no if part.is_last else self.last)

    @property
    def is_whole(self) -> bool:
        """Whether all are here.

        Spec: OCPP 2.0.1 B07.FR.08, B08.FR.10 (seqNo from 0, tbc false in the last)
        """
        return self.last is not None and not self.missing

    @property
    def missing(self) -> list[int]:
        """The numbers that are known to be missing; what comes after the highest, nobody knows before the last came."""
        end = max(self.seen, default=-1) if self.last is None else self.last
        return sorted(set(range(end + 1)) - self.seen)

    @property
    def lack(self) -> str:
        """What is missing, in words; empty if it is whole."""
        if not self.seen:
            return "no part of the report came"
        texts = [f"{len(self.missing)} parts of the report did not come"] if self.missing else []
        texts += ["the last part did not come"] if self.last is None else []
        return ", ".join(texts)
