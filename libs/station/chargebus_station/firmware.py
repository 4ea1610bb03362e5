"""What a station does when it is to install firmware: it loads, verifies and installs it, and boots with its version.

Spec: OCPP 1.6 5.19, 4.5; security white paper, SignedUpdateFirmware; OCPP 2.0.1 L01, L02
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from chargebus_station import firmware_image
from chargebus_station.core import Core
from chargebus_station.dialect import BootReason
from chargebus_station.effects import FirmwareOrder, Message, PublishOrder
from chargebus_station.faults import Fault
from chargebus_station.rpc import NoAnswer, Why
from chargebus_station.transfers import Download, TransferError

_STEP_S: Final = 20.0
"""Simulated seconds that verifying, and installing, take."""
_NAME: Final = "UpdateFirmware"
_PUBLISH_NAME: Final = "PublishFirmware"
"""The actions by which faults of an update, and of a publication, are armed."""

_PLAIN: Final = frozenset(
    {"Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing", "Installed"}
)
_PLAIN_FAILURES: Final = {"InvalidSignature": "InstallationFailed", "InstallVerificationFailed": "InstallationFailed"}
"""How the first words of OCPP 1.6 say it."""


class FailedError(Exception):
    """An update that came to its end with this status."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class FirmwareUpdates:
    """The updates of one station, one at a time; `restart` takes it down and up again."""

    core: Core
    restart: Callable[[BootReason], Awaitable[None]]

    async def run(self, order: FirmwareOrder) -> None:
        """Carry out an order, unless another takes its place on the way."""
        state = self.core.state.firmware
        if state.task is not None:
            state.task.cancel()
            await asyncio.wait((state.task,))
        state.order, state.task = order, asyncio.current_task()
        try:
            await self._update(order)
        except FailedError as failed:
            await self._say(order, failed.status)
        finally:
            if state.order is order:
                state.order, state.task, state.status, state.installing = None, None, "Idle", False

    async def _update(self, order: FirmwareOrder) -> None:
        await self._wait(order, order.retrieve_at, "DownloadScheduled")
        await self._say(order, "Downloading")
        content = await _loaded(self.core, order, _NAME)
        if content is None:
            raise FailedError("DownloadFailed")
        await self._say(order, "Downloaded")
        if order.certificate:
            await self._verify(order, content)
        version = firmware_image.version_of(content)
        if version is None or self._is_to(Fault.FAIL_VERIFICATION):
            raise FailedError("InstallVerificationFailed")
        await self._wait(order, order.install_at, "InstallScheduled")
        if not self._idle():
            await self._say(order, "InstallScheduled")
            await self.core.changes.until(self._idle)
        await self._install(order, version)

    async def _verify(self, order: FirmwareOrder, content: bytes) -> None:
        await self.core.clock.sleep(_STEP_S)
        certificate = firmware_image.certificate_of(order.certificate)
        is_good = certificate is not None and firmware_image.is_signed(content, order.signature, certificate)
        if not is_good or self._is_to(Fault.FAIL_SIGNATURE):
            raise FailedError("InvalidSignature")
        await self._say(order, "SignatureVerified")

    async def _install(self, order: FirmwareOrder, version: str) -> None:
        core, state = self.core, self.core.state.firmware
        state.installing = True
        await self._say(order, "Installing")
        await core.clock.sleep(_STEP_S)
        if self._is_to(Fault.FAIL_INSTALLATION):
            raise FailedError("InstallationFailed")
        if not self._is_to(Fault.KEEP_VERSION):
            state.version = version
        if self._is_to(Fault.SKIP_STATUSES):
            await self.restart(BootReason.FIRMWARE_UPDATE)
            return
        await self._say(order, "InstallRebooting")
        await self.restart(BootReason.FIRMWARE_UPDATE)
        await self._say(order, "Installed")

    async def _wait(self, order: FirmwareOrder, until: datetime | None, status: str) -> None:
        # The CSMS goes by its own clock, and simulated time lies behind it.
        wait_s = 0.0 if until is None else (until - datetime.now(UTC)).total_seconds()
        if wait_s > 0:
            await self._say(order, status)
            await self.core.clock.sleep(wait_s)

    async def _say(self, order: FirmwareOrder, status: str) -> None:
        """Tell a status in the words that the version has for it."""
        status = _PLAIN_FAILURES.get(status, status) if order.is_plain else status
        if order.is_plain and status not in _PLAIN:
            return
        self.core.state.firmware.status = status
        payload: dict[str, Any] = {"status": status}
        if order.request_id is not None:
            payload["requestId"] = order.request_id
        await _told(self.core, Message(order.tells_by, payload))

    def _is_to(self, fault: Fault) -> bool:
        return self.core.faults.take(fault, _NAME)

    def _idle(self) -> bool:
        return all(evse.transaction is None for evse in self.core.state.evses.values())


async def publish(core: Core, order: PublishOrder) -> None:
    """Load an image as a local controller does, and tell where the stations behind it find it.

    Spec: OCPP 2.0.1 L03
    """

    async def say(status: str, **more: object) -> None:
        payload = {"status": status, "requestId": order.request_id, **more}
        await _told(core, Message("PublishFirmwareStatusNotification", payload))

    await say("Downloading")
    content = await _loaded(core, order, _PUBLISH_NAME)
    if content is None:
        await say("DownloadFailed")
        return
    await say("Downloaded")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != order.checksum.lower():
        await say("InvalidChecksum")
        return
    await say("ChecksumVerified")
    core.state.published[order.checksum.lower()] = content
    await say("Published", location=[f"http://{core.config.station_id}.local/firmware/{order.checksum.lower()}"[:512]])


async def _loaded(core: Core, order: FirmwareOrder | PublishOrder, action: str) -> bytes | None:
    """Return the file of an order, tried as often as it says; None: it cannot be had."""
    download = Download(order.location)
    for attempt in range(order.retries + 1):
        if attempt:
            await core.clock.sleep(order.retry_interval_s)
        if core.faults.take(Fault.FAIL_DOWNLOAD, action):
            continue
        with suppress(TransferError):
            return await download.load(break_off=core.faults.take(Fault.BREAK_OFF_TRANSFER, action))
    return None


async def _told(core: Core, message: Message) -> None:
    """Return when a message was told, however long the station is offline."""
    while True:
        await core.changes.until(lambda: core.online)
        outcome = await core.messages.put(message)
        if not isinstance(outcome, NoAnswer) or outcome.why is not Why.OFFLINE:
            return
