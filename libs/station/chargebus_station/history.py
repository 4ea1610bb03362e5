"""What a station did and what it was answered: the history against which a CSMS can be checked.

Everything here is plain data. A transaction is identified by what both sides know of it: the station, the EVSE, the
instant of its start, the token and the register at the start; in 2.x also by the transaction id that the station chose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Payload = Mapping[str, Any]


class Fate(StrEnum):
    """What became of a message."""

    QUEUED = "queued"
    ANSWERED = "answered"
    DISCARDED = "discarded"
    """Given up after the attempts that the configuration allows."""


@dataclass(frozen=True)
class Reading:
    """One energy register reading that a message carries."""

    at: datetime
    energy_wh: int
    context: str


@dataclass
class MessageEntry:
    """One transaction message.

    Attributes:
        kind: Started, Updated or Ended, whatever the version calls the message.
        seq_no: the number within the transaction; 1.6 does not send it.
        message_ids: one for each time that it was written to a socket.
        answers: every answer that the station took note of, in order (more than one after a deliberate resend).
        lost_answers: answers that came and were dropped by a fault: the CSMS knows the message.
        refusals: the codes of the CALLERRORs it got.
    """

    action: str
    kind: str
    seq_no: int
    occurred_at: datetime
    offline: bool
    readings: tuple[Reading, ...] = ()
    message_ids: list[str] = field(default_factory=list)
    answers: list[Payload] = field(default_factory=list)
    lost_answers: int = 0
    refusals: list[str] = field(default_factory=list)
    fate: Fate = Fate.QUEUED

    @property
    def answered(self) -> bool:
        """Whether the station has an answer, so that it may forget the message."""
        return self.fate is Fate.ANSWERED


@dataclass
class TransactionEntry:
    """One transaction as its station knows it.

    Attributes:
        id_token: the token that it was authorized with, or None if nobody ever authorized it.
        transaction_id: as text; in 1.6 known after the answer to the start, None until then.
        token_statuses: what the CSMS said of the token in answers to transaction messages, in order.
        meter_start_wh, meter_stop_wh: the register; the latter None while the transaction lasts.
    """

    key: str
    station_id: str
    version: str
    evse_id: int
    connector_id: int
    started_at: datetime
    meter_start_wh: int
    id_token: str | None = None
    transaction_id: str | None = None
    remote_start_id: int | None = None
    ended_at: datetime | None = None
    meter_stop_wh: int | None = None
    stopped_reason: str | None = None
    token_statuses: list[str] = field(default_factory=list)
    messages: list[MessageEntry] = field(default_factory=list)

    @property
    def energy_wh(self) -> int | None:
        """What the transaction took, once it is over."""
        return None if self.meter_stop_wh is None else self.meter_stop_wh - self.meter_start_wh

    @property
    def start_answered(self) -> bool:
        """Whether the CSMS answered the start: from here on it must know the transaction."""
        return any(entry.answered for entry in self.messages if entry.kind == "Started")

    @property
    def stop_answered(self) -> bool:
        """Whether the CSMS answered the end: from here on it must know the energy."""
        return any(entry.answered for entry in self.messages if entry.kind == "Ended")

    @property
    def any_answered(self) -> bool:
        """Whether the CSMS answered anything of it."""
        return any(entry.answered for entry in self.messages)

    @property
    def settled(self) -> bool:
        """Whether it is over and no message of it waits."""
        return self.ended_at is not None and all(entry.fate is not Fate.QUEUED for entry in self.messages)


@dataclass
class CommandEntry:
    """One CALL of the CSMS: what was answered, refused with which code, or neither.

    An answer is written down before it is written to the socket: it may be lost on its way.
    """

    message_id: str
    action: str
    payload: Payload
    received_at: datetime
    answered: Payload | None = None
    refused: str | None = None
    result_error: str | None = None
    """The code of the CSMS's CALLRESULTERROR to the answer (2.1)."""


@dataclass(frozen=True)
class AuthorizationEntry:
    """One driver's token: what the CSMS said of it, or None if the station decided by itself, and the decision."""

    at: datetime
    id_token: str
    status: str | None
    allowed: bool


@dataclass
class CallTally:
    """How often an action was sent, and what came back."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    unanswered: int = 0


@dataclass
class History:
    """The history of one station.

    `keep` bounds the settled transactions and the commands that are remembered, for stations that run for days; None
    keeps everything. The totals count what was forgotten, too.
    """

    station_id: str
    version: str
    keep: int | None = None
    transactions: list[TransactionEntry] = field(default_factory=list)
    commands: list[CommandEntry] = field(default_factory=list)
    authorizations: list[AuthorizationEntry] = field(default_factory=list)
    calls: dict[str, CallTally] = field(default_factory=dict)
    connections: int = 0
    boots_accepted: int = 0
    strays: int = 0
    """Answers to a call that was no longer waited for."""
    transactions_ended: int = 0
    energy_wh: int = 0
    drivers_refused: int = 0

    def tally(self, action: str) -> CallTally:
        """Return the tally of an action."""
        return self.calls.setdefault(action, CallTally())

    def open(self, entry: TransactionEntry) -> None:
        """Begin a transaction."""
        self.transactions.append(entry)
        if self.keep is not None:
            settled = [old for old in self.transactions if old.settled]
            for old in settled[: max(0, len(settled) - self.keep)]:
                self.transactions.remove(old)

    def close(self, entry: TransactionEntry, ended_at: datetime, meter_stop_wh: int, reason: str) -> None:
        """Write down the end of a transaction."""
        entry.ended_at, entry.meter_stop_wh, entry.stopped_reason = ended_at, meter_stop_wh, reason
        self.transactions_ended += 1
        self.energy_wh += meter_stop_wh - entry.meter_start_wh

    def note(self, command: CommandEntry) -> None:
        """Write down a command of the CSMS."""
        self.commands.append(command)
        if self.keep is not None:
            del self.commands[: -self.keep]

    def decided(self, authorization: AuthorizationEntry) -> None:
        """Write down what became of a token."""
        self.drivers_refused += not authorization.allowed
        self.authorizations.append(authorization)
        if self.keep is not None:
            del self.authorizations[: -self.keep]

    def answered_transactions(self) -> Iterator[TransactionEntry]:
        """Yield every transaction that the station got an answer for: the CSMS must know each of them, once."""
        return (entry for entry in self.transactions if entry.any_answered)

    @property
    def waiting(self) -> int:
        """How many transaction messages still wait for an answer."""
        return sum(message.fate is Fate.QUEUED for entry in self.transactions for message in entry.messages)
