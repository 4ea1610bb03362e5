"""Contracts fetched for vehicles: a pool that is away is asked again, for as long as a vehicle may be kept waiting."""

import asyncio
import time
import weakref
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from chargebus_calls.waiting import Ended, Finish, WaitingCall
from chargebus_calls.waiting.store import ended
from chargebus_ocppj.schemas import encode_result
from chargebus_ocppj.versions import as_version
from chargebus_runtime.database import Transaction

from chargebus_security.contracts.domain.provisioning import (
    NOT_PROVIDED,
    CertificateRequest,
    Contract,
    Provided,
    provided,
)
from chargebus_security.contracts.errors import PoolAwayError, ProvisioningError
from chargebus_security.contracts.operations.provisioning import Provisioning
from chargebus_security.contracts.routes import longest_contract, request_row
from chargebus_security.metrics import Metrics
from chargebus_security.names import SOURCE

_PAUSES_S: Final = (0.5, 1.0)
"""How long after each try that failed a pool is asked again."""

_GIVEN: Final = "given"
"""The outcome of a call by which a vehicle got a contract."""

_OF_A_STATION: Final = 2
"""How many requests of a station are under way at the same time."""

_SAME_VEHICLE: Final = timedelta(minutes=30)
"""How long a vehicle may take to ask for the next of its contracts."""


class Fetching:
    """Answers vehicles' requests.

    Args:
        pool: where contracts come from.
        metrics: of the service.
        within_s: how long a vehicle may be kept waiting.
        at_once: how many requests are under way at the same time.
    """

    def __init__(self, pool: Provisioning, metrics: Metrics, *, within_s: float, at_once: int) -> None:
        self._pool = pool
        self._metrics = metrics
        self._within_s = within_s
        self._free = asyncio.Semaphore(at_once)
        self._stations: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def __call__(self, call: WaitingCall) -> Finish:
        """Ask the pool what a call asks; return what answers it."""
        request = request_row(call.frame.version).read(call.frame)
        begun = time.monotonic()
        found = await self._asked(request)
        outcome = "failed" if isinstance(found, Provided) else "asked"
        self._metrics.pool_asked(outcome, time.monotonic() - begun)
        return partial(self._finish, call, request, found)

    async def _asked(self, request: CertificateRequest) -> Sequence[Contract] | Provided:
        of_station = self._stations.setdefault(request.station_id, asyncio.Semaphore(_OF_A_STATION))
        why = f"no answer within {self._within_s:g} s"
        try:
            async with asyncio.timeout(self._within_s), of_station, self._free:
                for pause_s in (*_PAUSES_S, None):
                    try:
                        return await self._pool.contracts(request)
                    except PoolAwayError as error:
                        why = str(error)
                        if pause_s is None:
                            break
                    await asyncio.sleep(pause_s)
        except ProvisioningError as error:
            why = str(error)
        except TimeoutError:
            pass
        return Provided(reason=NOT_PROVIDED, why=why)

    async def _finish(
        self, call: WaitingCall, request: CertificateRequest, found: Sequence[Contract] | Provided, tx: Transaction
    ) -> Ended:
        if not isinstance(found, Provided):
            since = tx.now - _SAME_VEHICLE
            before = await ended(tx.connection, call, _GIVEN, since)
            found = provided(request, found, before, longest_contract(call.frame.version))
        frame = call.frame
        answer = request_row(frame.version).answer
        if answer is None:
            raise TypeError(f"the edge answers {frame.action}")
        members = answer(request, found)
        payload = (
            members if isinstance(members, bytes) else encode_result(as_version(frame.version), frame.action, members)
        )
        outcome = _GIVEN if found.exi else "failed"
        self._metrics.contract_asked(outcome)
        return Ended(outcome, frame.answer(payload, SOURCE, tx.now))
