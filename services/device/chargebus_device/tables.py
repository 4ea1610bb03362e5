"""Owns the tables. Rows of several stations are always locked in the order of their ids, so nobody deadlocks."""

from datetime import datetime
from typing import Any
from uuid import UUID

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


_NEVER: Any = sa.text("'1970-01-01 00:00:00+00'::timestamptz")


def _later(default: object) -> dict[str, Any]:
    """Return what makes a column's default: for rows from before it, and copies that do not name it."""
    return {"server_default": default}


class StationRow(Tables, table=True):
    """A registered station; `updated_at` rises with every change and is the version of its registry record.

    `vendor`, `model` and `firmware_version` are those of its newest boot, cut: they belong to that record.

    `newer_password_hashes`, oldest first, stand beside `password_hash` until the station uses one of them, or the time
    of `older_passwords_until` comes. `password_used_at` is when the newest was used first. `service_password_hashes`
    names those of them that a service gave; `credentials_changed_at` is when the newest change was asked for that a
    service made.

    `ratings` are what an operator says of its EVSEs, `reported_ratings` what it reports itself.

    `certificate_identity` is what its client certificate has to name, empty: its id; `certificate_pins`, if there are
    any, are the certificates that it may have.

    `described_at` is when `station.events` was told last of its name, labels and time zone.
    """

    __tablename__ = "station"
    __table_args__ = (
        sa.Index(
            "station_older_passwords_until",
            "older_passwords_until",
            postgresql_where=sa.text("older_passwords_until IS NOT NULL"),
        ),
        sa.Index("station_described_at", "described_at"),
    )

    station_id: str = Field(primary_key=True, sa_type=_ID)
    registration: str
    password_hash: str
    security_profile: int
    versions: list[str] = Field(sa_type=ARRAY(sa.String))
    name: str
    labels: dict[str, str] = Field(sa_type=JSONB)
    strict: bool = Field(sa_column_kwargs=_later(sa.false()))
    vendor: str = Field(sa_column_kwargs=_later(""))
    model: str = Field(sa_column_kwargs=_later(""))
    firmware_version: str = Field(sa_column_kwargs=_later(""))
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    newer_password_hashes: list[str] = Field(sa_type=ARRAY(sa.Text), sa_column_kwargs={"server_default": "{}"})
    password_changed_at: datetime | None = Field(sa_type=_TIME)
    password_used_at: datetime | None = Field(sa_type=_TIME)
    older_passwords_until: datetime | None = Field(sa_type=_TIME)
    ratings: list[dict[str, Any]] = Field(sa_type=JSONB, sa_column_kwargs=_later("[]"))
    reported_ratings: list[dict[str, Any]] = Field(sa_type=JSONB, sa_column_kwargs=_later("[]"))
    time_zone: str = Field(sa_column_kwargs=_later(""))
    described_at: datetime = Field(sa_type=_TIME, sa_column_kwargs=_later(_NEVER))
    certificate_identity: str = Field(sa_column_kwargs=_later(""))
    certificate_pins: list[str] = Field(sa_type=ARRAY(sa.Text), sa_column_kwargs=_later("{}"))
    service_password_hashes: list[str] = Field(sa_type=ARRAY(sa.Text), sa_column_kwargs=_later("{}"))
    credentials_changed_at: datetime | None = Field(sa_type=_TIME)


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
    received_at: datetime = Field(sa_type=_TIME, sa_column_kwargs=_later(sa.func.now()))


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


class DeviationRow(Tables, table=True):
    """How often a station broke the schema of an action in one way, while it was of this make.

    `counted` of `count` were of connection `epoch`, the newest that did.
    """

    __tablename__ = "deviation"

    station_id: str = Field(primary_key=True, sa_type=_ID)
    action: str = Field(primary_key=True, sa_type=_ID)
    kind: str = Field(primary_key=True, sa_type=_ID)
    path: str = Field(primary_key=True, sa_type=_ID)
    refused: bool = Field(primary_key=True)
    vendor: str = Field(primary_key=True, sa_type=_ID)
    model: str = Field(primary_key=True, sa_type=_ID)
    firmware_version: str = Field(primary_key=True, sa_type=_ID)
    version: str = Field(primary_key=True, sa_type=_ID)
    count: int = Field(sa_type=_BIG)
    first_at: datetime = Field(sa_type=_TIME)
    last_at: datetime = Field(sa_type=_TIME)
    detail: str
    epoch: int = Field(sa_type=_BIG)
    counted: int = Field(sa_type=_BIG)


class DeviationSumRow(Tables, table=True):
    """How many stations of a make break the schema of an action in one way, and in how many frames.

    It changes together with the deviations that it sums up. One of no station is left until the next sweep.
    """

    __tablename__ = "deviation_sum"

    vendor: str = Field(primary_key=True, sa_type=_ID)
    model: str = Field(primary_key=True, sa_type=_ID)
    firmware_version: str = Field(primary_key=True, sa_type=_ID)
    version: str = Field(primary_key=True, sa_type=_ID)
    action: str = Field(primary_key=True, sa_type=_ID)
    kind: str = Field(primary_key=True, sa_type=_ID)
    refused: bool = Field(primary_key=True)
    stations: int = Field(sa_type=_BIG)
    count: int = Field(sa_type=_BIG)
    first_at: datetime = Field(sa_type=_TIME)
    last_at: datetime = Field(sa_type=_TIME)


class DeviationRuleRow(Tables, table=True):
    """How frames of some makes that break their schema are treated; an empty text means any."""

    __tablename__ = "deviation_rule"
    __table_args__ = (sa.UniqueConstraint("vendor", "model", "firmware_version", "action", "kind"),)

    rule_id: UUID = Field(primary_key=True)
    treatment: str
    vendor: str
    model: str
    firmware_version: str
    action: str
    kind: str
    note: str
    created_at: datetime = Field(sa_type=_TIME)


class DeviationRulesRow(Tables, table=True):
    """When the rules were changed last, the version of their record: one row, none while there never were any."""

    __tablename__ = "deviation_rules"

    singleton: bool = Field(primary_key=True)
    updated_at: datetime = Field(sa_type=_TIME)
