"""The tables of roots on stations; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlmodel import Field

from chargebus_security.tables import ID, TIME, Tables

_IDS: Final[Any] = ARRAY(sa.String)
_JSON: Final[Any] = JSON


class PolicyRow(Tables, table=True):
    """Roots of one type that some stations are to have; `stations` is a `Selector`."""

    __tablename__ = "trust_policy"

    policy_id: UUID = Field(primary_key=True)
    name: str
    certificate_type: str
    certificate_ids: list[str] = Field(sa_type=_IDS)
    stations: Any = Field(sa_type=_JSON)
    priority: int
    others: str
    created_at: datetime = Field(sa_type=TIME)


class TrustStationRow(Tables, table=True):
    """A station as the certificates on it go."""

    __tablename__ = "trust_station"

    station_id: str = Field(primary_key=True, sa_type=ID)
    asking: str
    pending: int
    report_at: datetime | None = Field(sa_type=TIME)
    reported_at: datetime | None = Field(sa_type=TIME)
    tries: int
    is_able: bool
    detail: str
    drift: int
    due_at: datetime | None = Field(sa_type=TIME, index=True)


class InstalledRow(Tables, table=True):
    """A certificate that a station says it has; `named` and `children` are in its own words."""

    __tablename__ = "installed_certificate"
    __table_args__ = (sa.Index("ix_installed_certificate_hash_key", "hash_key", "station_id"),)

    station_id: str = Field(primary_key=True, sa_type=ID)
    certificate_type: str = Field(primary_key=True, sa_type=ID)
    hash_key: str = Field(primary_key=True, sa_type=ID)
    named: Any = Field(sa_type=_JSON)
    children: Any = Field(sa_type=_JSON)
    reported_at: datetime = Field(sa_type=TIME)


class ChangeRow(Tables, table=True):
    """What was tried to change on a station."""

    __tablename__ = "trust_change"

    station_id: str = Field(primary_key=True, sa_type=ID)
    certificate_type: str = Field(primary_key=True, sa_type=ID)
    certificate_id: str = Field(primary_key=True, sa_type=ID)
    what: str
    outcome: str
    told: str
    tries: int
    changed_at: datetime = Field(sa_type=TIME)
    retry_at: datetime | None = Field(sa_type=TIME)
