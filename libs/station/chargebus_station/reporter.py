"""Turns what happens at the EVSEs into messages, and writes it into the history."""

from dataclasses import dataclass
from datetime import datetime

from chargebus_station.core import Core
from chargebus_station.effects import Message
from chargebus_station.faults import Fault
from chargebus_station.history import MessageEntry, Reading, TransactionEntry
from chargebus_station.measurands import ENERGY, Sample
from chargebus_station.registration import Origin
from chargebus_station.rpc import Answer, CallOutcome
from chargebus_station.state import ConnectorState, Evse
from chargebus_station.transaction import (
    ChargingState,
    Context,
    Event,
    IdToken,
    Kind,
    StopCause,
    StopReason,
    Transaction,
    Trigger,
)
from chargebus_station.transaction_queue import QueuedMessage


@dataclass(frozen=True)
class Opening:
    """What opens a transaction: a token, or only a cable; locally or from afar."""

    trigger: Trigger
    token: IdToken | None = None
    remote_start_id: int | None = None


@dataclass(frozen=True)
class _EventParts:
    """What an event is to be made of."""

    kind: Kind
    trigger: Trigger
    reading: tuple[Context, Sample] | None = None
    token: IdToken | None = None
    stopped_reason: StopReason | None = None


class Reporter:
    """Tells the statuses and transactions of one station."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._told: dict[int, str] = {}

    def status(self, evse: Evse, state: ConnectorState) -> None:
        """Take the connector to a state and tell it, if the version has another word for it than the last one told.

        Spec: OCPP 1.6 4.9; OCPP 2.0.1 G01.FR.01
        """
        evse.state = ConnectorState.FAULTED if evse.faulted else state
        self._core.changed()
        if self._core.online:
            self._tell_status(evse)

    def at_rest(self) -> None:
        """Show on every EVSE where nobody is what it is: free, reserved, out of service."""
        for evse in self._core.state.evses.values():
            if not evse.occupied:
                reservation = self._core.state.reserved_for(evse.id, self._core.clock.now())
                self.status(evse, evse.at_rest(reservation))

    def everything(self) -> None:
        """Tell all statuses. Spec: OCPP 1.6 4.2, 4.9; OCPP 2.0.1 B01.FR.05, B04.FR.01."""
        self._told.clear()
        for message in self._core.dialect.station_status(self._core.clock.now()):
            self._core.messages.put(message)
        self.changes()

    def changes(self) -> None:
        """Tell the statuses that changed while nobody listened. Spec: OCPP 1.6 4.9; OCPP 2.0.1 B04.FR.02."""
        for evse in self._core.state.evses.values():
            self._tell_status(evse)

    def _tell_status(self, evse: Evse) -> None:
        word = self._core.dialect.status_word(evse.state)
        if self._told.get(evse.id) == word:
            return
        self._told[evse.id] = word
        sent = self._core.messages.put(self._core.dialect.status(evse, self._core.clock.now()))

        def unless_answered(outcome: CallOutcome) -> None:
            if not isinstance(outcome, Answer) and self._told.get(evse.id) == word:
                del self._told[evse.id]

        sent.add_done_callback(lambda done: None if done.cancelled() else unless_answered(done.result()))

    def problem(self, evse: Evse) -> None:
        """Tell that a fault has come or gone."""
        self.status(evse, evse.state)
        if self._core.online:
            for message in self._core.dialect.problem(evse, self._core.clock.now()):
                self._core.messages.put(message)

    def sample(self, evse: Evse) -> Sample:
        """Return what the meter of an EVSE shows."""
        return self._core.state.shown(evse, self._core.clock.now())

    def meter_values(self, evse: Evse) -> None:
        """Send a reading that the CSMS asked for. Spec: OCPP 1.6 5.17; OCPP 2.0.1 F06.FR.06."""
        reading = (Context.TRIGGER, self.sample(evse))
        message = self._core.dialect.meter_values(evse, reading, self._core.settings)
        self._core.messages.put(message, Origin.CSMS)

    def begin(self, evse: Evse, opening: Opening, state: ChargingState) -> Transaction:
        """Begin a transaction. Spec: OCPP 1.6 4.8; OCPP 2.0.1 E01."""
        core, shown = self._core, self.sample(evse)
        entry = TransactionEntry(
            key=core.new_id(),
            station_id=core.config.station_id,
            version=core.config.version,
            evse_id=evse.id,
            connector_id=evse.connector_id,
            started_at=shown.at,
            meter_start_wh=shown.energy_wh,
            id_token=None if opening.token is None else opening.token.text,
            transaction_id=core.dialect.new_transaction_id(core.rng),
            remote_start_id=opening.remote_start_id,
        )
        core.history.open(entry)
        reservation_id = self._use_reservation(evse, shown.at)
        transaction = Transaction(entry, entry.transaction_id, opening.token, state, reservation_id)
        evse.transaction = transaction
        self._tell(
            self._event(transaction, _EventParts(Kind.STARTED, opening.trigger, (Context.BEGIN, shown), opening.token))
        )
        return transaction

    def _use_reservation(self, evse: Evse, now: datetime) -> int | None:
        reservation = self._core.state.reserved_for(evse.id, now)
        if reservation is None:
            return None
        del self._core.state.reservations[reservation.id]
        return reservation.id

    def authorized(self, transaction: Transaction, opening: Opening) -> None:
        """Tell whose transaction it is, now that it is known. Spec: OCPP 2.0.1 E03.FR.01, F02.FR.21."""
        transaction.token = opening.token
        transaction.entry.id_token = None if opening.token is None else opening.token.text
        transaction.entry.remote_start_id = opening.remote_start_id
        self._tell(self._event(transaction, _EventParts(Kind.UPDATED, opening.trigger, token=opening.token)))

    def charging_state(self, transaction: Transaction, state: ChargingState, token: IdToken | None = None) -> None:
        """Tell a new charging state. Spec: OCPP 2.0.1 E02.FR.02, E07.FR.02."""
        transaction.state = state
        trigger = Trigger.CHARGING_STATE_CHANGED if token is None else Trigger.STOP_AUTHORIZED
        self._tell(self._event(transaction, _EventParts(Kind.UPDATED, trigger, token=token)))

    def reading(self, evse: Evse, context: Context, trigger: Trigger) -> None:
        """Tell what the meter shows in the course of a transaction. Spec: OCPP 1.6 4.7; OCPP 2.0.1 E02.FR.09, J02."""
        if evse.transaction is not None:
            shown = self.sample(evse)
            self._tell(self._event(evse.transaction, _EventParts(Kind.UPDATED, trigger, (context, shown))))

    def rate_changed(self, evse: Evse) -> None:
        """Tell that somebody else than the CSMS has changed what the EVSE may give.

        Spec: OCPP 2.0.1 K12.FR.03, K13.FR.03
        """
        if evse.transaction is not None:
            self._tell(self._event(evse.transaction, _EventParts(Kind.UPDATED, Trigger.CHARGING_RATE_CHANGED)))

    def end(self, evse: Evse, cause: StopCause) -> None:
        """End the transaction of an EVSE. Spec: OCPP 1.6 4.10; OCPP 2.0.1 E06, E07."""
        core, transaction, shown = self._core, evse.transaction, self.sample(evse)
        if transaction is None:
            return
        evse.transaction = None
        transaction.state = ChargingState.IDLE if cause.token is None else ChargingState.EV_CONNECTED
        core.history.close(transaction.entry, shown.at, shown.energy_wh, cause.reason.value)
        core.state.profiles.transaction_ended(evse.id, shown.at)
        core.state.priority.discard(transaction.transaction_id or "")
        parts = _EventParts(Kind.ENDED, cause.trigger, (Context.END, shown), cause.token, cause.reason)
        self._tell(self._event(transaction, parts))
        core.queue.release()
        core.changed()

    def _event(self, transaction: Transaction, parts: _EventParts) -> Event:
        if parts.reading is not None and parts.reading[0] in {Context.BEGIN, Context.END}:
            transaction.samples.append(parts.reading)
        return Event(
            transaction=transaction,
            kind=parts.kind,
            trigger=parts.trigger,
            at=self._core.clock.now() if parts.reading is None else parts.reading[1].at,
            seq_no=transaction.number(),
            offline=not self._core.online,
            state=transaction.state,
            reading=parts.reading,
            token=parts.token,
            stopped_reason=parts.stopped_reason,
        )

    def _tell(self, event: Event) -> None:
        message = self._core.dialect.event(event, self._core.settings)
        if message is None:
            return
        entry = MessageEntry(
            message.action, event.kind.value, event.seq_no, event.at, event.offline, _readings(event, message)
        )
        event.transaction.entry.messages.append(entry)
        queued = QueuedMessage(event.transaction, message.action, message.payload, entry)
        if self._held_back(message, event):
            self._core.queue.hold(queued)
        else:
            self._core.queue.put(queued)
        self._core.changed()

    def _held_back(self, message: Message, event: Event) -> bool:
        # Without its start a 1.6 transaction has no id, and nothing could overtake it.
        can_wait = event.transaction.transaction_id is not None or event.kind is Kind.UPDATED
        return can_wait and self._core.faults.take(Fault.HOLD_BACK, message.action, event.kind.value)


def _readings(event: Event, message: Message) -> tuple[Reading, ...]:
    if event.reading is None or not _tells_energy(message):
        return ()
    context, shown = event.reading
    return (Reading(shown.at, shown.energy_wh, context.value),)


def _tells_energy(message: Message) -> bool:
    # StartTransaction and StopTransaction of 1.6 always tell the register, outside of any meter value.
    meter_values = message.payload.get("meterValue")
    if meter_values is None:
        return "meterStart" in message.payload or "meterStop" in message.payload
    return any(value["measurand"] == ENERGY for meter_value in meter_values for value in meter_value["sampledValue"])
