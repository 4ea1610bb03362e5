"""Authorizations of a batch: one look at all its tokens, and a judgement of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_events.topics import frames_topic
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.tokens import store
from chargebus_session.tokens.domain import Authorize, Judgement, Token, authorize, registered


@dataclass
class TokenState:
    """The registered tokens that a batch asks about, by key, what was thought of them, and what waits."""

    tokens: Mapping[str, Token]
    judged: list[Judgement] = field(default_factory=list)
    unchecked: list[Call[Authorize]] = field(default_factory=list)


class Authorizations(Block[Authorize, TokenState]):
    """Tells stations whether tokens may charge; a contract certificate goes round by `security` first.

    Its frame comes back with what was found, and is decided then; nothing of it is kept meanwhile.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Authorize]]) -> TokenState:
        """Return the tokens that are asked about."""
        return TokenState(
            await store.load(batch.connection, {key for call in calls for key in call.request.token.keys})
        )

    def decide(self, state: TokenState, call: Call[Authorize]) -> Answer | None:
        """Judge a token."""
        if call.request.is_unchecked:
            state.unchecked.append(call)
            return None
        judgement = authorize(call.request, registered(call.request.token, state.tokens))
        state.judged.append(judgement)
        return call.answered(judgement)

    async def save(self, batch: Batch, state: TokenState) -> None:
        """Send on what has to be looked at, and count what was decided; nothing changes by it."""
        for call in state.unchecked:
            frame = msgspec.structs.replace(call.frame, deviations=b"")  # it was read as it is meant
            batch.send(frame.record(frames_topic("security")), because=call.record)
        self._metrics.judged(judgement.status for judgement in state.judged)
