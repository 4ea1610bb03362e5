"""The tables of events; each column is declared here, and nowhere else."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_notification.tables import BIG, ID, TIME, Tables


class StationEventRow(Tables, table=True):
    """A datum of a NotifyEvent."""

    __tablename__ = "station_event"
    __table_args__ = (
        sa.Index("ix_station_event_at", "at", "event_id"),
        sa.Index("ix_station_event_station", "station_id", "at", "event_id"),
    )

    event_id: str = Field(primary_key=True, sa_type=ID)
    station_id: str = Field(sa_type=ID)
    at: datetime = Field(sa_type=TIME)
    received_at: datetime = Field(sa_type=TIME, index=True)
    number: int = Field(sa_type=BIG)
    component: str
    component_instance: str
    variable: str
    variable_instance: str
    evse_id: int = Field(sa_type=BIG)
    connector_id: int = Field(sa_type=BIG)
    value: str
    trigger: str
    kind: str
    cause: int | None = Field(sa_type=BIG)
    cleared: bool
    severity: int | None = Field(sa_type=BIG)
    tech_code: str
    tech_info: str
    transaction_id: str
    variable_monitoring_id: int | None = Field(sa_type=BIG)


class SecurityEventRow(Tables, table=True):
    """A SecurityEventNotification."""

    __tablename__ = "security_event"
    __table_args__ = (
        sa.Index("ix_security_event_at", "at", "event_id"),
        sa.Index("ix_security_event_station", "station_id", "at", "event_id"),
    )

    event_id: str = Field(primary_key=True, sa_type=ID)
    station_id: str = Field(sa_type=ID)
    at: datetime = Field(sa_type=TIME)
    received_at: datetime = Field(sa_type=TIME, index=True)
    type: str
    tech_info: str
