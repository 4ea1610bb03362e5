"""Contract certificates checked: whose state is not known is asked of responders, for a moment."""

import asyncio
from collections.abc import Sequence
from functools import partial

from chargebus_calls.waiting import Ended, Finish, WaitingCall
from chargebus_events.frames import ContractCheck
from chargebus_runtime.away import is_away
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.retry import until_done

from chargebus_security.contracts.domain.checks import Link, Policy, Shown, is_told, to_ask, verdict
from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.contracts.payload import checked
from chargebus_security.contracts.routes import check_row
from chargebus_security.contracts.store import authorities
from chargebus_security.metrics import Metrics
from chargebus_security.status import store as status
from chargebus_security.status.domain.asked import Found, Question
from chargebus_security.status.operations.lookups import Lookups


class Checking:
    """Checks contract certificates that stations show.

    Args:
        database: of the service.
        lookups: how responders are asked.
        metrics: of the service.
        clock: tells what is valid.
        policy: what an operator says.
        within_s: how long responders may take; what they do not say by then is not known.
    """

    def __init__(  # noqa: PLR0913 - one declaration, each part by its name
        self, database: Database, lookups: Lookups, metrics: Metrics, clock: Clock, policy: Policy, *, within_s: float
    ) -> None:
        self._database = database
        self._lookups = lookups
        self._metrics = metrics
        self._clock = clock
        self._policy = policy
        self._within_s = within_s

    async def __call__(self, call: WaitingCall) -> Finish:
        """Find out what a call needs; return what ends it."""
        shown: Shown = check_row(call.frame.version).read(call.frame)
        found: dict[Question, Found] = {}
        try:
            asked = await until_done("looking for authorities", partial(self._to_ask, shown, found), is_away)
        except RefusedContractError as error:
            return partial(self._finish, call, error.check)
        try:
            async with asyncio.timeout(self._within_s):
                await asyncio.gather(*(self._ask(each, call.frame.station_id, found) for each in asked))
        except TimeoutError:
            pass
        return partial(self._finish, call, verdict(asked, found, self._policy))

    async def _to_ask(self, shown: Shown, found: dict[Question, Found]) -> Sequence[Link]:
        now = self._clock()
        async with self._database.pool.acquire() as connection:
            asked = to_ask(shown, await authorities(connection, [shown]), self._policy, now)
            questions = {question for link in asked for question in link.ways}
            known = await status.fresh(connection, questions, now)
        found.update({each: known[each.key] for each in questions if each.key in known})
        return asked

    async def _ask(self, link: Link, station_id: str, found: dict[Question, Found]) -> None:
        issuers = () if link.issuer is None else (link.issuer,)
        for question in link.ways:
            if is_told(link, found):
                return
            if question in found:
                continue
            try:
                async with asyncio.timeout(self._within_s / len(link.ways)):  # each way has its part of the time
                    found[question] = await self._lookups.find(question, station_id, issuers)
            except TimeoutError:
                continue

    async def _finish(self, call: WaitingCall, check: ContractCheck, _tx: Transaction) -> Ended:
        self._metrics.contract_checked(check.status, "asked")
        return Ended(check.status, checked(call.frame, check))
