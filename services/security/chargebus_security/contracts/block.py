"""Vehicles ask for contracts, or show one: what is known is said at once, all else waits until others were asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chargebus_calls import Answer, Block, Call
from chargebus_calls.waiting import Came, WaitingCall, WaitingCalls
from chargebus_calls.waiting.store import recent
from chargebus_events.frames import ContractCheck
from chargebus_runtime.batch import Batch

from chargebus_security.contracts import store
from chargebus_security.contracts.domain.chain import Authorities
from chargebus_security.contracts.domain.checks import Link, Policy, Shown, is_told, to_ask, verdict
from chargebus_security.contracts.domain.provisioning import NO_POOL, TOO_MANY, CertificateRequest, Provided
from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.contracts.payload import checked
from chargebus_security.metrics import Metrics
from chargebus_security.status import store as status
from chargebus_security.status.domain.asked import Found, Question

ACTION: Final = "Get15118EVCertificate"
CHECKED: Final = "Authorize"

_HOUR: Final = timedelta(hours=1)
_MOST_WAITING: Final = 8
_MOST_AN_HOUR: Final = 300
"""How many contract certificates of a station may wait to be checked, and how many are asked about in an hour."""

_TOO_MANY: Final = ContractCheck("CertChainError", "the station shows more contracts than are asked about at a time")


@dataclass
class RequestState:
    """How many requests came of each station lately, and which calls of a batch wait."""

    recent: dict[str, int]
    waiting: list[WaitingCall] = field(default_factory=list)


class CertificateRequests(Block[CertificateRequest, RequestState]):
    """Takes requests for contracts: the transaction of a batch waits for no pool.

    Args:
        waiting: where requests wait.
        per_hour: how many requests of a station are taken in an hour.
        has_pool: there is a pool to ask.
        metrics: of the service.
    """

    def __init__(self, waiting: WaitingCalls, per_hour: int, metrics: Metrics, *, has_pool: bool) -> None:
        self._waiting = waiting
        self._has_pool = has_pool
        self._per_hour = per_hour
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[CertificateRequest]]) -> RequestState:
        """Return how many requests came of the stations that ask."""
        station_ids = {call.request.station_id for call in calls}
        came = await recent(batch.connection, station_ids, ACTION, batch.now - _HOUR)
        return RequestState({station_id: each.calls for station_id, each in came.items()})

    def decide(self, state: RequestState, call: Call[CertificateRequest]) -> Answer | None:
        """Have a request wait, or refuse it."""
        station_id = call.request.station_id
        if not self._has_pool:
            return self._refused(call, NO_POOL, "no pool of contracts is set: see SECURITY_CONTRACTS_POOL")
        if state.recent.get(station_id, 0) >= self._per_hour:
            return self._refused(call, TOO_MANY, f"{self._per_hour} requests of a station are taken in an hour")
        state.recent[station_id] = state.recent.get(station_id, 0) + 1
        state.waiting.append(WaitingCall(call.frame, call.request.content))
        return None

    async def save(self, batch: Batch, state: RequestState) -> None:
        """Have the requests wait that were not refused."""
        await self._waiting.add(batch, state.waiting)

    def _refused(self, call: Call[CertificateRequest], reason: str, why: str) -> Answer:
        self._metrics.contract_asked("refused")
        return call.answered(Provided(reason=reason, why=why))


@dataclass
class CheckState:
    """What the calls of a batch need, what is known, and what becomes of them."""

    came: dict[str, Came]
    asked: dict[int, Sequence[Link] | ContractCheck]
    known: Mapping[Question, Found]
    waiting: list[WaitingCall] = field(default_factory=list)
    checked: list[tuple[Call[Shown], ContractCheck]] = field(default_factory=list)


class ContractChecks(Block[Shown, CheckState]):
    """Checks contract certificates for `session`, which answers their Authorize; a batch waits for no responder."""

    def __init__(self, waiting: WaitingCalls, policy: Policy, metrics: Metrics) -> None:
        self._waiting = waiting
        self._policy = policy
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Shown]]) -> CheckState:
        """Return what chains are worth by themselves, and what is known of their state."""
        trusted = await store.authorities(batch.connection, [call.request for call in calls])
        asked = await asyncio.to_thread(self._all_to_ask, calls, trusted, batch.now)
        station_ids = {call.frame.station_id for call in calls}
        came = await recent(batch.connection, station_ids, CHECKED, batch.now - _HOUR)
        links = [link for each in asked.values() if not isinstance(each, ContractCheck) for link in each]
        questions = {question for link in links for question in link.ways}
        fresh = await status.fresh(batch.connection, questions, batch.now)
        return CheckState(came, asked, {each: fresh[each.key] for each in questions if each.key in fresh})

    def decide(self, state: CheckState, call: Call[Shown]) -> None:
        """Say what is known; have the call wait where responders are to be asked."""
        asked = state.asked[id(call)]
        if isinstance(asked, ContractCheck):
            state.checked.append((call, asked))
        elif all(is_told(link, state.known) for link in asked):
            state.checked.append((call, verdict(asked, state.known, self._policy)))
        else:
            self._wait(state, call)

    async def save(self, batch: Batch, state: CheckState) -> None:
        """Send on what is said, and have the others wait."""
        await self._waiting.add(batch, state.waiting)
        for call, check in state.checked:
            self._metrics.contract_checked(check.status, "known")
            batch.send(checked(call.frame, check), because=call.record)

    @staticmethod
    def _wait(state: CheckState, call: Call[Shown]) -> None:
        came = state.came.get(call.frame.station_id, Came())
        if came.waiting >= _MOST_WAITING or came.calls >= _MOST_AN_HOUR:
            state.checked.append((call, _TOO_MANY))
            return
        state.came[call.frame.station_id] = Came(came.calls + 1, came.waiting + 1)
        state.waiting.append(WaitingCall(call.frame))

    def _all_to_ask(
        self, calls: Sequence[Call[Shown]], trusted: Authorities, now: datetime
    ) -> dict[int, Sequence[Link] | ContractCheck]:
        """Return what is to be asked for each call; in a thread, for signatures are checked."""
        return {id(call): self._to_ask(call.request, trusted, now) for call in calls}

    def _to_ask(self, shown: Shown, trusted: Authorities, now: datetime) -> Sequence[Link] | ContractCheck:
        try:
            return to_ask(shown, trusted, self._policy, now)
        except RefusedContractError as error:
            return error.check
