"""What is known of a station, its connection and its open commands; values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from chargebus_events.commands import ANSWER_GRACE_S, CommandForm

Outcome = Literal["answered", "refused", "timed_out", "undeliverable", "expired"]


class StationConnection(msgspec.Struct, frozen=True):
    """The newest connection of a station that presence told of; `connected` is False once that one ended.

    `epoch` orders a station's connections, `edge_epoch` names the life of the edge that holds the slot.
    """

    epoch: int
    slot: int
    edge_epoch: int
    version: str
    connected: bool = True


class Sent(msgspec.Struct, frozen=True):
    """In which form, and on which connection, a command went out, and until when its end is waited for.

    `sent_at` is by Kafka's clock, `deadline_at` by ours.
    """

    slot: int
    epoch: int
    version: str
    form: CommandForm
    sent_at: datetime
    deadline_at: datetime


class Avoided(msgspec.Struct, frozen=True):
    """A connection on which a command could not be written: nothing is sent there before `until`."""

    epoch: int
    until: datetime


class Command(msgspec.Struct, frozen=True):
    """A command that has not ended; `sent` is None while it is queued.

    Of `forms`, the first that suits the station's version is sent. It is not sent at or after `expires_at`. Until
    `absent_until` a station that is unknown or away may be one of which we have not heard yet: so long it waits for it.
    `held_until`: OCPP forbade it when it was to be written, as the station was pending; it is tried again then.
    """

    command_id: str
    station_id: str
    forms: tuple[CommandForm, ...]
    requester: str
    requested_at: datetime
    expires_at: datetime
    timeout_s: float
    ttl_s: float
    intent: str = ""
    subject: str = ""
    absent_until: datetime | None = None
    held_until: datetime | None = None
    sent: Sent | None = None

    @property
    def form(self) -> CommandForm:
        """The form that was sent; before that, the first of them stands for all."""
        if self.sent is not None:
            return self.sent.form
        return self.forms[0] if self.forms else NO_FORM


class Reply(msgspec.Struct, frozen=True):
    """What the station said: a CALLRESULT's payload or a CALLERROR's parts, or how its answer breaks the schema."""

    payload: bytes | None = None
    error_code: str = ""
    error_description: str = ""
    error_details: bytes | None = None


_SHORTEST_HOLD = timedelta(seconds=2)
_LONGEST_HOLD = timedelta(minutes=1)
NO_REPLY = Reply()
NO_FORM = CommandForm("", msgspec.Raw(b"null"))


_UNKNOWN_ACTION = frozenset({"", "NotImplemented", "NotSupported"})


class Ended(msgspec.Struct, frozen=True):
    """A command's one end; `told`: who asked knows it already.

    `reason` says in words why it was not answered, or what is wrong with the answer.
    """

    command: Command
    outcome: Outcome
    ended_at: datetime
    reason: str = ""
    reply: Reply = NO_REPLY
    told: bool = False

    @property
    def failed(self) -> bool:
        """Whether the station failed at it: it was sent, and there is no answer, or an error of the station's own."""
        if self.command.sent is None:
            return False
        return self.outcome == "timed_out" or (
            self.outcome == "refused" and self.reply.error_code not in _UNKNOWN_ACTION
        )


class Station(msgspec.Struct, frozen=True):
    """A station and its queue: at most one command in flight, the others waiting in the order they were asked for."""

    station_id: str
    registered: bool = False
    connection: StationConnection | None = None
    avoided: Avoided | None = None
    in_flight: Command | None = None
    waiting: tuple[Command, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the station exists: it is registered, or connected by the onboarding policy."""
        return self.registered or (self.connection is not None and self.connection.connected)

    @property
    def version(self) -> str:
        """The OCPP version of the newest connection, or an empty string for a station that never connected."""
        return self.connection.version if self.connection is not None else ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The times and bounds of the queue.

    Attributes:
        absent_grace_s: how long a command of another service waits for a station that is unknown or away.
        answer_grace_s: how long after the answer was due the edge's own report is still waited for.
        lost_grace_s: the same after the connection was lost.
        avoid_s: how long a connection is left alone after its edge could not write a command there.
        max_waiting: queued commands a station may have.
        max_timeout_s: the longest that a station may take to answer.
        max_ttl_s: the longest that a command may wait for its station.
    """

    absent_grace_s: float = 2.0
    answer_grace_s: float = ANSWER_GRACE_S
    lost_grace_s: float = 2.0
    avoid_s: float = 10.0
    max_waiting: int = 100
    max_timeout_s: float = 600.0
    max_ttl_s: float = 30 * 24 * 3600.0

    def hold(self, age: timedelta) -> timedelta:
        """Return how long a command of this age is held before it is tried again on a station that was pending."""
        return min(max(age / 10, _SHORTEST_HOLD), _LONGEST_HOLD)

    def timeout_s(self, wanted_s: float) -> float:
        """Return the time a station gets for its answer: what was asked for, within bounds."""
        return min(max(wanted_s, 1.0), self.max_timeout_s)

    def ttl_s(self, wanted_s: float) -> float:
        """Return how long a command may wait for its station: what was asked for, within bounds."""
        return min(max(wanted_s, 0.0), self.max_ttl_s)


def expiry(requested_at: datetime, timeout_s: float, ttl_s: float) -> datetime:
    """Return when a command is too old to be sent.

    A command that does not wait for its station (`ttl_s` 0) may still wait for its turn behind another one, or in
    Kafka, for as long as the station would have had to answer.
    """
    return requested_at + timedelta(seconds=ttl_s if ttl_s > 0 else timeout_s)
