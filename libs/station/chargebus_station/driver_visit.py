"""One driver at one EVSE: comes, is authorized, charges, leaves."""

import asyncio
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from chargebus_station import charging
from chargebus_station.charging import Vehicle
from chargebus_station.clock import happened
from chargebus_station.core import Core
from chargebus_station.device_model import Setting
from chargebus_station.history import AuthorizationEntry, TransactionEntry
from chargebus_station.reporter import Opening, Reporter
from chargebus_station.rpc import Answer, NoAnswer, Refusal, Why
from chargebus_station.state import ConnectorState, Evse
from chargebus_station.transaction import (
    ChargingState,
    Context,
    IdToken,
    StopCause,
    StopReason,
    Transaction,
    Trigger,
)

DRIVER_STEP_S: Final = 20.0
"""Simulated seconds that a driver needs for the next step: take the cable, find the card, unplug."""


class Order(StrEnum):
    """What the driver does first."""

    PLUG_FIRST = "plugs in, then presents the token"
    TOKEN_FIRST = "presents the token, then plugs in"  # noqa: S105  not a password


class Departure(StrEnum):
    """How the driver ends it."""

    TOKEN = "presents the token again"  # noqa: S105  not a password
    UNPLUGS = "just unplugs the vehicle"


@dataclass(frozen=True)
class DriverVisit:
    """What a driver is going to do; simulated seconds.

    Without a token, the vehicle is plugged in and waits to be started from afar. `remote` is the token of a start from
    afar that has already come.
    """

    evse_id: int
    vehicle: Vehicle
    token: IdToken | None = None
    stay_s: float = 3600.0
    order: Order = Order.PLUG_FIRST
    departure: Departure = Departure.TOKEN
    remote: Opening | None = None


_STATES: Final = {
    ChargingState.CHARGING: ConnectorState.CHARGING,
    ChargingState.SUSPENDED_EV: ConnectorState.SUSPENDED_EV,
    ChargingState.SUSPENDED_EVSE: ConnectorState.SUSPENDED_EVSE,
}

_UNPLUGGED: Final = StopCause(Trigger.EV_COMMUNICATION_LOST, StopReason.EV_DISCONNECTED)


class RunningVisit:
    """A visit while it lasts."""

    def __init__(self, core: Core, reporter: Reporter, visit: DriverVisit) -> None:
        self._core = core
        self._reporter = reporter
        self._visit = visit
        self._evse: Evse = core.state.evses[visit.evse_id]
        self._stopped = asyncio.Event()
        self._started = asyncio.Event()
        self._news = asyncio.Event()
        self._limit_w = math.inf
        self._cause: StopCause | None = None
        self._opening: Opening | None = visit.remote
        self._entry: TransactionEntry | None = None
        self._metered_at = core.clock.now()

    def stop(self, cause: StopCause) -> None:
        """End the charge, or whatever came before it."""
        if self._cause is None:
            self._cause = cause
            self._stopped.set()
            self._started.set()
            self._news.set()

    def look_again(self) -> None:
        """See what may be drawn now: limits have changed."""
        self._news.set()

    def start(self, opening: Opening) -> None:
        """Authorize the vehicle that waits, from afar."""
        self._opening = opening
        self._started.set()

    def concerns(self, transaction: Transaction) -> bool:
        """Whether the transaction is this visit's, and not over."""
        return self._evse.transaction is transaction

    async def run(self) -> TransactionEntry | None:
        """Live through the visit; return its transaction, if there was one."""
        evse = self._evse
        evse.occupied = True
        try:
            if await self._arrive():
                await self._leave(await self._charge())
            else:
                await self._give_up()
        finally:
            evse.occupied = evse.awaits_token = False
            evse.charge = None
            self._reporter.at_rest()
        return self._entry

    async def _arrive(self) -> bool:
        """Plug in and be authorized; say whether energy may flow."""
        plug_first = self._visit.order is Order.PLUG_FIRST and self._visit.remote is None
        for step in (self._plug, self._identify) if plug_first else (self._identify, self._plug):
            if not await step() or self._cause is not None:
                return False
        if self._opening is None:
            return False
        transaction = self._evse.transaction
        if transaction is None:
            local_cable = not plug_first and self._visit.remote is None
            trigger = Trigger.CABLE_PLUGGED_IN if local_cable else self._opening.trigger
            self._begin(replace(self._opening, trigger=trigger), ChargingState.CHARGING)
        else:
            self._reporter.charging_state(transaction, ChargingState.CHARGING)
        return True

    async def _plug(self) -> bool:
        await self._wait(DRIVER_STEP_S)
        self._reporter.status(self._evse, ConnectorState.PREPARING)
        if "EVConnected" in self._points(Setting.START_POINT) and self._evse.transaction is None:
            opening = self._opening or Opening(Trigger.CABLE_PLUGGED_IN)
            self._begin(replace(opening, trigger=Trigger.CABLE_PLUGGED_IN), ChargingState.EV_CONNECTED)
        return True

    async def _identify(self) -> bool:
        opening = await self._authorization()
        if opening is None:
            return False
        self._opening = opening
        transaction = self._evse.transaction
        if transaction is not None:
            self._reporter.authorized(transaction, opening)
        elif "Authorized" in self._points(Setting.START_POINT):
            self._begin(opening, ChargingState.IDLE)
        self._reporter.status(self._evse, ConnectorState.PREPARING)
        return True

    async def _authorization(self) -> Opening | None:
        visit, settings = self._visit, self._core.settings
        if visit.token is not None:
            await self._wait(DRIVER_STEP_S)
            return Opening(Trigger.AUTHORIZED, visit.token) if await self._allowed(visit.token) else None
        opening = visit.remote or await self._wait_for_start()
        if opening is None or opening.token is None:
            return None
        if settings.flag(Setting.AUTHORIZE_REMOTE_START) and not await self._allowed(opening.token):
            return None
        return opening

    async def _wait_for_start(self) -> Opening | None:
        self._evse.awaits_token = True
        patience_s = self._core.settings.number(Setting.CONNECTION_TIMEOUT_S)
        await happened(self._started, self._core.clock.sleep(patience_s))
        self._evse.awaits_token = False
        return self._opening

    async def _allowed(self, token: IdToken) -> bool:
        """Ask the CSMS; decide alone if it cannot be asked.

        Spec: OCPP 1.6 3.5, 4.1; OCPP 2.0.1 C01, C13 (offline), C15.FR.02, H03.FR.01 (reserved)
        """
        core, now = self._core, self._core.clock.now()
        reservation = core.state.reserved_for(self._evse.id, now)
        status, allowed = None, False
        if reservation is None or reservation.token == token.text:
            outcome = await core.messages.put(core.dialect.authorize(token)) if core.online else NoAnswer(Why.OFFLINE)
            match outcome:
                case Answer(payload):
                    status = core.dialect.token_status(payload)
                    core.state.cache[token.text] = status
                    allowed = status == "Accepted"
                case NoAnswer():
                    allowed = core.state.knows(token) or core.settings.flag(Setting.OFFLINE_UNKNOWN_ID)
                case Refusal():
                    pass
        core.history.decided(AuthorizationEntry(now, token.text, status, allowed))
        return allowed

    def _begin(self, opening: Opening, state: ChargingState) -> None:
        self._entry = self._reporter.begin(self._evse, opening, state).entry

    async def _charge(self) -> StopCause:
        """Let energy flow until somebody or something ends it; return what did."""
        evse, clock, visit = self._evse, self._core.clock, self._visit
        evse.charge = charging.begin(visit.vehicle, evse.outlet)
        self._reporter.status(evse, ConnectorState.CHARGING)
        began_at = self._metered_at = clock.now()
        self._limit_w = self._core.state.limit_w(evse, began_at)
        elapsed_s = 0.0
        sample_at_s = self._sample_interval_s()
        while elapsed_s < visit.stay_s:
            cause = await self._wait_for_news(min(visit.stay_s, sample_at_s) - elapsed_s)
            elapsed_s = (clock.now() - began_at).total_seconds()
            self._meter()
            if cause is not None:
                return cause
            self._show_state()
            if elapsed_s >= sample_at_s:
                self._reporter.reading(evse, Context.PERIODIC, Trigger.METER_VALUE_PERIODIC)
                sample_at_s = elapsed_s + self._sample_interval_s()
        if visit.departure is Departure.TOKEN and visit.token is not None:
            return StopCause(Trigger.STOP_AUTHORIZED, StopReason.LOCAL, visit.token)
        return _UNPLUGGED

    def _sample_interval_s(self) -> float:
        return self._core.settings.number(Setting.SAMPLE_INTERVAL_S) or math.inf

    def _meter(self) -> None:
        """Move the energy of the time that has passed since the last look, under the limit that held meanwhile."""
        evse, now = self._evse, self._core.clock.now()
        if evse.charge is not None:
            seconds = (now - self._metered_at).total_seconds()
            after = charging.advance(evse.charge, seconds, self._limit_w)
            evse.register_wh += after.energy_wh - evse.charge.energy_wh
            evse.charge = after
        self._metered_at, self._limit_w = now, self._core.state.limit_w(evse, now)

    def _show_state(self) -> None:
        """Tell when the vehicle wants no more, or the station gives no more. Spec: OCPP 2.0.1 E02.FR.02."""
        evse, transaction = self._evse, self._evse.transaction
        if evse.charge is None or transaction is None:
            return
        state = ChargingState.CHARGING
        if evse.charge.full:
            state = ChargingState.SUSPENDED_EV
        elif evse.charge.stopped_by(self._limit_w):
            state = ChargingState.SUSPENDED_EVSE
        if state is not transaction.state:
            self._reporter.charging_state(transaction, state)
            self._reporter.status(evse, _STATES[state])

    async def _leave(self, cause: StopCause) -> None:
        """End the transaction, and let the driver unplug and drive off."""
        evse = self._evse
        plugged_in = cause.reason is not StopReason.EV_DISCONNECTED
        transaction = evse.transaction
        evse.charge = None
        if cause.token is not None and transaction is not None and self._ends_with_cable():
            self._reporter.charging_state(transaction, ChargingState.EV_CONNECTED, cause.token)
            self._reporter.status(evse, ConnectorState.FINISHING)
            await self._core.clock.sleep(DRIVER_STEP_S)
            self._reporter.end(evse, replace(_UNPLUGGED, reason=cause.reason))
            return
        self._reporter.end(evse, cause)
        if plugged_in:
            self._reporter.status(evse, ConnectorState.FINISHING)
            await self._core.clock.sleep(DRIVER_STEP_S)

    async def _give_up(self) -> None:
        """Drive off without having charged."""
        if self._evse.transaction is not None:
            cause = await self._wait(DRIVER_STEP_S)
            self._reporter.end(self._evse, cause or _UNPLUGGED)

    def _ends_with_cable(self) -> bool:
        return not self._points(Setting.STOP_POINT) & {"Authorized", "PowerPathClosed"}

    def _points(self, setting: Setting) -> set[str]:
        return set(self._core.settings.words(setting))

    async def _wait_for_news(self, seconds: float) -> StopCause | None:
        """Wait, but not longer than until what may be drawn changes."""
        self._news.clear()
        if self._cause is None:
            now = self._core.clock.now()
            changes_in_s = self._core.state.limit_changes_in_s(self._evse, now, max(0.0, seconds))
            await happened(self._news, self._core.clock.sleep(changes_in_s))
        return self._cause

    async def _wait(self, seconds: float) -> StopCause | None:
        await happened(self._stopped, self._core.clock.sleep(max(0.0, seconds)))
        return self._cause
