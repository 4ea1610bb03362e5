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
    ContractVerdict,
    Judgement,
    Token,
    authorize,
    registered,
    verdict_of,
)


@dataclass
class TokenState:
    """The registered tokens that a batch asks about, by key, what was thought of them, and what waits.

    `contracts` has what the newest Authorize of a contract came to, by station and key.
    """

    tokens: Mapping[str, Token]
    judged: list[Judgement] = field(default_factory=list)
    unchecked: list[Call[Authorize]] = field(default_factory=list)
    contracts: dict[tuple[str, str], ContractVerdict] = field(default_factory=dict)


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
        if token is not None:  # without a token, that is what refuses
            _note(state.contracts, verdict_of(call.request, token, judgement, call.frame.station_id))
        return call.answered(judgement)

    async def save(self, batch: Batch, state: TokenState) -> None:
        """Send on what has to be looked at, keep what was said of contracts, and count what was decided."""
        for call in state.unchecked:
            frame = msgspec.structs.replace(call.frame, deviations=b"")  # it was read as it is meant
            batch.send(frame.record(frames_topic("security")), because=call.record)
        await store.keep_verdicts(batch.connection, state.contracts.values())
        self._metrics.judged(judgement.status for judgement in state.judged)


def _note(contracts: dict[tuple[str, str], ContractVerdict], verdict: ContractVerdict | None) -> None:
    """Note what was said of a contract, but for what was shown before: a check that took longer comes after it."""
    if verdict is None:
        return
    place = verdict.station_id, verdict.token_key
    before = contracts.get(place)
    if before is None or verdict.shown_at >= before.shown_at:
        contracts[place] = verdict
