"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_smart_charging.tables import BIG, FLOAT, ID, TIME, Tables

_OF_SESSION = sa.text("session_id <> ''")


class VehicleRow(Tables, table=True):
    """What is known at an EVSE: `known` is a `Vehicle` (MessagePack), the other columns are what rows are found by."""

    __tablename__ = "vehicle"
    __table_args__ = (sa.Index("vehicle_session", "session_id", unique=True, postgresql_where=_OF_SESSION),)

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    session_id: str = Field(sa_type=ID)
    transaction_id: str
    heard_at: datetime = Field(sa_type=TIME, index=True)
    known: bytes


class AllowedRow(Tables, table=True):
    """The limit that an EVSE holds, as far as is known, since when: what its vehicle is learned by."""

    __tablename__ = "evse_allowed"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    limit_a: float = Field(sa_type=FLOAT)
    since: datetime = Field(sa_type=TIME)


class DriverNeedRow(Tables, table=True):
    """What drivers of a class need; `kind` is `id_token`, `group` or `type`."""

    __tablename__ = "driver_need"

    kind: str = Field(primary_key=True, sa_type=ID)
    value: str = Field(primary_key=True, sa_type=ID)
    energy_wh: float | None = Field(sa_type=FLOAT)
    stay_s: float | None = Field(sa_type=FLOAT)
    priority: float | None = Field(sa_type=FLOAT)
