"""Runs the effects: does what follows from the CSMS's commands."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, assert_never

from chargebus_station.charging_habits import ChargingHabit
from chargebus_station.core import Core
from chargebus_station.csms_connection import CsmsConnection
from chargebus_station.device_model import Setting
from chargebus_station.dialect import BootReason
from chargebus_station.effects import (
    Announce,
    BreakConnector,
    Effect,
    FirmwareOrder,
    LimitsChanged,
    LogOrder,
    Message,
    PublishOrder,
    Reboot,
    Reconnect,
    RefreshStatus,
    StartCharge,
    StopCharge,
    Subject,
    Tell,
)
from chargebus_station.firmware import FirmwareUpdates, publish
from chargebus_station.log_uploads import LogUploads
from chargebus_station.registration import Origin, Registration
from chargebus_station.reporter import Reporter
from chargebus_station.running_visits import RunningVisits
from chargebus_station.sender import Sender
from chargebus_station.transaction import Context, StopCause, StopReason, Trigger

LAST_MESSAGES_S: Final = 5.0
"""Real seconds that a station gives its last messages before it restarts."""


@dataclass
class EffectRunner:
    """Runs the effects of one station."""

    core: Core
    reporter: Reporter
    visits: RunningVisits
    connection: CsmsConnection
    sender: Sender
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    rebooting: bool = False

    def __post_init__(self) -> None:
        self._firmware = FirmwareUpdates(self.core, self._restart)
        self._logs = LogUploads(self.core)

    def run(self, effect: Effect) -> None:
        """Do it, or begin to."""
        match effect:
            case StartCharge():
                self.visits.start(effect)
            case StopCharge() | BreakConnector():
                self._stop(effect)
            case Reboot(reason):
                self.spawn(self._reboot(reason))
            case RefreshStatus():
                self.reporter.at_rest()
            case Announce():
                self._announce(effect)
            case Tell(messages):
                self.spawn(self._tell(messages))
            case LimitsChanged():
                self.visits.look_again()
            case FirmwareOrder() | PublishOrder() | LogOrder():
                self.spawn(self._carry_out(effect))
            case Reconnect():
                self.spawn(self.connection.reconnect())
            case _:
                assert_never(effect)

    def _stop(self, effect: StopCharge | BreakConnector) -> None:
        match effect:
            case StopCharge(evse_id, cause):
                self.visits.stop(evse_id, cause)
            case BreakConnector(evse_id, broken):
                self.break_connector(evse_id, broken=broken)

    def break_connector(self, evse_id: int, *, broken: bool) -> None:
        """Let the connector of an EVSE fail, so that a charge there ends, or work again."""
        evse = self.core.state.evses[evse_id]
        if evse.faulted == broken:
            return
        evse.faulted = broken
        if broken:
            self.visits.stop(evse_id, StopCause(Trigger.ABNORMAL_CONDITION, StopReason.GROUND_FAULT))
        self.reporter.problem(evse)
        if not broken:
            self.reporter.at_rest()

    async def _carry_out(self, order: FirmwareOrder | PublishOrder | LogOrder) -> None:
        match order:
            case FirmwareOrder():
                await self._firmware.run(order)
            case PublishOrder():
                await publish(self.core, order)
            case LogOrder():
                await self._logs.run(order)

    def _announce(self, wanted: Announce) -> None:
        core, now = self.core, self.core.clock.now()
        evses = [evse for number, evse in core.state.evses.items() if wanted.evse_id in {0, number}]
        match wanted.subject:
            case Subject.BOOT:
                core.registration.asked_for = True
                core.changed()
            case Subject.HEARTBEAT:
                core.messages.put(Message("Heartbeat", {}), Origin.CSMS)
            case Subject.STATUS:
                station = core.dialect.station_status(now) if wanted.evse_id == 0 else ()
                for message in (*station, *(core.dialect.status(evse, now) for evse in evses)):
                    core.messages.put(message, Origin.CSMS)
            case Subject.METER_VALUES:
                for evse in evses:
                    self.reporter.meter_values(evse)
            case Subject.TRANSACTION:
                for evse in evses:
                    self.reporter.reading(evse, Context.TRIGGER, Trigger.TRIGGER)

    async def _tell(self, messages: tuple[Message, ...]) -> None:
        told_s = 0.0
        for message in messages:
            if message.after_s > told_s:
                await self.core.clock.sleep(message.after_s - told_s)
                told_s = message.after_s
            if self.core.connected:
                self.core.messages.put(message, Origin.CSMS)

    async def _reboot(self, reason: StopReason | None) -> None:
        """Restart: at once for a reason, or when nobody charges any more.

        Spec: OCPP 1.6 5.14; OCPP 2.0.1 B11, B12
        """
        if self.rebooting:
            return
        self.rebooting = True
        if reason is not None:
            self.visits.stop_all(StopCause(Trigger.RESET_COMMAND, reason))
        await self.core.changes.until(self._idle)
        if reason is not StopReason.HARD_RESET:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_MESSAGES_S):
                    await self.core.changes.until(lambda: len(self.core.queue) == 0 or not self.core.online)
        await self._restart(BootReason.SCHEDULED_RESET if reason is None else BootReason.REMOTE_RESET)
        self.rebooting = False

    async def _restart(self, reason: BootReason) -> None:
        """Say goodbye, go down and come up again."""
        self.sender.boot_reason = reason
        await self.connection.leave("reboot")
        await self.power_cycle()

    async def power_cycle(self) -> None:
        """Go down and come up again; the queue and the history survive, the registration does not."""
        self.connection.cut("reboot")
        self.core.registration = Registration()
        self.core.state.networks.restart(self.core.settings.words(Setting.NETWORK_PRIORITY))
        if ChargingHabit.FORGETS_AT_BOOT in self.core.state.charging_habits:
            self.core.state.profiles.clear(lambda _profile: True, self.core.clock.now())
        await self.core.clock.sleep(self.core.config.reboot_s)
        self.connection.mend("reboot")

    def _idle(self) -> bool:
        return all(evse.transaction is None for evse in self.core.state.evses.values())
