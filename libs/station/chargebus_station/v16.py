"""OCPP 1.6J: the words of a charge point, its configuration keys, and its messages."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import Version

from chargebus_station.charging_habits import units
from chargebus_station.config import EnergyUnit, StationConfig
from chargebus_station.device_model import (
    DataType,
    Mutability,
    Setting,
    Settings,
    Takes,
    Variable,
    VariableAddress,
    table,
)
from chargebus_station.dialect import BootReason, Handler, Learned
from chargebus_station.effects import Message
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.measurands import Sample, Value, values
from chargebus_station.state import ConnectorState, Evse
from chargebus_station.transaction import Context, Event, IdToken, Kind, StopReason
from chargebus_station.v16_commands import COMMANDS

_REASONS: Final[Mapping[StopReason, str]] = {
    StopReason.LOCAL: "Local",
    StopReason.REMOTE: "Remote",
    StopReason.EV_DISCONNECTED: "EVDisconnected",
    StopReason.DEAUTHORIZED: "DeAuthorized",
    StopReason.TIMEOUT: "Other",
    StopReason.POWER_LOSS: "PowerLoss",
    StopReason.GROUND_FAULT: "Other",
    StopReason.IMMEDIATE_RESET: "Reboot",
    StopReason.HARD_RESET: "HardReset",
    StopReason.SOFT_RESET: "SoftReset",
    StopReason.UNLOCK_COMMAND: "UnlockCommand",
}

_SETTINGS: Final[Mapping[Setting, str]] = {
    Setting.HEARTBEAT_INTERVAL_S: "HeartbeatInterval",
    Setting.SAMPLE_INTERVAL_S: "MeterValueSampleInterval",
    Setting.SAMPLED_MEASURANDS: "MeterValuesSampledData",
    Setting.STOP_MEASURANDS: "StopTxnSampledData",
    Setting.MESSAGE_ATTEMPTS: "TransactionMessageAttempts",
    Setting.MESSAGE_RETRY_S: "TransactionMessageRetryInterval",
    Setting.STOP_ON_INVALID_ID: "StopTransactionOnInvalidId",
    Setting.AUTHORIZE_REMOTE_START: "AuthorizeRemoteTxRequests",
    Setting.OFFLINE_UNKNOWN_ID: "AllowOfflineTxForUnknownId",
    Setting.CONNECTION_TIMEOUT_S: "ConnectionTimeOut",
    Setting.PASSWORD: "AuthorizationKey",
    Setting.SECURITY_PROFILE: "SecurityProfile",
    Setting.MAX_STACK_LEVEL: "ChargeProfileMaxStackLevel",
    Setting.RATE_UNITS: "ChargingScheduleAllowedChargingRateUnit",
    Setting.MAX_PERIODS: "ChargingScheduleMaxPeriods",
    Setting.MAX_PROFILES: "MaxChargingProfilesInstalled",
    Setting.SWITCHES_PHASES: "ConnectorSwitch3to1PhaseSupported",
}

_RATE_UNITS: Final = {"W": "Power", "A": "Current"}

_MEASURANDS: Final = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
)

Payload = dict[str, Any]


def _seconds(value: str) -> Variable:
    return Variable(value, DataType.INTEGER, unit="s", minimum=0)


def _flag(value: str) -> Variable:
    return Variable(value, DataType.BOOLEAN)


def _fixed(value: str) -> Variable:
    return Variable(value, mutability=Mutability.READ_ONLY)


def _members(value: str) -> Variable:
    return Variable(value, DataType.MEMBER_LIST, allowed=_MEASURANDS)


def _keys(config: StationConfig) -> Iterable[tuple[str, Variable]]:
    """Spec: OCPP 1.6 9; security white paper 2.4 (AuthorizationKey, SecurityProfile, CpoName)."""
    yield "AllowOfflineTxForUnknownId", _flag("false")
    yield "AuthorizationCacheEnabled", _flag("true")
    yield "AuthorizationKey", Variable(config.password or "", mutability=Mutability.WRITE_ONLY)
    yield "AuthorizeRemoteTxRequests", _flag("false")
    yield "ChargeProfileMaxStackLevel", _fixed("10")
    yield (
        "ChargingScheduleAllowedChargingRateUnit",
        _fixed(",".join(_RATE_UNITS[unit] for unit in units(config.charging_habits))),
    )
    yield "ChargingScheduleMaxPeriods", _fixed("24")
    yield "ClockAlignedDataInterval", _seconds("0")
    yield "ConnectionTimeOut", _seconds("120")
    yield "ConnectorPhaseRotation", Variable("NotApplicable")
    yield "ConnectorSwitch3to1PhaseSupported", _fixed("false")
    yield "CpoName", Variable("Chargebus", takes=Takes.AFTER_REBOOT)
    yield "GetConfigurationMaxKeys", _fixed("50")
    yield "HeartbeatInterval", _seconds("300")
    yield "LocalAuthListEnabled", _flag("true")
    yield "LocalAuthListMaxLength", _fixed("1000")
    yield "LocalAuthorizeOffline", _flag("true")
    yield "LocalPreAuthorize", _flag("false")
    yield "MaxChargingProfilesInstalled", _fixed("10")
    yield "MeterValueSampleInterval", _seconds("60")
    yield "MeterValuesAlignedData", _members("")
    yield "MeterValuesSampledData", _members("Energy.Active.Import.Register,Power.Active.Import,Current.Import,SoC")
    yield "NumberOfConnectors", _fixed(str(len(config.outlets)))
    yield "ReserveConnectorZeroSupported", _fixed("false")
    yield "ResetRetries", Variable("1", DataType.INTEGER, minimum=0)
    yield "SecurityProfile", Variable("1" if config.password else "0", DataType.INTEGER)
    yield "SendLocalListMaxLength", _fixed("100")
    yield "StopTransactionOnEVSideDisconnect", _fixed("true")
    yield "StopTransactionOnInvalidId", _flag("true")
    yield "StopTxnAlignedData", _members("")
    yield "StopTxnSampledData", _members("")
    yield (
        "SupportedFeatureProfiles",
        _fixed("Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"),
    )
    yield "SupportedFileTransferProtocols", _fixed("HTTPS,HTTP,SFTP,FTP")
    yield "TransactionMessageAttempts", Variable("3", DataType.INTEGER, minimum=1)
    yield "TransactionMessageRetryInterval", _seconds("60")
    yield "UnlockConnectorOnEVSideDisconnect", _flag("true")
    yield "WebSocketPingInterval", _seconds("20")


@dataclass(frozen=True)
class V16:
    """The dialect of 1.6. A connector of 1.6 is an EVSE with one connector."""

    energy_unit: EnergyUnit = EnergyUnit.WH

    version: ClassVar[Version] = "1.6"
    subprotocol: ClassVar[str] = "ocpp1.6"
    commands: ClassVar[Mapping[str, Handler]] = COMMANDS
    heard_when_rejected: ClassVar[frozenset[str]] = frozenset()
    addresses: ClassVar[Mapping[Setting, VariableAddress]] = {
        name: VariableAddress("", key) for name, key in _SETTINGS.items()
    }

    def variables(self, config: StationConfig) -> dict[VariableAddress, Variable]:
        """Return the configuration keys as variables of no component."""
        return table("", _keys(config))

    def address_of(self, name: str) -> VariableAddress:
        """Return the address of a key."""
        return VariableAddress("", name)

    def boot(self, config: StationConfig, reason: BootReason) -> Message:  # noqa: ARG002  1.6 does not tell why
        """Spec: OCPP 1.6 4.2."""
        model = config.model
        payload = {
            "chargePointVendor": model.vendor[:20],
            "chargePointModel": model.model[:20],
            "chargePointSerialNumber": (model.serial_number or config.station_id)[:25],
            "firmwareVersion": model.firmware[:50],
        }
        return Message("BootNotification", payload)

    def authorize(self, token: IdToken) -> Message:
        """Spec: OCPP 1.6 4.1."""
        return Message("Authorize", {"idTag": token.text})

    def token_status(self, answer: Mapping[str, Any]) -> str:
        """Return the status of the idTagInfo."""
        return str(answer["idTagInfo"]["status"])

    def status_word(self, state: ConnectorState) -> str:
        """Return the state itself: its words are those of 1.6."""
        return state.value

    def status(self, evse: Evse, at: datetime) -> Message:
        """Spec: OCPP 1.6 4.9."""
        return self._status(evse.id, evse.state, at)

    def station_status(self, at: datetime) -> tuple[Message, ...]:
        """Spec: OCPP 1.6 4.9: connector 0 is the charge point's main controller."""
        return (self._status(0, ConnectorState.AVAILABLE, at),)

    def _status(self, connector_id: int, state: ConnectorState, at: datetime) -> Message:
        error = "GroundFailure" if state is ConnectorState.FAULTED else "NoError"
        payload = {"connectorId": connector_id, "errorCode": error, "status": state.value}
        return Message("StatusNotification", {**payload, "timestamp": format_timestamp(at)})

    def problem(self, evse: Evse, at: datetime) -> tuple[Message, ...]:  # noqa: ARG002  the status says it all
        """Return nothing: the error code stands in the status."""
        return ()

    def event(self, event: Event, settings: Settings) -> Message | None:
        """Return StartTransaction, MeterValues or StopTransaction. Spec: OCPP 1.6 4.7, 4.8, 4.10."""
        return _TELLERS[event.kind](self, event, settings)

    def started(self, event: Event, _settings: Settings) -> Message | None:
        """Spec: OCPP 1.6 4.8."""
        transaction = event.transaction
        payload: Payload = {
            "connectorId": transaction.entry.evse_id,
            "idTag": "" if transaction.token is None else transaction.token.text,
            "meterStart": transaction.entry.meter_start_wh,
            "reservationId": transaction.reservation_id,
            "timestamp": format_timestamp(event.at),
        }
        return Message("StartTransaction", {name: value for name, value in payload.items() if value is not None})

    def updated(self, event: Event, settings: Settings) -> Message | None:
        """Spec: OCPP 1.6 4.7; what has no reading is told by the status of the connector."""
        if event.reading is None or not settings.words(Setting.SAMPLED_MEASURANDS):
            return None
        connector_id = event.transaction.entry.evse_id
        meter_value = self._meter_value(event.reading, settings.words(Setting.SAMPLED_MEASURANDS))
        return Message("MeterValues", {"connectorId": connector_id, "transactionId": None, "meterValue": [meter_value]})

    def ended(self, event: Event, settings: Settings) -> Message | None:
        """Spec: OCPP 1.6 4.10."""
        transaction = event.transaction
        payload: Payload = {
            "meterStop": transaction.entry.meter_stop_wh,
            "timestamp": format_timestamp(event.at),
            "transactionId": None,
            "reason": _REASONS[event.stopped_reason or StopReason.LOCAL],
        }
        if event.token is not None:
            payload["idTag"] = event.token.text
        if measurands := settings.words(Setting.STOP_MEASURANDS):
            payload["transactionData"] = [self._meter_value(reading, measurands) for reading in transaction.samples]
        return Message("StopTransaction", payload)

    def bind(self, payload: Payload, transaction_id: str) -> Payload:
        """Fill in the id that the start was answered with."""
        return {**payload, "transactionId": int(transaction_id)} if "transactionId" in payload else payload

    def new_transaction_id(self, rng: random.Random) -> str | None:  # noqa: ARG002
        """Return nothing: the central system gives it. Spec: OCPP 1.6 4.8."""
        return None

    def learn(self, answer: Mapping[str, Any]) -> Learned:
        """Spec: OCPP 1.6 6.46, 6.50."""
        transaction_id = answer.get("transactionId")
        info = answer.get("idTagInfo")
        return Learned(
            None if transaction_id is None else str(transaction_id), None if info is None else str(info["status"])
        )

    def limit_set(self, external: ExternalLimit, at: datetime, *, with_schedule: bool) -> tuple[Message, ...]:  # noqa: ARG002
        """Return nothing: 1.6 has no word for it."""
        return ()

    def limit_cleared(self, external: ExternalLimit) -> tuple[Message, ...]:  # noqa: ARG002
        """Return nothing: 1.6 has no word for it."""
        return ()

    def meter_values(self, evse: Evse, reading: tuple[Context, Sample], settings: Settings) -> Message:
        """Spec: OCPP 1.6 4.7, 5.17."""
        payload: Payload = {"connectorId": evse.id}
        if evse.transaction is not None and evse.transaction.transaction_id is not None:
            payload["transactionId"] = int(evse.transaction.transaction_id)
        payload["meterValue"] = [self._meter_value(reading, settings.words(Setting.SAMPLED_MEASURANDS))]
        return Message("MeterValues", payload)

    def _meter_value(self, reading: tuple[Context, Sample], measurands: Iterable[str]) -> Payload:
        context, sample = reading
        sampled = [self._sampled(context, value) for value in values(sample, measurands)]
        return {"timestamp": format_timestamp(sample.at), "sampledValue": sampled}

    def _sampled(self, context: Context, value: Value) -> Payload:
        shown = value.in_unit(self.energy_unit)
        told = {"value": str(shown.value), "context": context.value, "measurand": shown.measurand, "unit": shown.unit}
        return told if shown.phase is None else {**told, "phase": shown.phase}


_TELLERS: Final = {Kind.STARTED: V16.started, Kind.UPDATED: V16.updated, Kind.ENDED: V16.ended}
