"""The tables of variables; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_device.tables import Tables

ID: Final[Any] = sa.String(collation="C")
TIME: Final[Any] = sa.DateTime(timezone=True)

_PENDING: Final = sa.text("pending_since IS NOT NULL")
_OPEN: Final = sa.text("ended_at IS NULL")
_ENDED: Final = sa.text("ended_at IS NOT NULL")


class VariableRow(Tables, table=True):
    """What a station said of a variable; `key` is its place however that is spelt, and the order of lists."""

    __tablename__ = "variable"
    __table_args__ = (sa.Index("variable_pending", "station_id", postgresql_where=_PENDING),)

    station_id: str = Field(primary_key=True, sa_type=ID)
    key: str = Field(primary_key=True, sa_type=ID)
    component: str
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None
    is_known: bool
    mutability: str | None
    persistent: bool | None
    constant: bool | None
    unit: str | None
    data_type: str | None
    min_limit: float | None
    max_limit: float | None
    values_list: str | None
    supports_monitoring: bool | None
    read_at: datetime = Field(sa_type=TIME)
    read_by: str
    pending_value: str | None
    pending_since: datetime | None = Field(sa_type=TIME)


class VariableStationRow(Tables, table=True):
    """When all of a station's variables were read, from which firmware and version, and when they are read again."""

    __tablename__ = "variable_station"

    station_id: str = Field(primary_key=True, sa_type=ID)
    read_at: datetime | None = Field(sa_type=TIME)
    firmware_version: str
    version: str
    due_at: datetime | None = Field(sa_type=TIME, index=True)
    tries: int


class VariableRequestRow(Tables, table=True):
    """What a station is asked about its variables; `known` is all of it, the other columns are to be searched by."""

    __tablename__ = "variable_request"
    __table_args__ = (
        sa.Index("variable_request_by_age", "station_id", "created_at", "request_id"),
        sa.Index("variable_request_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
        sa.Index("variable_request_open", "origin", postgresql_where=_OPEN),
        sa.Index("variable_request_report", "station_id", "report_id", postgresql_where=sa.text("report_id > 0")),
        sa.Index("variable_request_ended", "ended_at", postgresql_where=_ENDED),
    )

    request_id: UUID = Field(primary_key=True)
    station_id: str = Field(sa_type=ID)
    origin: str
    created_at: datetime = Field(sa_type=TIME)
    expires_at: datetime = Field(sa_type=TIME)
    ended_at: datetime | None = Field(sa_type=TIME)
    due_at: datetime | None = Field(sa_type=TIME)
    report_id: int
    known: bytes
