"""What a service writes down for each action of each version: how it is read, who decides, how it is answered."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from chargebus_events.frames import Frame
from chargebus_events.record import Headers, Received
from chargebus_runtime.batch import Batch

R = TypeVar("R")
S = TypeVar("S")
D = TypeVar("D")

Payload = bytes | Mapping[str, Any]
"""An answer's payload: compact JSON, or its members (those that are None are left out)."""


class UnusableCallError(ValueError):
    """A call keeps to its schema and says what cannot be, such as connector -1; the message says what."""


class Answer(msgspec.Struct, frozen=True):
    """A decision that is an answer already; `headers` travel to the edge beside it."""

    payload: Payload
    headers: Headers = ()


class Block(ABC, Generic[R, S]):
    """Decides the calls of one subject: loads once for a batch, decides each call in its turn, saves once.

    `R` is what the rows of the block read, `S` the state of a batch: what was loaded, and what decisions made of it.
    """

    @abstractmethod
    async def load(self, batch: Batch, calls: Sequence["Call[R]"]) -> S:
        """Return what is known of the calls, read in sets in the batch's transaction."""

    @abstractmethod
    def decide(self, state: S, call: "Call[R]") -> Answer | None:
        """Decide one call and note in `state` what it changes; the calls after it see that.

        Returns:
            The answer, by `call.answered`; None where the edge has answered it, or only listens.

        Raises:
            OcppError: the station's fault, found too late for the reader; nothing may be noted in `state` by then.
        """

    @abstractmethod
    async def save(self, batch: Batch, state: S) -> None:
        """Write what the decisions changed, and send what they caused."""


@dataclass(frozen=True)
class Row(Generic[R, D]):
    """How one action of one version is taken.

    `read` raises msgspec's errors or UnusableCallError for what it cannot read. `answer` makes the answer's payload of
    the request and what the block decided; without one the edge answers. A call may wait `wait_s` for others.
    """

    read: Callable[[Frame], R]
    block: type[Block[R, Any]]
    answer: Callable[[R, D], Payload] | None = None
    wait_s: float = 0.0


@dataclass(frozen=True)
class Fixed:
    """An action whose answer is the same whatever it says."""

    answer: Payload


Routes = Mapping[tuple[str, str], Row[Any, Any] | Fixed]
"""The table of a service: (version, action) → row."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """A station's call that was read, and the record that brought it."""

    record: Received
    frame: Frame
    request: R
    row: Row[R, Any]

    def answered(self, decision: object, *headers: tuple[str, bytes]) -> Answer:
        """Return the answer that the row makes of a decision.

        Raises:
            TypeError: the row has no answer: the edge gives it.
        """
        if self.row.answer is None:
            raise TypeError(f"the edge answers {self.frame.action} of OCPP {self.frame.version}")
        return Answer(self.row.answer(self.request, decision), headers)
