"""The tables: readings, the transaction of each session, what was set aside; Alembic's source.

A reading's id begins with its time, so `meter_reading` can be partitioned by ranges of its primary key when it has
to be: declare the partitioned table with the same columns and key, attach today's table as the partition below the
first bound (`first_id` of a moment), and drop old partitions for retention. Queries by time already bound the id.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Tables(SQLModel, registry=registry()):
    """The base of this service's tables: their own metadata, for services that share a process."""


class MeterReading(Tables, table=True):
    """A reading in its base unit. `evse_id` 0 is the main meter, or, with a transaction, an EVSE not told yet."""

    __tablename__ = "meter_reading"
    __table_args__ = (
        sa.Index("meter_reading_transaction", "station_id", "transaction_id", "reading_id"),
        sa.Index(
            "meter_reading_unplaced",
            "station_id",
            "transaction_id",
            postgresql_where=sa.text("evse_id = 0 AND transaction_id <> ''"),
        ),
    )

    reading_id: UUID = Field(primary_key=True)
    station_id: str
    evse_id: int
    connector_id: int
    transaction_id: str
    sampled_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    received_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    measurand: str
    phase: str
    location: str
    context: str
    value: float
    unit: str
    original_value: str
    original_unit: str
    multiplier: int
    quality: str = Field(sa_column_kwargs={"server_default": ""})


class ChargingSession(Tables, table=True):
    """Which transaction of which station a session is, as `session` told it."""

    __tablename__ = "charging_session"
    __table_args__ = (sa.Index("charging_session_transaction", "station_id", "transaction_id"),)

    session_id: str = Field(primary_key=True)
    station_id: str
    transaction_id: str
    evse_id: int
    connector_id: int


class SetAsideValue(Tables, table=True):
    """A value that became no reading, or that is more than its number, as the station wrote it."""

    __tablename__ = "set_aside_value"
    __table_args__ = (sa.Index("set_aside_value_station", "station_id", "received_at"),)

    value_id: UUID = Field(primary_key=True)
    station_id: str
    evse_id: int
    connector_id: int
    transaction_id: str
    received_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    timestamp: str
    reason: str
    original: str
