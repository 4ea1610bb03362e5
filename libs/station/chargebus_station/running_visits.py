"""The visits under way at a station, one at an EVSE."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from chargebus_station.core import Core
from chargebus_station.device_model import Setting
from chargebus_station.driver_visit import DriverVisit, RunningVisit
from chargebus_station.effects import StartCharge
from chargebus_station.history import TransactionEntry
from chargebus_station.reporter import Opening, Reporter
from chargebus_station.transaction import StopCause, StopReason, Transaction, Trigger
from chargebus_station.vehicles import any_vehicle

REMOTE_STAY_S: Final = 4 * 3600.0
"""How long a driver stays who was started from afar, if nobody stops the charge."""

Spawn = Callable[[Coroutine[Any, Any, TransactionEntry | None]], asyncio.Task[TransactionEntry | None]]


class RunningVisits:
    """Who is at the station."""

    def __init__(self, core: Core, reporter: Reporter, spawn: Spawn) -> None:
        self._core = core
        self._reporter = reporter
        self._spawn = spawn
        self._running: dict[int, RunningVisit] = {}

    def begin(self, visit: DriverVisit) -> asyncio.Task[TransactionEntry | None]:
        """Let a driver come.

        Raises:
            ValueError: somebody is there, or the EVSE is out of service.
        """
        evse = self._core.state.evses[visit.evse_id]
        if not evse.free or visit.evse_id in self._running:
            message = f"EVSE {visit.evse_id} is {evse.state.value}"
            raise ValueError(message)
        run = RunningVisit(self._core, self._reporter, visit)
        self._running[visit.evse_id] = run
        evse.occupied = True
        return self._spawn(self._live(visit.evse_id, run))

    async def _live(self, evse_id: int, run: RunningVisit) -> TransactionEntry | None:
        try:
            return await run.run()
        finally:
            del self._running[evse_id]
            self._core.changed()

    def start(self, effect: StartCharge) -> None:
        """Start the charge that was asked for from afar: of the vehicle that waits, or of one that comes."""
        opening = Opening(Trigger.REMOTE_START, effect.token, effect.remote_start_id)
        evse = self._core.state.evses[effect.evse_id]
        run = self._running.get(effect.evse_id)
        if run is not None:
            run.start(opening)
        elif evse.free:
            vehicle = any_vehicle(self._core.rng, evse.outlet)
            self.begin(DriverVisit(effect.evse_id, vehicle, stay_s=REMOTE_STAY_S, remote=opening))

    def look_again(self) -> None:
        """See what may be drawn now: limits have changed."""
        self._core.limit_news.set()
        for run in self._running.values():
            run.look_again()

    def stop(self, evse_id: int, cause: StopCause) -> None:
        """End what goes on at an EVSE."""
        if (run := self._running.get(evse_id)) is not None:
            run.stop(cause)

    def stop_all(self, cause: StopCause) -> None:
        """End everything."""
        for run in self._running.values():
            run.stop(cause)

    def refused(self, transaction: Transaction) -> None:
        """End a transaction whose token the CSMS does not accept, if the configuration says so.

        Spec: OCPP 1.6 4.8 (StopTransactionOnInvalidId); OCPP 2.0.1 E05.FR.02 (StopTxOnInvalidId)
        """
        if not self._core.settings.flag(Setting.STOP_ON_INVALID_ID):
            return
        for run in self._running.values():
            if run.concerns(transaction):
                run.stop(StopCause(Trigger.DEAUTHORIZED, StopReason.DEAUTHORIZED))
