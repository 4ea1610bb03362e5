"""What a station does when its log is wanted: it writes down what it did, and sends the file to where it is told.

Spec: OCPP 1.6 5.9, 4.4; security white paper, GetLog; OCPP 2.0.1 N01
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chargebus_station.core import Core
from chargebus_station.effects import LogOrder, Message
from chargebus_station.faults import Fault
from chargebus_station.transfers import TransferError, upload


@dataclass
class LogUploads:
    """The uploads of one station, one at a time."""

    core: Core

    async def run(self, order: LogOrder) -> None:
        """Send a log; one that is on its way already is given up. Spec: OCPP 2.0.1 N01.FR.12, N01.FR.20."""
        state = self.core.state.log_upload
        if state.task is not None and state.order is not None:
            given_up, running = state.order, state.task
            running.cancel()
            await asyncio.wait((running,))
            if not given_up.is_plain:
                self._say(given_up, "AcceptedCanceled")
        state.order, state.task = order, asyncio.current_task()
        try:
            await self._send(order)
        finally:
            if state.order is order:
                state.order, state.task, state.status = None, None, "Idle"

    async def _send(self, order: LogOrder) -> None:
        self._say(order, "Uploading")
        content = log_text(self.core, order.kind).encode()
        times = 2 if self._is_to(Fault.UPLOAD_TWICE, order) else 1
        if self._is_to(Fault.SAY_UPLOADED, order):
            self._say(order, "Uploaded")
            return
        for attempt in range(order.retries + 1):
            if attempt:
                await self.core.clock.sleep(order.retry_interval_s)
            if self._is_to(Fault.FAIL_UPLOAD, order):
                continue
            with suppress(TransferError):
                for _ in range(times):
                    break_off = self._is_to(Fault.BREAK_OFF_TRANSFER, order)
                    await upload(order.location, order.name, content, order.way, break_off=break_off)
                self._say(order, "Uploaded")
                return
        self._say(order, "UploadFailed" if order.is_plain else "UploadFailure")

    def _say(self, order: LogOrder, status: str) -> None:
        self.core.state.log_upload.status = status
        payload: dict[str, Any] = {"status": status}
        if order.request_id is not None:
            payload["requestId"] = order.request_id
        if self.core.online:
            self.core.messages.put(Message(order.tells_by, payload))

    def _is_to(self, fault: Fault, order: LogOrder) -> bool:
        return self.core.faults.take(fault, order.action)


def log_text(core: Core, kind: str) -> str:
    """Return the log of a station: what it is, what it was asked, and what it sent."""
    model, history = core.config.model, core.history
    lines = [
        f"{kind} of {core.config.station_id}: {model.vendor} {model.model}, firmware {core.state.firmware.version}",
        f"OCPP {core.config.version}, connected {history.connections} times, booted {history.boots_accepted} times",
    ]
    for command in history.commands:
        outcome = command.refused or "answered"
        lines.append(f"{command.received_at.isoformat()} {command.action} ({command.message_id}): {outcome}")
    lines += [
        f"{entry.started_at.isoformat()} charge at EVSE {entry.evse_id} from {entry.meter_start_wh} Wh"
        for entry in history.transactions
    ]
    return "\n".join(lines) + "\n"
