"""OCPP 2.0.1: the words of a station and its messages."""

import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import Version

from chargebus_station.config import EnergyUnit, StationConfig
from chargebus_station.device_model import Setting, Settings, Variable, VariableAddress
from chargebus_station.dialect import BootReason, Handler, Learned
from chargebus_station.effects import Message
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.measurands import Sample, Value, values
from chargebus_station.state import ConnectorState, Evse
from chargebus_station.transaction import Context, Event, IdToken, Kind, StopReason
from chargebus_station.v201_commands import COMMANDS
from chargebus_station.v201_device import component_of, variable_of
from chargebus_station.v201_smart_charging import schedule_of
from chargebus_station.v201_variables import ADDRESSES, station_variables

Payload = dict[str, Any]

# 1.6 tells more states of a connector apart; here they are charging states of the transaction.
_STATUS: Final[Mapping[ConnectorState, str]] = {
    ConnectorState.AVAILABLE: "Available",
    ConnectorState.RESERVED: "Reserved",
    ConnectorState.UNAVAILABLE: "Unavailable",
    ConnectorState.FAULTED: "Faulted",
}

# Only 1.6 tells these reasons apart.
_REASONS: Final[Mapping[StopReason, str]] = {
    StopReason.HARD_RESET: "ImmediateReset",
    StopReason.SOFT_RESET: "ImmediateReset",
    StopReason.UNLOCK_COMMAND: "Other",
}

_MEASURANDS: Final[Mapping[Kind, Setting]] = {
    Kind.STARTED: Setting.STARTED_MEASURANDS,
    Kind.UPDATED: Setting.SAMPLED_MEASURANDS,
    Kind.ENDED: Setting.STOP_MEASURANDS,
}


@dataclass(frozen=True)
class V201:
    """The dialect of 2.0.1."""

    energy_unit: EnergyUnit = EnergyUnit.WH

    version: ClassVar[Version] = "2.0.1"
    subprotocol: ClassVar[str] = "ocpp2.0.1"
    commands: ClassVar[Mapping[str, Handler]] = COMMANDS
    heard_when_rejected: ClassVar[frozenset[str]] = frozenset({"TriggerMessage"})
    addresses: ClassVar[Mapping[Setting, VariableAddress]] = ADDRESSES

    def variables(self, config: StationConfig) -> dict[VariableAddress, Variable]:
        """Return the device model."""
        return station_variables(config)

    def address_of(self, name: str) -> VariableAddress:
        """Read `Component.Variable` or `Component.Variable.Instance`."""
        component, variable, instance = [*name.split("."), ""][:3]
        return VariableAddress(component, variable, variable_instance=instance)

    def boot(self, config: StationConfig, reason: BootReason) -> Message:
        """Spec: OCPP 2.0.1 B01.FR.01."""
        model = config.model
        station = {
            "serialNumber": (model.serial_number or config.station_id)[:25],
            "model": model.model[:20],
            "vendorName": model.vendor[:50],
            "firmwareVersion": model.firmware[:50],
        }
        return Message("BootNotification", {"chargingStation": station, "reason": reason.value})

    def authorize(self, token: IdToken) -> Message:
        """Spec: OCPP 2.0.1 C01.FR.01, C07.FR.01."""
        shown = {} if token.contract is None else token.contract.shown()
        return Message("Authorize", {"idToken": _id_token(token)} | shown)

    def token_status(self, answer: Mapping[str, Any]) -> str:
        """Return the status of the idTokenInfo; that of the contract certificate, where it is not in order."""
        certificate = str(answer.get("certificateStatus", "Accepted"))
        return str(answer["idTokenInfo"]["status"]) if certificate == "Accepted" else certificate

    def status_word(self, state: ConnectorState) -> str:
        """Return one of five words: whatever is not idle, reserved or broken is occupied."""
        return _STATUS.get(state, "Occupied")

    def status(self, evse: Evse, at: datetime) -> Message:
        """Spec: OCPP 2.0.1 G01.FR.01."""
        return Message(
            "StatusNotification",
            {
                "timestamp": format_timestamp(at),
                "connectorStatus": self.status_word(evse.state),
                "evseId": evse.id,
                "connectorId": evse.connector_id,
            },
        )

    def station_status(self, at: datetime) -> tuple[Message, ...]:  # noqa: ARG002  1.6 tells it
        """Return nothing: there is no connector 0."""
        return ()

    def problem(self, evse: Evse, at: datetime) -> tuple[Message, ...]:
        """Spec: OCPP 2.0.1 G05.FR.01, N07.FR.02: a fault is an event of the connector's variable Problem."""
        address = VariableAddress("Connector", "Problem", evse.id, evse.connector_id)
        datum = {
            "eventId": 1 + int(at.timestamp()) % 2**31,
            "timestamp": format_timestamp(at),
            "trigger": "Alerting",
            "actualValue": "true" if evse.faulted else "false",
            "cleared": not evse.faulted,
            "component": component_of(address),
            "variable": variable_of(address),
            "eventNotificationType": "HardWiredNotification",
        }
        payload = {"generatedAt": format_timestamp(at), "tbc": False, "seqNo": 0, "eventData": [datum]}
        return (Message("NotifyEvent", payload),)

    def event(self, event: Event, settings: Settings) -> Message | None:
        """Spec: OCPP 2.0.1 E01 to E12, 1.3 (transaction mechanism)."""
        transaction = event.transaction
        payload: Payload = {
            "eventType": event.kind.value,
            "timestamp": format_timestamp(event.at),
            "triggerReason": event.trigger.value,
            "seqNo": event.seq_no,
            "transactionInfo": _transaction_info(event),
            "evse": {"id": transaction.entry.evse_id, "connectorId": transaction.entry.connector_id},
        }
        if event.offline:
            payload["offline"] = True
        if event.token is not None:
            payload["idToken"] = _id_token(event.token)
        if event.kind is Kind.STARTED and transaction.reservation_id is not None:
            payload["reservationId"] = transaction.reservation_id
        measurands = settings.words(_MEASURANDS[event.kind])
        if event.reading is not None and measurands:
            payload["meterValue"] = [self._meter_value(event.reading, measurands)]
        return Message("TransactionEvent", payload)

    def bind(self, payload: Payload, transaction_id: str) -> Payload:  # noqa: ARG002  the id is the station's own
        """Return the message: it knew its transaction from the beginning."""
        return payload

    def new_transaction_id(self, rng: random.Random) -> str | None:
        """Spec: OCPP 2.0.1 E01.FR.08: unique for ever, so not counted."""
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))

    def learn(self, answer: Mapping[str, Any]) -> Learned:
        """Spec: OCPP 2.0.1 TransactionEventResponse."""
        info = answer.get("idTokenInfo")
        return Learned(id_status=None if info is None else str(info["status"]))

    def meter_values(self, evse: Evse, reading: tuple[Context, Sample], settings: Settings) -> Message:
        """Spec: OCPP 2.0.1 J01, F06.FR.06."""
        meter_value = self._meter_value(reading, settings.words(Setting.SAMPLED_MEASURANDS))
        return Message("MeterValues", {"evseId": evse.id, "meterValue": [meter_value]})

    def limit_set(self, external: ExternalLimit, at: datetime, *, with_schedule: bool) -> tuple[Message, ...]:
        """Spec: OCPP 2.0.1 K11.FR.01, K12.FR.01, K12.FR.04."""
        payload: Payload = {
            "chargingLimit": {"chargingLimitSource": external.source, "isGridCritical": external.critical},
            **_evse(external),
        }
        if with_schedule:
            payload["chargingSchedule"] = [schedule_of(external.profile, at)]
        return (Message("NotifyChargingLimit", payload),)

    def limit_cleared(self, external: ExternalLimit) -> tuple[Message, ...]:
        """Spec: OCPP 2.0.1 K13.FR.02."""
        payload = {"chargingLimitSource": external.source, **_evse(external)}
        return (Message("ClearedChargingLimit", payload),)

    def _meter_value(self, reading: tuple[Context, Sample], measurands: Iterable[str]) -> Payload:
        context, sample = reading
        sampled = [self._sampled(context, value) for value in values(sample, measurands)]
        return {"timestamp": format_timestamp(sample.at), "sampledValue": sampled}

    def _sampled(self, context: Context, value: Value) -> Payload:
        shown = value.in_unit(self.energy_unit)
        told: Payload = {"value": shown.value, "context": context.value, "measurand": shown.measurand}
        if shown.phase is not None:
            told["phase"] = shown.phase
        return {**told, "unitOfMeasure": {"unit": shown.unit}}


def _evse(external: ExternalLimit) -> Payload:
    return {"evseId": external.evse_id} if external.evse_id else {}


def _id_token(token: IdToken) -> Payload:
    return {"idToken": token.text, "type": token.type}


def _transaction_info(event: Event) -> Payload:
    info: Payload = {"transactionId": event.transaction.transaction_id, "chargingState": event.state.value}
    if event.stopped_reason is not None:
        info["stoppedReason"] = _REASONS.get(event.stopped_reason, event.stopped_reason.value)
    if event.transaction.entry.remote_start_id is not None:
        info["remoteStartId"] = event.transaction.entry.remote_start_id
    return info
