"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlmodel import Field

from chargebus_smart_charging.tables import FLOAT, ID, TIME, Tables

_JSON: Final[Any] = JSON


class LimitRow(Tables, table=True):
    """A limit of somebody; one that is `cleared` stays for a while, so that nothing older brings it back."""

    __tablename__ = "charging_limit"

    site_id: str = Field(primary_key=True, sa_type=ID)
    source: str = Field(primary_key=True, sa_type=ID)
    limit_id: str = Field(primary_key=True, sa_type=ID)
    told_at: datetime = Field(sa_type=TIME)
    told_by: str
    node_id: str = Field(sa_type=ID)
    station_id: str = Field(sa_type=ID, index=True)
    evse_id: int
    periods: Any = Field(sa_type=_JSON)
    floor: Any = Field(sa_type=_JSON)
    renewed_every_s: float | None = Field(sa_type=FLOAT)
    fallback: Any = Field(sa_type=_JSON)
    covers: str
    is_critical: bool
    counts: bool
    cleared: bool
    gone_at: datetime | None = Field(sa_type=TIME, index=True)


class ReadingRow(Tables, table=True):
    """The newest that the meter of a node said."""

    __tablename__ = "node_reading"

    site_id: str = Field(primary_key=True, sa_type=ID)
    node_id: str = Field(primary_key=True, sa_type=ID)
    phase_a: list[float] = Field(sa_type=ARRAY(sa.Float))
    at: datetime = Field(sa_type=TIME)
    forecast: Any = Field(sa_type=_JSON, nullable=True)
