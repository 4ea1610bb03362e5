"""The table of stations; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from chargebus_notification.tables import ID, TIME, Tables

_JSONB: Final[Any] = JSONB


class KnownStationRow(Tables, table=True):
    """What is known of a station: `known` is a `Station` (MessagePack); the rest is what stations are found by.

    `due_at` is when rules are to look at it next. What has no index can change without any being touched.
    """

    __tablename__ = "known_station"
    __table_args__ = (
        sa.Index("ix_known_station_due_at", "due_at"),
        sa.Index(
            "ix_known_station_offline_since", "offline_since", postgresql_where=sa.text("offline_since IS NOT NULL")
        ),
        sa.Index(
            "ix_known_station_labels", "labels", postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"}
        ),
    )

    station_id: str = Field(primary_key=True, sa_type=ID)
    labels: Any = Field(sa_type=_JSONB)
    removed: bool
    online: bool
    offline_since: datetime | None = Field(sa_type=TIME)
    last_session_at: datetime | None = Field(sa_type=TIME)
    heard_at: datetime = Field(sa_type=TIME, index=True)
    due_at: datetime = Field(sa_type=TIME)
    known: bytes
