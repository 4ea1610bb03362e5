"""Authorizations of a batch: one look at all its tokens, and a judgement of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chargebus_calls import Answer, Block, Call
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.tokens import store
from chargebus_session.tokens.domain import Authorize, Judgement, Token, authorize


@dataclass
class TokenState:
    """The registered tokens that a batch asks about, by key, and what was thought of those presented."""

    tokens: Mapping[str, Token]
    judged: list[Judgement] = field(default_factory=list)


class Authorizations(Block[Authorize, TokenState]):
    """Tells stations whether tokens may charge."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Authorize]]) -> TokenState:
        """Return the tokens that are asked about."""
        return TokenState(await store.load(batch.connection, {call.request.token.key for call in calls}))

    def decide(self, state: TokenState, call: Call[Authorize]) -> Answer:
        """Judge a token."""
        judgement = authorize(call.request, state.tokens.get(call.request.token.key))
        state.judged.append(judgement)
        return call.answered(judgement)

    async def save(self, _batch: Batch, state: TokenState) -> None:
        """Count what was decided; nothing changes by it."""
        self._metrics.judged(judgement.status for judgement in state.judged)
