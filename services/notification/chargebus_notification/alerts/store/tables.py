"""The tables of alerts; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from chargebus_notification.tables import BIG, ID, TIME, Tables

_JSONB: Final[Any] = JSONB
_FLOAT: Final[Any] = sa.Float


class AlertRuleRow(Tables, table=True):
    """A rule; what `parameters` are, its kind decides."""

    __tablename__ = "alert_rule"

    rule_id: str = Field(primary_key=True, sa_type=ID)
    kind: str
    name: str
    severity: str
    enabled: bool
    labels: Any = Field(sa_type=_JSONB)
    parameters: Any = Field(sa_type=_JSONB)
    resolve_after_s: float = Field(sa_type=_FLOAT)
    reopen_within_s: float = Field(sa_type=_FLOAT)
    together_least: int = Field(sa_type=BIG)
    together_share: float = Field(sa_type=_FLOAT)


class AlertRow(Tables, table=True):
    """An alert; `number` is their order. Of one cause one is not resolved at a time."""

    __tablename__ = "alert"
    __table_args__ = (
        sa.Index("ix_alert_number", "number", unique=True),
        sa.Index("ix_alert_cause", "cause", "number"),
        sa.Index("ix_alert_open_cause", "cause", unique=True, postgresql_where=sa.text("state <> 'resolved'")),
        sa.Index("ix_alert_station_id", "station_id"),
        sa.Index("ix_alert_subject", "subject"),
        sa.Index("ix_alert_opened_at", "opened_at"),
        sa.Index("ix_alert_resolved_at", "resolved_at", postgresql_where=sa.text("resolved_at IS NOT NULL")),
    )

    alert_id: str = Field(primary_key=True, sa_type=ID)
    number: int = Field(sa_column=sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False))
    cause: str = Field(sa_type=ID)
    told_id: str
    source: str
    rule_id: str = Field(sa_type=ID)
    kind: str
    subject: str
    station_id: str = Field(sa_type=ID)
    evse_id: int = Field(sa_type=BIG)
    site_id: str
    severity: str
    title: str
    detail: str
    labels: Any = Field(sa_type=_JSONB)
    first_at: datetime = Field(sa_type=TIME)
    last_at: datetime = Field(sa_type=TIME)
    opened_at: datetime = Field(sa_type=TIME)
    state: str
    count: int = Field(sa_type=BIG)
    returns: int = Field(sa_type=BIG)
    over_since: datetime | None = Field(sa_type=TIME)
    resolved_at: datetime | None = Field(sa_type=TIME)
    resolved_by: str
    acknowledged_at: datetime | None = Field(sa_type=TIME)
    acknowledged_by: str
    note: str
    silence_id: str
    group_by: str
    members: int = Field(sa_type=BIG)
    revision: int = Field(sa_type=BIG)


class AlertMemberRow(Tables, table=True):
    """What a group stands for: a cause that has no alert of its own."""

    __tablename__ = "alert_member"
    __table_args__ = (sa.Index("ix_alert_member_alert_id", "alert_id", "station_id"),)

    cause: str = Field(primary_key=True, sa_type=ID)
    alert_id: str = Field(sa_type=ID)
    station_id: str = Field(sa_type=ID, index=True)
    since: datetime = Field(sa_type=TIME)


class SilenceRow(Tables, table=True):
    """When nobody wants to be told of what."""

    __tablename__ = "silence"

    silence_id: str = Field(primary_key=True, sa_type=ID)
    starts_at: datetime = Field(sa_type=TIME)
    ends_at: datetime = Field(sa_type=TIME, index=True)
    reason: str
    created_by: str
    created_at: datetime = Field(sa_type=TIME)
    rule_id: str
    station_id: str
    labels: Any = Field(sa_type=_JSONB)
    weekly: Any = Field(sa_type=_JSONB, nullable=True)
