"""Stations ask for the status of certificates: what is known is answered at once, all else once it was asked for."""

from collections.abc import Mapping, Sequence

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_calls.waiting import WaitingCall, WaitingCalls
from chargebus_runtime.batch import Batch

from chargebus_security.metrics import Metrics
from chargebus_security.status import store
from chargebus_security.status.domain.asked import Found, Question


class StatusState(msgspec.Struct):
    """What is known, and which calls of a batch wait for more."""

    known: Mapping[str, Found]
    waiting: list[WaitingCall] = []


class StatusCalls(Block[tuple[Question, ...], StatusState]):
    """Answers what is known; the transaction of a batch waits for no responder: other calls wait where tasks look."""

    def __init__(self, waiting: WaitingCalls, metrics: Metrics) -> None:
        self._waiting = waiting
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[tuple[Question, ...]]]) -> StatusState:
        """Return what is known of what is asked."""
        questions = {question for call in calls for question in call.request}
        return StatusState(await store.fresh(batch.connection, questions, batch.now))

    def decide(self, state: StatusState, call: Call[tuple[Question, ...]]) -> Answer | None:
        """Answer a call if all of it is known."""
        found = [state.known.get(question.key) for question in call.request]
        if any(each is None for each in found):
            state.waiting.append(WaitingCall(call.frame))
            return None
        self._metrics.status_answered(call.frame.action, "known")
        return call.answered(found)

    async def save(self, batch: Batch, state: StatusState) -> None:
        """Have the calls wait that could not be answered."""
        await self._waiting.add(batch, state.waiting)
