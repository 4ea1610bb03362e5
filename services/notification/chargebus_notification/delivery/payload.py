"""Alerts as the topic tells them ↔ domain, and as receivers are told them."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from chargebus_events import public
from chargebus_events.record import Received, Record, timestamp

from chargebus_notification.delivery.domain.subscription import PARKED_RULE, Told
from chargebus_notification.names import SOURCE

CHANGED: Final = public.ALERT_CHANGED
DIGEST: Final = public.ALERT_DIGEST
DELIVERY_SOURCE: Final = f"{SOURCE}/delivery"
"""Who tells that a receiver is given up: to all who read the topic, one publisher as any other."""

_alert: Final = msgspec.json.Decoder(public.Alert).decode
_encode: Final = msgspec.json.Encoder().encode
_DELIVERIES: Final = uuid.UUID("7f0b4b55-3c1d-4c0e-9b0a-6d6f9b6f5a01")


class Message(msgspec.Struct, frozen=True):
    """What goes to a receiver at once: one change of an alert, or a digest of several, in their order."""

    message_id: UUID
    subscription_id: UUID
    name: str
    is_digest: bool
    bodies: tuple[bytes, ...]

    @property
    def alerts(self) -> list[public.Alert]:
        """The alerts, as the public event tells them."""
        return [_alert(body) for body in self.bodies]

    def json(self) -> bytes:
        """Return it as a CloudEvent in JSON; the same each time."""
        last = _alert(self.bodies[-1])
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(self.message_id),
            "source": SOURCE,
            "type": DIGEST if self.is_digest else CHANGED,
            "time": timestamp(last.at),
            "datacontenttype": "application/json",
        }
        raw = [msgspec.Raw(body) for body in self.bodies]
        more = {"data": {"alerts": raw}} if self.is_digest else {"subject": last.subject, "data": raw[0]}
        return _encode(event | more)


def change_of(alert: public.Alert) -> str:
    """Return the state that an alert is in: one that somebody has taken on is told as open."""
    return "acknowledged" if alert.state == "open" and alert.acknowledged_at is not None else alert.state


def told_of(record: Received) -> Told:
    """Return what a record of the topic tells of an alert."""
    body = record.value or b""
    alert = _alert(body)
    event_id = record.text("ce_id") or f"{record.topic}/{record.partition}/{record.offset}"
    return Told(
        event_id,
        alert.alert_id,
        alert.subject,
        alert.rule,
        change_of(alert),
        alert.severity,
        alert.at,
        alert.labels,
        body,
        station_id=alert.station_id,
        silenced=alert.silenced,
    )


def delivery_id(subscription_id: UUID, event_id: str) -> UUID:
    """Return the id of a delivery: the same for the same change, whatever comes twice."""
    return uuid.uuid5(_DELIVERIES, f"{subscription_id}/{event_id}")


def parked_event(subscription_id: UUID, name: str, since: datetime, reason: str, at: datetime) -> Record:
    """Return what is told of a receiver that is given up since then; without a reason, that it is no longer."""
    alert = public.Alert(
        f"{PARKED_RULE}/{subscription_id}/{int(since.timestamp() * 1000)}",
        str(subscription_id),
        PARKED_RULE,
        "open" if reason else "resolved",
        "warning",
        at,
        f"Alerts do not reach the receiver of {name}",
        reason,
    )
    return public.event(CHANGED, f"{alert.alert_id}/{alert.state}", DELIVERY_SOURCE, at, alert)


def trial(subscription_id: UUID, name: str, message_id: UUID, now: datetime) -> Message:
    """Return a message that says that it is a trial."""
    alert = public.Alert(
        f"test/{message_id}",
        str(subscription_id),
        "test",
        "open",
        "info",
        now,
        f"A test of the subscription {name}",
        "Somebody asked for this message, to see whether it arrives. Nothing is wrong.",
    )
    return Message(message_id, subscription_id, name, is_digest=False, bodies=(_encode(alert),))


def counted(alerts: Sequence[public.Alert]) -> dict[str, int]:
    """Return how many alerts are of each severity, the worst first."""
    counts = {each: sum(alert.severity == each for alert in alerts) for each in ("critical", "warning", "info")}
    return {severity: count for severity, count in counts.items() if count}
