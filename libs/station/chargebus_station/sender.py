"""The outgoing side of a connection: boots, sends what waits, and takes note of the answers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chargebus_station.clock import happened
from chargebus_station.config import Resend
from chargebus_station.core import Core
from chargebus_station.csms_socket import CsmsSocket, Outgoing
from chargebus_station.device_model import Setting
from chargebus_station.dialect import BootReason
from chargebus_station.effects import Message
from chargebus_station.faults import Fault
from chargebus_station.habits import written
from chargebus_station.history import CallTally
from chargebus_station.message_queue import Request
from chargebus_station.registration import Status
from chargebus_station.rpc import Answer, CallOutcome, NoAnswer, Refusal, Why
from chargebus_station.transaction import Transaction
from chargebus_station.transaction_queue import QueuedMessage, RetryRule


@dataclass
class Sender:
    """Decides what is sent next; the only one that makes CALLs.

    `on_accepted` is called when a boot notification is accepted, `on_refused` when the CSMS does not accept the token
    of a transaction.
    """

    core: Core
    on_accepted: Callable[[], None]
    on_refused: Callable[[Transaction], None]
    boot_reason: BootReason = field(default=BootReason.POWER_UP)

    async def send_all(self, csms_socket: CsmsSocket) -> None:
        """Send what there is, until the connection ends; what cannot be sent yet is waited for."""
        while csms_socket.open:
            self.core.messages.work.clear()
            wait_s = await self._send_one(csms_socket)
            if wait_s is None:
                await self.core.messages.work.wait()
            elif wait_s > 0:
                await happened(self.core.messages.work, self.core.clock.sleep(wait_s))

    async def _send_one(self, csms_socket: CsmsSocket) -> float | None:
        """Send one message; return 0, or how long nothing will be due (None: until something happens)."""
        core, now = self.core, self.core.clock.now()
        boot_wait_s = core.registration.boot_wait_s(now)
        if boot_wait_s == 0:
            await self._boot(csms_socket)
            return 0
        if (request := core.messages.next(core.registration)) is not None:
            await self._ask(csms_socket, request)
            return 0
        if core.registration.status is not Status.ACCEPTED:
            return boot_wait_s
        due_in_s = core.queue.due_in_s(now)
        if due_in_s == 0 and (head := core.queue.head()) is not None:
            await self._deliver(csms_socket, head)
            return 0
        return due_in_s

    async def _boot(self, csms_socket: CsmsSocket) -> None:
        core = self.core
        triggered = core.registration.asked_for
        reason = BootReason.TRIGGERED if triggered else self.boot_reason
        model = replace(core.config.model, firmware=core.state.firmware.version)
        boot = core.dialect.boot(replace(core.config, model=model), reason)
        outcome = await self._call(csms_socket, Outgoing(boot, core.new_id()))
        if not isinstance(outcome, Answer):
            core.registration.failed(core.clock.now())
            return
        status, interval_s = Status(outcome.payload["status"]), outcome.payload["interval"]
        core.registration.answered(status, interval_s, core.clock.now())
        if status is Status.ACCEPTED:
            self.boot_reason = BootReason.POWER_UP
            core.history.boots_accepted += 1
            if interval_s > 0:
                core.settings.put(Setting.HEARTBEAT_INTERVAL_S, str(interval_s))
            self.on_accepted()
        core.changed()

    async def _ask(self, csms_socket: CsmsSocket, request: Request) -> None:
        outcome = await self._call(csms_socket, Outgoing(request.message, self.core.new_id()))
        if not request.outcome.done():
            request.outcome.set_result(outcome)
        self.core.changed()

    async def _deliver(self, csms_socket: CsmsSocket, queued: QueuedMessage) -> None:
        core, entry = self.core, queued.entry
        same = core.config.network.resend is Resend.SAME_ID and entry.message_ids
        outcome = await self._transmit(csms_socket, queued, entry.message_ids[-1] if same else core.new_id())
        match outcome:
            case Answer(payload):
                core.queue.answered(queued)
                self._learn(queued, payload)
                await self._repeat(csms_socket, queued)
            case Refusal(code):
                entry.refusals.append(code)
                core.queue.failed(queued, core.clock.now(), self._rule())
            case NoAnswer(why, lost):
                entry.lost_answers += lost is not None
                if why is Why.TIMEOUT:
                    core.queue.failed(queued, core.clock.now(), self._rule())
        core.changed()

    async def _transmit(self, csms_socket: CsmsSocket, queued: QueuedMessage, message_id: str) -> CallOutcome:
        queued.entry.message_ids.append(message_id)
        transaction_id = queued.transaction.transaction_id
        payload = queued.payload if transaction_id is None else self.core.dialect.bind(queued.payload, transaction_id)
        return await self._call(csms_socket, Outgoing(Message(queued.action, payload), message_id, queued.entry.kind))

    def _learn(self, queued: QueuedMessage, payload: dict[str, object]) -> None:
        queued.entry.answers.append(payload)
        learned, transaction = self.core.dialect.learn(payload), queued.transaction
        if learned.transaction_id is not None and transaction.transaction_id is None:
            transaction.transaction_id = transaction.entry.transaction_id = learned.transaction_id
        if learned.id_status is not None:
            transaction.entry.token_statuses.append(learned.id_status)
            if transaction.token is not None:
                self.core.state.cache[transaction.token.text] = learned.id_status
            if learned.id_status != "Accepted":
                self.on_refused(transaction)

    async def _repeat(self, csms_socket: CsmsSocket, queued: QueuedMessage) -> None:
        """Send an answered message again, if a fault is armed for it."""
        entry, faults = queued.entry, self.core.faults
        if faults.take(Fault.REPEAT_ANSWERED, queued.action, entry.kind):
            message_id = entry.message_ids[-1]
        elif faults.take(Fault.RESEND_ANSWERED, queued.action, entry.kind):
            message_id = self.core.new_id()
        else:
            return
        outcome = await self._transmit(csms_socket, queued, message_id)
        if isinstance(outcome, Answer):
            entry.answers.append(outcome.payload)

    def _rule(self) -> RetryRule:
        settings = self.core.settings
        return RetryRule(settings.number(Setting.MESSAGE_ATTEMPTS), settings.number(Setting.MESSAGE_RETRY_S))

    async def _call(self, csms_socket: CsmsSocket, outgoing: Outgoing) -> CallOutcome:
        message = outgoing.message
        payload = written(message.action, message.payload, self.core.config.habits)
        outgoing = replace(outgoing, message=replace(message, payload=payload))
        tally = self.core.history.tally(message.action)
        tally.sent += 1
        outcome = await csms_socket.call(outgoing, self.core.config.network.answer_timeout_s)
        _count(tally, outcome)
        return outcome


def _count(tally: CallTally, outcome: CallOutcome) -> None:
    match outcome:
        case Answer():
            tally.answered += 1
        case Refusal():
            tally.refused += 1
        case NoAnswer():
            tally.unanswered += 1
