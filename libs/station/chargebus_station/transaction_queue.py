"""The station's memory of transaction messages: in order, kept until answered, resent as the specification says."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chargebus_station.history import Fate, MessageEntry
from chargebus_station.transaction import Transaction


@dataclass
class QueuedMessage:
    """A message that waits for its answer; `failures` counts the transmissions that the CSMS failed to process."""

    transaction: Transaction
    action: str
    payload: dict[str, Any]
    entry: MessageEntry
    failures: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True)
class RetryRule:
    """How often a message is sent, and the wait in between: the interval times the transmissions so far.

    Spec: OCPP 1.6 3.7.1 (TransactionMessageAttempts, TransactionMessageRetryInterval); OCPP 2.0.1 E13.FR.02 to FR.04
    (OCPPCommCtrlr.MessageAttempts, MessageAttemptInterval)
    """

    attempts: int
    interval_s: float


@dataclass
class TransactionQueue:
    """First in, first out over all EVSEs: while the first message waits, the others wait behind it.

    A transmission during which the connection was lost is no failure of the CSMS and does not count.
    """

    _waiting: deque[QueuedMessage] = field(default_factory=deque)
    _held: list[QueuedMessage] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._held)

    def put(self, message: QueuedMessage) -> None:
        """Add a message at the end, unless its transaction is one that the CSMS cannot know."""
        if message.transaction.forgotten:
            message.entry.fate = Fate.DISCARDED
            return
        self._waiting.append(message)

    def hold(self, message: QueuedMessage) -> None:
        """Keep a message back, out of its order, until `release`: a station that misbehaves."""
        self._held.append(message)

    def release(self) -> None:
        """Queue what was held back, behind what is there by now."""
        held, self._held = self._held, []
        for message in held:
            self.put(message)

    def head(self) -> QueuedMessage | None:
        """Return the first message, due or not."""
        return self._waiting[0] if self._waiting else None

    def due_in_s(self, now: datetime) -> float | None:
        """Return the simulated seconds until the first message may be sent; None if there is none."""
        head = self.head()
        if head is None:
            return None
        return 0.0 if head.not_before is None else max(0.0, (head.not_before - now).total_seconds())

    def answered(self, message: QueuedMessage) -> None:
        """Forget a message that was answered."""
        message.entry.fate = Fate.ANSWERED
        self._waiting.remove(message)

    def failed(self, message: QueuedMessage, now: datetime, rule: RetryRule) -> None:
        """Let a message wait for its next transmission, or give it up after the last one.

        Without a start, the rest of a 1.6 transaction has no id to be sent with: it is given up, too.
        """
        message.failures += 1
        if message.failures < rule.attempts:
            message.not_before = now + timedelta(seconds=rule.interval_s * message.failures)
            return
        self._give_up(message)
        transaction = message.transaction
        if transaction.transaction_id is None:
            transaction.forgotten = True
            for follower in [other for other in self._waiting if other.transaction is transaction]:
                self._give_up(follower)

    def concerns(self, transaction_id: str) -> bool:
        """Whether a message of this transaction waits. Spec: OCPP 2.0.1 E14.FR.04, E14.FR.05."""
        return any(message.transaction.transaction_id == transaction_id for message in (*self._waiting, *self._held))

    def _give_up(self, message: QueuedMessage) -> None:
        message.entry.fate = Fate.DISCARDED
        self._waiting.remove(message)
