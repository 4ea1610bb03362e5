"""What a version must be able to say and to understand; one implementation for each version."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from chargebus_ocppj.versions import Version

from chargebus_station.commands import CommandDecider
from chargebus_station.config import StationConfig
from chargebus_station.device_model import Setting, Settings, Variable, VariableAddress
from chargebus_station.effects import Message, Reply
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.measurands import Sample
from chargebus_station.state import ConnectorState, Evse
from chargebus_station.transaction import Context, Event, IdToken

Handler = Callable[[CommandDecider, dict[str, Any]], Reply]
"""A command of the CSMS: takes the decider and the payload, which is valid."""


class BootReason(StrEnum):
    """Why the station boots. Spec: OCPP 2.0.1 BootReasonEnumType."""

    POWER_UP = "PowerUp"
    REMOTE_RESET = "RemoteReset"
    SCHEDULED_RESET = "ScheduledReset"
    TRIGGERED = "Triggered"
    FIRMWARE_UPDATE = "FirmwareUpdate"


@dataclass(frozen=True)
class Learned:
    """What the answer to a transaction message says: the id that 1.6 gives, and what is thought of the token."""

    transaction_id: str | None = None
    id_status: str | None = None


class Dialect(Protocol):
    """One version of OCPP, seen from the station."""

    @property
    def version(self) -> Version:
        """The version."""
        ...

    @property
    def subprotocol(self) -> str:
        """Its WebSocket subprotocol."""
        ...

    @property
    def commands(self) -> Mapping[str, Handler]:
        """Every action that the CSMS may call."""
        ...

    @property
    def heard_when_rejected(self) -> frozenset[str]:
        """The commands that a rejected station still answers."""
        ...

    @property
    def addresses(self) -> Mapping[Setting, VariableAddress]:
        """Where the settings live."""
        ...

    def variables(self, config: StationConfig) -> dict[VariableAddress, Variable]:
        """Return the device model of a new station."""
        ...

    def address_of(self, name: str) -> VariableAddress:
        """Return the address of a variable's name: a 1.6 key, or `Component.Variable`."""
        ...

    def boot(self, config: StationConfig, reason: BootReason) -> Message:
        """Return the boot notification."""
        ...

    def authorize(self, token: IdToken) -> Message:
        """Return the question whether a token may charge."""
        ...

    def token_status(self, answer: Mapping[str, Any]) -> str:
        """Return what the answer to that question says."""
        ...

    def status_word(self, state: ConnectorState) -> str:
        """Return the version's word for the state of a connector."""
        ...

    def status(self, evse: Evse, at: datetime) -> Message:
        """Return the status of an EVSE's connector."""
        ...

    def station_status(self, at: datetime) -> tuple[Message, ...]:
        """Return the status of the station as a whole, where the version tells it."""
        ...

    def problem(self, evse: Evse, at: datetime) -> tuple[Message, ...]:
        """Return what is told, besides the status, when a fault comes or goes."""
        ...

    def event(self, event: Event, settings: Settings) -> Message | None:
        """Return the transaction message of an event, None where the version does not tell it."""
        ...

    def bind(self, payload: dict[str, Any], transaction_id: str) -> dict[str, Any]:
        """Return the message with the transaction id that may not have been known when it was queued."""
        ...

    def new_transaction_id(self, rng: random.Random) -> str | None:
        """Return the id that the station gives a transaction, None where the CSMS gives it."""
        ...

    def learn(self, answer: Mapping[str, Any]) -> Learned:
        """Return what the answer to a transaction message says."""
        ...

    def limit_set(self, external: ExternalLimit, at: datetime, *, with_schedule: bool) -> tuple[Message, ...]:
        """Return what is told when somebody else limits the station, where the version tells it."""
        ...

    def limit_cleared(self, external: ExternalLimit) -> tuple[Message, ...]:
        """Return what is told when that limit is lifted."""
        ...

    def meter_values(self, evse: Evse, reading: tuple[Context, Sample], settings: Settings) -> Message:
        """Return a reading that was asked for outside of the transaction messages."""
        ...
