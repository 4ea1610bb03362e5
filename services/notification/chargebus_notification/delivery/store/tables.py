"""The tables of delivery; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_notification.tables import BIG, ID, TIME, Tables


def _json() -> Any:  # noqa: ANN401 - what a column's type is
    return sa.JSON(none_as_null=True)


class SubscriptionRow(Tables, table=True):
    """What somebody wants to be told, and how far that is.

    It is looked at from `next_at` on, if it is active; until `busy_until` a copy delivers to it, which `claim` names,
    or it waits for its next try. `message_id` is the message that is under way since `failing_since`, `remaining` are
    the addresses that it is still to reach.
    """

    __tablename__ = "subscription"

    subscription_id: UUID = Field(primary_key=True)
    name: str
    labels: dict[str, str] = Field(sa_type=_json())
    severity: str
    rules: tuple[str, ...] = Field(sa_type=_json())
    states: tuple[str, ...] = Field(sa_type=_json())
    channel: dict[str, Any] = Field(sa_type=_json())
    digest: dict[str, Any] | None = Field(default=None, sa_type=_json())
    quiet_hours: dict[str, Any] | None = Field(default=None, sa_type=_json())
    sealed: str | None = None
    created_at: datetime = Field(sa_type=TIME)
    updated_at: datetime = Field(sa_type=TIME)
    status: str
    reason: str
    status_at: datetime = Field(sa_type=TIME)
    trouble: str
    next_at: datetime | None = Field(default=None, sa_type=TIME, index=True)
    busy_until: datetime = Field(sa_type=TIME)
    claim: UUID | None = None
    message_id: UUID | None = None
    attempts: int
    failing_since: datetime | None = Field(default=None, sa_type=TIME)
    remaining: tuple[str, ...] | None = Field(default=None, sa_type=_json())


class DeliveryRow(Tables, table=True):
    """A change of an alert that a subscription is told of; `number` is their order."""

    __tablename__ = "delivery"
    __table_args__ = (
        sa.Index("ix_delivery_waiting", "subscription_id", "due_at", "number", postgresql_where="state = 'waiting'"),
        sa.Index("ix_delivery_subscription_number", "subscription_id", "number"),
        sa.Index("ix_delivery_alert_number", "alert_id", "number"),
        sa.Index("ix_delivery_state_number", "state", "number"),
    )

    delivery_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=BIG, sa_column_args=(sa.Identity(always=True),), unique=True)
    subscription_id: UUID
    alert_id: str = Field(sa_type=ID)
    rule: str
    subject: str
    change: str
    severity: str
    at: datetime = Field(sa_type=TIME)
    body: bytes = Field(sa_type=sa.LargeBinary)
    received_at: datetime = Field(sa_type=TIME, index=True)
    due_at: datetime = Field(sa_type=TIME)
    state: str
    message_id: UUID | None = Field(default=None, index=True)
    attempts: int
    ended_at: datetime | None = Field(default=None, sa_type=TIME)
    error: str


class AttemptRow(Tables, table=True):
    """An attempt to deliver a message."""

    __tablename__ = "delivery_attempt"

    number: int = Field(primary_key=True, sa_type=BIG, sa_column_args=(sa.Identity(always=True),))
    message_id: UUID = Field(index=True)
    at: datetime = Field(sa_type=TIME, index=True)
    took_ms: int
    outcome: str
    status: int | None = None
    error: str
    next_at: datetime | None = Field(default=None, sa_type=TIME)
