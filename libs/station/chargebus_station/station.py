"""A virtual charging station: stays connected, lives through visits, does what the CSMS asks for.

    async with Station(config, clock) as station:
        await station.until(lambda: station.online)
        visit = DriverVisit(evse_id=1, vehicle=Vehicle(58_000, 11_000, soc=0.3), token=IdToken("AB12"), stay_s=1800)
        entry = await station.visit(visit)
        await station.until(lambda: station.settled)

What it did and what it was answered stands in `station.history`; what it is to do wrong is told to `station.faults` and
to the methods `cut`, `drop`, `switch_socket`, `open_socket` and `send_garbage`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from websockets.asyncio.client import ClientConnection

from chargebus_station.answering import Answering
from chargebus_station.charging import power_w
from chargebus_station.charging_habits import ChargingHabit
from chargebus_station.clock import Clock, ScaledClock, happened
from chargebus_station.config import StationConfig
from chargebus_station.core import build
from chargebus_station.csms_connection import ConnectionUsers, CsmsConnection
from chargebus_station.device_model import Setting
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.dynamic_schedules import DynamicSchedules
from chargebus_station.effect_runner import EffectRunner
from chargebus_station.effects import Effect, Message
from chargebus_station.external_control import ExternalControl
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.faults import GARBAGE, Faults
from chargebus_station.history import History, TransactionEntry
from chargebus_station.plug_and_charge import certificate_request
from chargebus_station.registration import Status
from chargebus_station.reporter import Reporter
from chargebus_station.rpc import CallOutcome
from chargebus_station.running_visits import RunningVisits
from chargebus_station.sender import Sender
from chargebus_station.state import StationState
from chargebus_station.transaction import StopCause, StopReason, Trigger

T = TypeVar("T")


class SwitchedOffError(RuntimeError):
    """The station is being switched off, and begins nothing any more."""


class Station:
    """One station, switched on by `run` or by entering it as a context."""

    def __init__(self, config: StationConfig, clock: Clock | None = None) -> None:
        core = build(config, clock or ScaledClock())
        self._core = core
        self._retune = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._reporter = Reporter(core)
        self._visits = RunningVisits(core, self._reporter, self._spawn)
        self._external = ExternalControl(core, self._reporter, self._visits)
        self._sender = Sender(core, self._accepted, self._visits.refused)
        self._connection = CsmsConnection(core)
        self._effect_runner = EffectRunner(
            core, self._reporter, self._visits, self._connection, self._sender, self._spawn
        )
        self._answering = Answering(core, self._run_effect, self._connection.drop)

    @property
    def config(self) -> StationConfig:
        """What the station is."""
        return self._core.config

    @property
    def history(self) -> History:
        """What the station did, and what it was answered."""
        return self._core.history

    @property
    def faults(self) -> Faults:
        """What the station is to do wrong."""
        return self._core.faults

    @property
    def state(self) -> StationState:
        """What the station holds at this moment."""
        return self._core.state

    @property
    def clock(self) -> Clock:
        """The station's time."""
        return self._core.clock

    @property
    def connected(self) -> bool:
        """Whether there is a socket."""
        return self._core.connected

    @property
    def online(self) -> bool:
        """Whether there is a socket and the CSMS has accepted the station."""
        return self._core.online

    @property
    def registration(self) -> Status:
        """What the CSMS said to the last boot notification."""
        return self._core.registration.status

    @property
    def power_w(self) -> float:
        """What its vehicles draw at this moment."""
        state, now = self._core.state, self._core.clock.now()
        charges = ((evse, evse.charge) for evse in state.evses.values())
        return sum(power_w(charge, state.limit_w(evse, now)) for evse, charge in charges if charge is not None)

    @property
    def queued(self) -> int:
        """How many transaction messages wait for an answer."""
        return len(self._core.queue)

    @property
    def settled(self) -> bool:
        """Whether nobody is here and every transaction message is answered or given up."""
        return self.queued == 0 and not any(evse.occupied for evse in self.state.evses.values())

    async def __aenter__(self) -> Self:
        """Switch the station on."""
        self._running = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch it off, as it is; what it was doing is left undone.

        Raises:
            BaseExceptionGroup: the station itself failed.
        """
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
            if not self._running.cancelled():
                self._running.result()

    async def run(self) -> None:
        """Live until cancelled."""
        users = ConnectionUsers(self._sender, self._answering.respond, self._connected, self._lost)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._connection.stay(users))
                self._tasks.create_task(self._beat())
                self._tasks.create_task(DynamicSchedules(self._core, self._visits).pull())
        finally:
            self._connection.abort()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds of this station; it is looked at whenever anything has changed."""
        await self._core.changes.until(condition)

    def visit(self, visit: DriverVisit) -> asyncio.Task[TransactionEntry | None]:
        """Let a driver come; the task's result is the transaction, if there was one.

        Raises:
            ValueError: somebody is there already, or the EVSE is out of service.
        """
        return self._visits.begin(visit)

    def unplug(self, evse_id: int) -> None:
        """Let the driver leave now, without presenting a token."""
        self._visits.stop(evse_id, StopCause(Trigger.EV_COMMUNICATION_LOST, StopReason.EV_DISCONNECTED))

    def break_connector(self, evse_id: int) -> None:
        """Let the connector of an EVSE fail; a charge there ends."""
        self._effect_runner.break_connector(evse_id, broken=True)

    def repair_connector(self, evse_id: int) -> None:
        """Let the connector work again."""
        self._effect_runner.break_connector(evse_id, broken=False)

    @property
    def charging_habits(self) -> set[ChargingHabit]:
        """What it does its own way about charging profiles; may be changed at any time."""
        return self._core.state.charging_habits

    def limit_externally(self, external: ExternalLimit) -> None:
        """Let somebody else than the CSMS limit the station."""
        self._external.limit(external)

    def lift_external_limit(self, external: ExternalLimit) -> None:
        """Let that limit be lifted."""
        self._external.lift(external)

    def prioritize(self, evse_id: int, *, activated: bool = True) -> None:
        """Let the driver at an EVSE ask for priority charging, or no longer (2.1)."""
        self._external.prioritize(evse_id, activated=activated)

    async def fetch_contract(
        self, pcid: str, action: Literal["Install", "Update"] = "Install", most: int | None = None
    ) -> CallOutcome:
        """Ask for a contract certificate, as a vehicle wants; return what came of it (2.0.1 and 2.1)."""
        return await self._core.messages.put(certificate_request(pcid, action, most))

    def power_cycle(self) -> None:
        """Restart the station as after a power failure: charges end, the queue and the history survive."""
        self.close()
        self._spawn(self._effect_runner.power_cycle())

    def close(self) -> None:
        """End every charge, as somebody does who is about to switch the station off."""
        self._visits.stop_all(StopCause(Trigger.ABNORMAL_CONDITION, StopReason.POWER_LOSS))

    def cut(self) -> None:
        """Lose the network until `mend`."""
        self._connection.cut("network")

    def mend(self) -> None:
        """Have the network back."""
        self._connection.mend("network")

    def drop(self) -> None:
        """Lose the socket; the station connects again after its back-off."""
        self._connection.drop()

    def switch_socket(self) -> None:
        """Open a new socket while the old one stays open, unread and unclosed."""
        self._connection.switch()

    async def open_socket(self) -> ClientConnection:
        """Return one more socket of the same station, for the caller to speak on."""
        return await self._connection.open_websocket()

    async def send_garbage(self, name: str) -> None:
        """Send one of the frames of `faults.GARBAGE`.

        Raises:
            ConnectionError: there is no socket.
        """
        if self._connection.csms_socket is None:
            raise ConnectionError(self.config.station_id)
        await self._connection.csms_socket.send(GARBAGE[name])

    def _accepted(self) -> None:
        self._retune.set()
        self._reporter.everything()

    def _connected(self, offline_s: float) -> None:
        """Tell what changed while the station was away. Spec: OCPP 1.6 4.9; OCPP 2.0.1 B04.FR.01, B04.FR.02."""
        state = self._core.state
        if state.offline_since is not None:
            state.offline_since = None
            state.profiles.came_back(offline_s, self._core.clock.now())
            self._visits.look_again()
        if not self._core.online:
            return
        if offline_s > self._core.settings.number(Setting.OFFLINE_THRESHOLD_S):
            self._reporter.everything()
        else:
            self._reporter.changes()

    def _lost(self) -> None:
        """Note since when there is no connection: some profiles are not valid without one."""
        self._core.state.offline_since = self._core.clock.now()
        self._visits.look_again()

    async def _beat(self) -> None:
        while True:
            self._retune.clear()
            interval_s = self._core.settings.number(Setting.HEARTBEAT_INTERVAL_S)
            retuned = await happened(self._retune, self._core.clock.sleep(max(1, interval_s)))
            if not retuned and self.online and not self._core.messages.holds("Heartbeat"):
                self._core.messages.put(Message("Heartbeat", {}))

    def _run_effect(self, effect: Effect) -> None:
        """Do what follows from an answer; of a station that is switched off while it answers, that is left undone."""
        with suppress(SwitchedOffError):
            self._effect_runner.run(effect)

    def _spawn(self, activity: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        try:
            return self._tasks.create_task(activity)
        except RuntimeError as error:
            activity.close()
            raise SwitchedOffError(self.config.station_id) from error
