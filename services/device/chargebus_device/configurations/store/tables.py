"""The tables of configurations; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from chargebus_device.tables import Tables
from chargebus_device.variables.store.tables import ID, TIME


class ConfigurationRow(Tables, table=True):
    """A configuration; `stations` is a `Selector`, `settings` are what its stations are to be set to."""

    __tablename__ = "configuration"

    configuration_id: UUID = Field(primary_key=True)
    name: str
    stations: Any = Field(sa_type=JSONB)
    priority: int
    settings: Any = Field(sa_type=JSONB)
    first: int
    revision: int
    trial: int
    state: str
    released_at: datetime | None = Field(sa_type=TIME)
    created_at: datetime = Field(sa_type=TIME)
    updated_at: datetime = Field(sa_type=TIME)


class ConfigurationStationRow(Tables, table=True):
    """A station as it goes by configurations: when it is looked at, and what it is being asked."""

    __tablename__ = "configuration_station"
    __table_args__ = (
        sa.Index("configuration_station_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
        sa.Index("configuration_station_asking", "asking", postgresql_where=sa.text("asking IS NOT NULL")),
    )

    station_id: str = Field(primary_key=True, sa_type=ID)
    asking: UUID | None
    read_after: datetime = Field(sa_type=TIME)
    checked_at: datetime = Field(sa_type=TIME)
    due_at: datetime | None = Field(sa_type=TIME)
    tries: int


class ConfigurationVariableRow(Tables, table=True):
    """A variable that is wanted of a station, and how far that is."""

    __tablename__ = "configuration_variable"
    __table_args__ = (
        sa.Index("configuration_variable_by_verdict", "configuration_id", "verdict", "station_id"),
        sa.Index("configuration_variable_owing", "station_id", postgresql_where=sa.text("lost_at IS NOT NULL")),
        sa.Index(
            "configuration_variable_begun",
            *("configuration_id", "revision", "station_id"),
            postgresql_where=sa.text("lost_at IS NOT NULL OR (breaks AND verdict = 'asked')"),
        ),
        sa.Index(
            "configuration_variable_proved",
            *("configuration_id", "revision", "station_id"),
            postgresql_where=sa.text("proved_at IS NOT NULL"),
        ),
    )

    station_id: str = Field(primary_key=True, sa_type=ID)
    key: str = Field(primary_key=True, sa_type=ID)
    configuration_id: UUID
    revision: int
    name: str
    wanted: str
    has: str | None
    verdict: str
    detail: str
    breaks: bool
    told: str
    tries: int
    retry_at: datetime | None = Field(sa_type=TIME)
    changed_at: datetime | None = Field(sa_type=TIME)
    lost_at: datetime | None = Field(sa_type=TIME)
    proved_at: datetime | None = Field(sa_type=TIME)
