"""A transaction and what happens in it, in the words of OCPP 2.x; each version tells of it in its own way."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chargebus_station.contracts import Contract
from chargebus_station.history import TransactionEntry
from chargebus_station.measurands import Sample


class Kind(StrEnum):
    """The kind of a transaction event."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


class Trigger(StrEnum):
    """Why an event is told. Spec: OCPP 2.0.1 TriggerReasonEnumType."""

    AUTHORIZED = "Authorized"
    CABLE_PLUGGED_IN = "CablePluggedIn"
    CHARGING_RATE_CHANGED = "ChargingRateChanged"
    CHARGING_STATE_CHANGED = "ChargingStateChanged"
    METER_VALUE_PERIODIC = "MeterValuePeriodic"
    TRIGGER = "Trigger"
    STOP_AUTHORIZED = "StopAuthorized"
    DEAUTHORIZED = "Deauthorized"
    EV_COMMUNICATION_LOST = "EVCommunicationLost"
    EV_CONNECT_TIMEOUT = "EVConnectTimeout"
    REMOTE_START = "RemoteStart"
    REMOTE_STOP = "RemoteStop"
    RESET_COMMAND = "ResetCommand"
    UNLOCK_COMMAND = "UnlockCommand"
    ABNORMAL_CONDITION = "AbnormalCondition"


class StopReason(StrEnum):
    """Why a transaction ended. Spec: OCPP 2.0.1 ReasonEnumType; the last three are told apart by 1.6 only."""

    LOCAL = "Local"
    REMOTE = "Remote"
    EV_DISCONNECTED = "EVDisconnected"
    DEAUTHORIZED = "DeAuthorized"
    TIMEOUT = "Timeout"
    POWER_LOSS = "PowerLoss"
    GROUND_FAULT = "GroundFault"
    IMMEDIATE_RESET = "ImmediateReset"
    HARD_RESET = "HardReset"
    SOFT_RESET = "SoftReset"
    UNLOCK_COMMAND = "UnlockCommand"


class ChargingState(StrEnum):
    """What the EVSE does for the vehicle. Spec: OCPP 2.0.1 ChargingStateEnumType."""

    IDLE = "Idle"
    EV_CONNECTED = "EVConnected"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"


class Context(StrEnum):
    """Why the meter was read. Spec: ReadingContextEnumType."""

    BEGIN = "Transaction.Begin"
    PERIODIC = "Sample.Periodic"
    END = "Transaction.End"
    TRIGGER = "Trigger"


@dataclass(frozen=True)
class IdToken:
    """What a driver presents, or the contract of the vehicle; 1.6 knows neither type nor contract."""

    text: str
    type: str = "ISO14443"
    contract: Contract | None = None


@dataclass(frozen=True)
class StopCause:
    """Why energy is to stop: what is told, and the token if one was presented."""

    trigger: Trigger
    reason: StopReason
    token: IdToken | None = None


@dataclass
class Transaction:
    """A transaction under way. In 1.6 `transaction_id` is None until the CSMS has given one."""

    entry: TransactionEntry
    transaction_id: str | None
    token: IdToken | None
    state: ChargingState
    reservation_id: int | None = None
    next_seq_no: int = 0
    samples: list[tuple[Context, Sample]] = field(default_factory=list)
    """The readings that go into the stop message, where the configuration wants them there."""
    forgotten: bool = False
    """The CSMS never took its start and the station gave up: a 1.6 transaction that nobody can name."""

    def number(self) -> int:
        """Return the next sequence number. Spec: OCPP 2.0.1 E01.FR.07, 1.3.2.1."""
        number = self.next_seq_no
        self.next_seq_no += 1
        return number


@dataclass(frozen=True)
class Event:
    """Something that happened in a transaction, and what the meter showed if it was read for it."""

    transaction: Transaction
    kind: Kind
    trigger: Trigger
    at: datetime
    seq_no: int
    offline: bool
    state: ChargingState
    reading: tuple[Context, Sample] | None = None
    token: IdToken | None = None
    stopped_reason: StopReason | None = None
