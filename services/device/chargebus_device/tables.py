"""Owns the tables. Rows of several stations are always locked in the order of their ids, so nobody deadlocks."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# Compared byte by byte: the order of pages and of locks is the same on every server.
_ID: Any = sa.String(collation="C")
_TIME: Any = sa.DateTime(timezone=True)
_BIG: Any = sa.BigInteger


class Tables(SQLModel, registry=registry()):
    """This service's tables: `Tables.metadata` holds no other service's, in whatever process they run together."""


class StationRow(Tables, table=True):
    """A registered station; `updated_at` rises with every change and is the version of its registry record."""

    __tablename__ = "station"

    station_id: str = Field(primary_key=True, sa_type=_ID)
    registration: str
    password_hash: str
    security_profile: int
    versions: list[str] = Field(sa_type=ARRAY(sa.String))
    name: str
    labels: dict[str, str] = Field(sa_type=JSONB)
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)


class BootRow(Tables, table=True):
    """A station's newest boot: what it said, on which connection, and what it was told."""

    __tablename__ = "boot"

    station_id: str = Field(primary_key=True, sa_type=_ID)
    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    reason: str
    iccid: str
    imsi: str
    meter_serial_number: str
    version: str
    epoch: int = Field(sa_type=_BIG)
    told: str
    booted_at: datetime = Field(sa_type=_TIME)


class ConnectionRow(Tables, table=True):
    """A station's newest connection and when it was last heard; also of stations that did not boot yet."""

    __tablename__ = "connection"
    __table_args__ = (
        sa.Index("connection_connected", "slot", "edge_epoch", postgresql_where=sa.text("connected")),
        sa.Index("connection_void", "slot", "edge_epoch", postgresql_where=sa.text("present AND NOT connected")),
    )

    station_id: str = Field(primary_key=True, sa_type=_ID)
    epoch: int = Field(sa_type=_BIG)
    present: bool
    connected: bool
    slot: int
    edge_epoch: int = Field(sa_type=_BIG)
    version: str
    security_profile: int
    remote_address: str
    deviations: list[str] = Field(sa_type=ARRAY(sa.Text), sa_column_kwargs={"server_default": "{}"})
    changed_at: datetime | None = Field(sa_type=_TIME)
    last_seen_at: datetime = Field(sa_type=_TIME)


class ConnectorStatusRow(Tables, table=True):
    """The newest report of a connector, an EVSE (connector 0) or the station (both 0)."""

    __tablename__ = "connector_status"
    __table_args__ = (sa.Index("connector_status_by_status", "status", "station_id"),)

    station_id: str = Field(primary_key=True, sa_type=_ID)
    evse_id: int = Field(primary_key=True)
    connector_id: int = Field(primary_key=True)
    status: str
    detail: str
    error_code: str
    info: str
    vendor_id: str
    vendor_error_code: str
    reported_at: datetime = Field(sa_type=_TIME)
    received_at: datetime = Field(sa_type=_TIME, sa_column_kwargs={"server_default": sa.func.now()})


class EdgeRow(Tables, table=True):
    """The newest edge process on a slot, and when any copy of this service last heard of it."""

    __tablename__ = "edge"

    slot: int = Field(primary_key=True)
    epoch: int = Field(sa_type=_BIG)
    stopped: bool
    seen_at: datetime = Field(sa_type=_TIME)


class OnboardingRow(Tables, table=True):
    """The onboarding policy: one row, none while it was never set."""

    __tablename__ = "onboarding"

    singleton: bool = Field(primary_key=True)
    unknown_stations: str
    password_hash: str
    updated_at: datetime = Field(sa_type=_TIME)
