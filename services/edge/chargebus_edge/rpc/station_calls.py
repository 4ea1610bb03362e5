"""The calls of a station that are not answered yet: their order, and when one is given up."""

from collections.abc import Iterator

from chargebus_ocppj.frames import MessageId

from chargebus_edge.rpc.limits import ProtocolLimits


class _OpenCall:
    __slots__ = ("answer", "message_id", "received_at")

    def __init__(self, message_id: MessageId, received_at: float) -> None:
        self.message_id = message_id
        self.received_at = received_at
        self.answer: str | None = None


class StationCalls:
    """Open calls by frame number, in the order in which they came.

    Answers leave in that order too, but a call that has been open for `order_hold_s` no longer holds back others.
    """

    __slots__ = ("_calls", "_limits")

    def __init__(self, limits: ProtocolLimits) -> None:
        self._limits = limits
        self._calls: dict[int, _OpenCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, number: int) -> bool:
        return number in self._calls

    @property
    def full(self) -> bool:
        """Whether no further call can be taken."""
        return len(self._calls) >= self._limits.max_open_calls

    def open(self, number: int, message_id: MessageId, now: float) -> None:
        """Take a call; `number` is higher than that of any call before."""
        self._calls[number] = _OpenCall(message_id, now)

    def message_id(self, number: int) -> MessageId | None:
        """Return the message id of an open call that has no answer yet, or None."""
        call = self._calls.get(number)
        return None if call is None or call.answer is not None else call.message_id

    def answer(self, number: int, text: str, now: float) -> list[str]:
        """Take the answer of a call without one and return the texts that may leave now, in order."""
        calls = self._calls
        if len(calls) == 1:
            del calls[number]
            return [text]
        calls[number].answer = text
        return self.release(now)

    def release(self, now: float) -> list[str]:
        """Return the answers that may leave at `now`, in order; they are open no longer."""
        ready = list(self._ready(now))
        return [text for number in ready if (text := self._calls.pop(number).answer) is not None]

    def forget(self, number: int) -> None:
        """Give up a call: it will never be answered."""
        self._calls.pop(number, None)

    def expire(self, now: float) -> int:
        """Give up the calls that have been open for `forget_call_s`; return how many."""
        limit = now - self._limits.forget_call_s
        old = [number for number, call in self._calls.items() if call.received_at <= limit]
        for number in old:
            del self._calls[number]
        return len(old)

    def next_deadline(self) -> float | None:
        """Return when `release` or `expire` may have something to do, or None."""
        oldest = next(iter(self._calls.values()), None)
        if oldest is None:
            return None
        give_up_at = oldest.received_at + self._limits.forget_call_s
        holding = oldest
        for call in self._calls.values():
            if call.answer is not None:  # it waits until the newest of those before it has had its time
                return min(give_up_at, holding.received_at + self._limits.order_hold_s)
            holding = call
        return give_up_at

    def _ready(self, now: float) -> Iterator[int]:
        patience = now - self._limits.order_hold_s
        for number, call in self._calls.items():
            if call.answer is not None:
                yield number
            elif call.received_at > patience:
                return
