"""Other topics that a service consumes beside its frames."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from chargebus_events.record import Received
from chargebus_runtime.applying import Refuse
from chargebus_runtime.batch import Batch

Handle = Callable[[Batch, Sequence[Received]], Awaitable[None]]


@dataclass(frozen=True)
class Topic:
    """A topic, and what is done with a batch's records of it; each may wait `wait_s` for others.

    Once it is read to its end it rests for `rest_s`, if nobody waits for what comes of it.

    `refuse` returns what is sent for a record that is parked.
    """

    name: str
    handle: Handle
    refuse: Refuse
    wait_s: float = 0.0
    rest_s: float = 0.0

    @property
    def rests(self) -> Mapping[str, float]:
        """How long topics rest once they are read to their end, in seconds."""
        return {self.name: self.rest_s} if self.rest_s else {}

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that this part of a consumer reads."""
        return (self.name,)

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Apply the records of a batch."""
        await self.handle(batch, records)

    @property
    def patient(self) -> bool:
        """Whether its records may wait for others."""
        return self.wait_s > 0

    def may_wait_s(self, _record: Received) -> float:
        """Return how long a record may wait for others, in seconds."""
        return self.wait_s
