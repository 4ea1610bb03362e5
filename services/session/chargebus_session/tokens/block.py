"""Authorizations of a batch: one look at all its tokens, and a judgement of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_events.topics import frames_topic
from chargebus_runtime.batch import Batch

from chargebus_session.metrics import Metrics
from chargebus_session.tokens import store
from chargebus_session.tokens.domain import (
    Authorize,
    ContractRefusal,
    Judgement,
    Token,
    authorize,
    refusal_of,
    registered,
)


@dataclass
class TokenState:
    """The registered tokens that a batch asks about, by key, what was thought of them, and what waits.

    `contracts` has what the last Authorize of a contract came to, by station and key: None where it is in order.
    """

    tokens: Mapping[str, Token]
    judged: list[Judgement] = field(default_factory=list)
    unchecked: list[Call[Authorize]] = field(default_factory=list)
    contracts: dict[tuple[str, str], ContractRefusal | None] = field(default_factory=dict)


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
        token = registered(call.request.token, state.tokens)
        judgement = authorize(call.request, token)
        state.judged.append(judgement)
        if call.request.contract is not None and token is not None:  # without a token, that is what refuses
            station_id = call.frame.station_id
            state.contracts[station_id, token.itself.key] = refusal_of(call.request, token, judgement, station_id)
        return call.answered(judgement)

    async def save(self, batch: Batch, state: TokenState) -> None:
        """Send on what has to be looked at, keep which contracts were refused where, and count what was decided."""
        for call in state.unchecked:
            frame = msgspec.structs.replace(call.frame, deviations=b"")  # it was read as it is meant
            batch.send(frame.record(frames_topic("security")), because=call.record)
        await store.refuse_contracts(batch.connection, [each for each in state.contracts.values() if each])
        await store.allow_contracts(batch.connection, [place for place, each in state.contracts.items() if not each])
        self._metrics.judged(judgement.status for judgement in state.judged)
