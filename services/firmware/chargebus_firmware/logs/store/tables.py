"""The table of this subject; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_firmware.tables import BIG, ID, TIME, Tables

_EXPIRING: Final = sa.text("expires_at IS NOT NULL")


class StationLogRow(Tables, table=True):
    """A log that a station was asked for: `known` is a `Log` (MessagePack), the other columns are what it is found by.

    At `due_at` time changes something about it, at `expires_at` its files are to be deleted.
    """

    __tablename__ = "station_log"
    __table_args__ = (
        sa.Index("station_log_station", "station_id", "log_id"),
        sa.Index("station_log_expiring", "expires_at", postgresql_where=_EXPIRING),
    )

    log_id: int = Field(primary_key=True, sa_type=BIG)
    station_id: str = Field(sa_type=ID)
    kind: str
    state: str
    due_at: datetime = Field(sa_type=TIME, index=True)
    expires_at: datetime | None = Field(sa_type=TIME)
    known: bytes
