"""The tables of display messages; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlmodel import Field

from chargebus_notification.tables import BIG, ID, TIME, Tables

_IDS: Final[Any] = ARRAY(sa.String)
_JSON: Final[Any] = JSON
_JSONB: Final[Any] = JSONB


class DisplayMessageRow(Tables, table=True):
    """A message that is wanted, and for whom."""

    __tablename__ = "display_message"
    __table_args__ = (
        sa.Index(
            "ix_display_message_transaction_id", "transaction_id", postgresql_where=sa.text("transaction_id <> ''")
        ),
    )

    message_id: str = Field(primary_key=True, sa_type=ID)
    station_ids: list[str] = Field(sa_type=_IDS)
    labels: dict[str, str] = Field(sa_type=_JSONB)
    face: Any = Field(sa_type=_JSON)
    transaction_id: str
    created_at: datetime = Field(sa_type=TIME)
    changed_at: datetime = Field(sa_type=TIME)
    removed_at: datetime | None = Field(sa_type=TIME, index=True)


class DisplayStationRow(Tables, table=True):
    """A station as its display goes."""

    __tablename__ = "display_station"

    station_id: str = Field(primary_key=True, sa_type=ID)
    version: str
    next_number: int = Field(sa_type=BIG)
    request_id: int = Field(sa_type=BIG)
    report: str
    asked_at: datetime | None = Field(sa_type=TIME)
    reported_at: datetime | None = Field(sa_type=TIME)
    tries: int
    due_at: datetime | None = Field(sa_type=TIME, index=True)
    detail: str


class DisplayLimitsRow(Tables, table=True):
    """What a station's display takes, as far as it said so since it booted."""

    __tablename__ = "display_limits"

    station_id: str = Field(primary_key=True, sa_type=ID)
    asked_at: datetime = Field(sa_type=TIME)
    state: str
    limits: Any = Field(sa_type=_JSON)


class ShownRow(Tables, table=True):
    """A message on a station."""

    __tablename__ = "shown_message"
    __table_args__ = (
        sa.UniqueConstraint("station_id", "number", name="uq_shown_message_number"),
        sa.Index("ix_shown_message_message", "message_id", "station_id"),
    )

    station_id: str = Field(primary_key=True, sa_type=ID)
    message_id: str = Field(primary_key=True, sa_type=ID)
    number: int = Field(sa_type=BIG)
    wanted: str
    changed_at: datetime = Field(sa_type=TIME)
    is_wanted: bool
    status: str
    told: str
    asking: str
    reason: str
    detail: str
    tries: int
    repaired: int
    due_at: datetime | None = Field(sa_type=TIME, index=True)
    ends_at: datetime | None = Field(sa_type=TIME)


class ReportedRow(Tables, table=True):
    """A message that a station reported, whosever it is."""

    __tablename__ = "reported_message"

    station_id: str = Field(primary_key=True, sa_type=ID)
    number: int = Field(primary_key=True, sa_type=BIG)
    request_id: int = Field(sa_type=BIG)
    face: Any = Field(sa_type=_JSON)
