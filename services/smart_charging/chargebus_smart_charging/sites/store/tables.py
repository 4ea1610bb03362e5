"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlmodel import Field

from chargebus_smart_charging.tables import BIG, FLOAT, ID, TIME, Tables

_JSON: Final[Any] = JSON
_SMALL: Final[Any] = sa.SmallInteger


class SiteRow(Tables, table=True):
    """A site. Who plans it holds this row locked: one copy at a time plans a site, and a zombie commits nothing."""

    __tablename__ = "site"

    site_id: str = Field(primary_key=True, sa_type=ID)
    name: str
    zone: str = Field(sa_type=ID, index=True)
    time_zone: str
    policy: Any = Field(sa_type=_JSON)
    version: int
    created_at: datetime = Field(sa_type=TIME)
    updated_at: datetime = Field(sa_type=TIME)


class SiteDueRow(Tables, table=True):
    """When a site is to be planned next, and how often somebody asked for it.

    It stands apart from the site, so that who asks never waits for who plans.
    """

    __tablename__ = "site_due"

    site_id: str = Field(primary_key=True, sa_type=ID)
    due_at: datetime = Field(sa_type=TIME, index=True)
    marks: int = Field(sa_type=BIG)


class NodeRow(Tables, table=True):
    """A node of a site, in its place in the operator's document."""

    __tablename__ = "node"

    site_id: str = Field(primary_key=True, sa_type=ID)
    node_id: str = Field(primary_key=True, sa_type=ID)
    place: int = Field(sa_type=_SMALL)
    parent_id: str | None = Field(sa_type=ID)
    name: str
    phase_a: float | None = Field(sa_type=FLOAT)
    total_w: float | None = Field(sa_type=FLOAT)
    total_va: float | None = Field(sa_type=FLOAT)
    margin: float = Field(sa_type=FLOAT)
    unbalance_a: float | None = Field(sa_type=FLOAT)
    calendar: Any = Field(sa_type=_JSON)
    meter: Any = Field(sa_type=_JSON, nullable=True)
    meter_station_id: str | None = Field(sa_type=ID, index=True)
    controller_station_id: str = Field(sa_type=ID)


class EvseRow(Tables, table=True):
    """An EVSE under a node; it hangs under one only, and all EVSEs of a station are of one site."""

    __tablename__ = "evse"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True)
    site_id: str = Field(sa_type=ID, index=True)
    place: int = Field(sa_type=_SMALL)
    node_id: str = Field(sa_type=ID)
    current: str
    voltage_v: float | None = Field(sa_type=FLOAT)
    phases: list[int] | None = Field(sa_type=ARRAY(sa.SmallInteger), nullable=True)
    min_a: float | None = Field(sa_type=FLOAT)
    max_a: float | None = Field(sa_type=FLOAT)
    step_a: float | None = Field(sa_type=FLOAT)
    priority: float = Field(sa_type=FLOAT)
