"""Which connection of a station counts: what the log says about those held here, and what was left open.

Epochs are offsets of `ocpp.presence`, so the log itself orders a station's connections.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, Protocol

import msgspec
from chargebus_events.presence import Presence
from chargebus_events.record import Received

_read = msgspec.json.Decoder(Presence).decode


class Consequence(Enum):
    """What a record of `ocpp.presence` means for the connection that is held here."""

    NOTHING = "nothing"
    FENCE = "fence"  # a newer connection wins: this one may no longer speak
    REASSERT = "reassert"  # an old record now hides this one: say again that it is there


def consequence(*, offset: int, epoch: int, connected: bool, held: int) -> Consequence:
    """Compare a record, read at `offset` and about connection `epoch`, with the connection `held` here."""
    if offset <= held:
        return Consequence.NOTHING
    if epoch > held:
        return Consequence.FENCE
    if epoch == held and connected:
        return Consequence.NOTHING
    return Consequence.REASSERT


REMNANT_RETRY_S: Final = 10.0


class Remnant(NamedTuple):
    """A connection of this slot that the log has as open and that nobody holds; `due` is when to end it (again)."""

    epoch: int
    due: float


class Remnants:
    """Connections of this slot that are to be ended in the log: of a dead predecessor, or ended while Kafka was away.

    They stay until the log itself shows their end, so an end that got lost is published again.
    """

    def __init__(self, retry_s: float = REMNANT_RETRY_S) -> None:
        self._retry_s = retry_s
        self._left: dict[str, Remnant] = {}

    def __len__(self) -> int:
        return len(self._left)

    def add(self, station_id: str, epoch: int, now: float) -> None:
        """Note an open connection without a holder; nothing is done about it before `retry_s` have passed."""
        known = self._left.get(station_id)
        if known is None or known.epoch < epoch:
            self._left[station_id] = Remnant(epoch, now + self._retry_s)

    def settle(self, station_id: str, epoch: int) -> None:
        """Drop what is not newer than `epoch`: it was ended, replaced, or is held after all."""
        known = self._left.get(station_id)
        if known is not None and known.epoch <= epoch:
            del self._left[station_id]

    def take_due(self, now: float) -> list[tuple[str, int]]:
        """Return the connections to end now; they come again if the log does not show their end."""
        due = [(station_id, left.epoch) for station_id, left in self._left.items() if left.due <= now]
        for station_id, epoch in due:
            self._left[station_id] = Remnant(epoch, now + self._retry_s)
        return due


class Observer(Protocol):
    """Who holds connections here."""

    def observe(self, station_id: str, *, offset: int, epoch: int, connected: bool) -> int | None:
        """Act on a record; return the epoch held here before that, if any."""
        ...


class PresenceReader:
    """Follows `ocpp.presence` for one slot."""

    def __init__(self, slot: int, observer: Observer, remnants: Remnants, monotonic: Callable[[], float]) -> None:
        self._slot = slot
        self._observer = observer
        self._remnants = remnants
        self._monotonic = monotonic

    def apply(self, record: Received) -> None:
        """Take a record of the topic.

        Raises:
            msgspec.MsgspecError: it cannot be read; nothing has changed.
        """
        if record.value is None:
            return
        presence = _read(record.value)
        epoch = presence.epoch_at(record.offset)
        held = self._observer.observe(record.key, offset=record.offset, epoch=epoch, connected=presence.connected)
        if presence.connected and presence.slot == self._slot and (held is None or epoch > held):
            self._remnants.add(record.key, epoch, self._monotonic())
        else:
            self._remnants.settle(record.key, epoch)

    def fence(self, record: Received) -> None:
        """Take a record that cannot be read for a newer connection: two sockets must not speak for one station."""
        self._observer.observe(record.key, offset=record.offset, epoch=record.offset, connected=True)
