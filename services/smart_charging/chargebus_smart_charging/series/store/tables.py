"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime

from sqlmodel import Field

from chargebus_smart_charging.tables import FLOAT, ID, TIME, Tables


class GridValueRow(Tables, table=True):
    """What was told last of a time, in values of that length."""

    __tablename__ = "grid_value"

    zone: str = Field(primary_key=True, sa_type=ID)
    kind: str = Field(primary_key=True, sa_type=ID)
    starts_at: datetime = Field(primary_key=True, sa_type=TIME)
    resolution_s: int = Field(primary_key=True)
    ends_at: datetime = Field(sa_type=TIME, index=True)
    value: float = Field(sa_type=FLOAT)
    source: str
    unit: str
    told_at: datetime = Field(sa_type=TIME)
    valid_until: datetime | None = Field(sa_type=TIME)
