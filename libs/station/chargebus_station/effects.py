"""What an answered command makes the station do next."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chargebus_station.transaction import IdToken, StopCause, StopReason


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
    """Send these messages in order: a report, the progress of a download."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Reconnect:
    """Close the socket and come back, with what has changed (a new password)."""


@dataclass(frozen=True)
class LimitsChanged:
    """See what the EVSEs may give now: charging profiles have changed."""


Effect = StartCharge | StopCharge | Reboot | RefreshStatus | Announce | Tell | Reconnect | LimitsChanged


@dataclass(frozen=True)
class Reply:
    """The answer to a command and what follows from it."""

    payload: dict[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()


def status(word: str, *effects: Effect) -> Reply:
    """Return the commonest answer."""
    return Reply({"status": word}, effects)


def progress(action: str, words: tuple[str, ...], **more: object) -> Tell:
    """Return status notifications that follow one another, half a minute apart."""
    messages = (Message(action, {"status": word, **more}, 30.0 * (n + 1)) for n, word in enumerate(words))
    return Tell(tuple(messages))
