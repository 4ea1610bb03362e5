"""What an answered command makes the station do next."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from chargebus_station.transaction import IdToken, StopCause, StopReason
from chargebus_station.transfers import Way


class Subject(StrEnum):
    """What a CSMS can ask to be told."""

    BOOT = "BootNotification"
    HEARTBEAT = "Heartbeat"
    STATUS = "StatusNotification"
    METER_VALUES = "MeterValues"
    TRANSACTION = "TransactionEvent"


@dataclass(frozen=True)
class Message:
    """A CALL that is to be sent, `after_s` simulated seconds from now."""

    action: str
    payload: dict[str, Any]
    after_s: float = 0.0


@dataclass(frozen=True)
class StartCharge:
    """Let a driver charge who was authorized from afar."""

    evse_id: int
    token: IdToken
    remote_start_id: int | None = None


@dataclass(frozen=True)
class StopCharge:
    """End what goes on at an EVSE."""

    evse_id: int
    cause: StopCause


@dataclass(frozen=True)
class Reboot:
    """Restart the station: at once, or when nobody charges any more (`reason` None)."""

    reason: StopReason | None


@dataclass(frozen=True)
class RefreshStatus:
    """Show the status of the EVSEs anew: availability or reservations have changed."""


@dataclass(frozen=True)
class Announce:
    """Tell what the CSMS asked for; EVSE 0 means all of them."""

    subject: Subject
    evse_id: int = 0


@dataclass(frozen=True)
class Tell:
    """Send these messages in order: a report in parts."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Reconnect:
    """Close the socket and come back, with what has changed (a new password)."""


@dataclass(frozen=True)
class LimitsChanged:
    """See what the EVSEs may give now: charging profiles have changed."""


@dataclass(frozen=True)
class BreakConnector:
    """Let the connector of an EVSE fail, or work again."""

    evse_id: int
    broken: bool


@dataclass(frozen=True)
class FirmwareOrder:
    """Firmware to be installed; `tells_by` is the action that tells of it, `is_plain` in the few words of OCPP 1.6."""

    location: str
    tells_by: str
    request_id: int | None = None
    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    certificate: str = ""
    signature: str = ""
    retries: int = 0
    retry_interval_s: float = 30.0
    is_plain: bool = False


@dataclass(frozen=True)
class PublishOrder:
    """Firmware that a local controller is to offer to the stations behind it."""

    location: str
    checksum: str
    request_id: int
    retries: int = 0
    retry_interval_s: float = 30.0


@dataclass(frozen=True)
class LogOrder:
    """A log of some kind to be sent as a file; `action` asked for it, `tells_by` is the action that tells of it."""

    location: str
    name: str
    kind: str
    action: str
    tells_by: str
    way: Way
    request_id: int | None = None
    retries: int = 0
    retry_interval_s: float = 30.0
    is_plain: bool = False


Effect = (
    StartCharge
    | StopCharge
    | Reboot
    | RefreshStatus
    | Announce
    | Tell
    | Reconnect
    | LimitsChanged
    | BreakConnector
    | FirmwareOrder
    | PublishOrder
    | LogOrder
)


@dataclass(frozen=True)
class Reply:
    """The answer to a command and what follows from it."""

    payload: dict[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()


class TooMuchError(Exception):
    """A call has more items than the station takes at once; the message says of what."""


def status(word: str, *effects: Effect) -> Reply:
    """Return the commonest answer."""
    return Reply({"status": word}, effects)
