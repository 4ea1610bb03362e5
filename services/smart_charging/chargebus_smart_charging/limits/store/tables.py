"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_smart_charging.tables import ID, TIME, Tables


class HearingRow(Tables, table=True):
    """A station that was heard."""

    __tablename__ = "hearing"

    station_id: str = Field(primary_key=True, sa_type=ID)
    heard_at: datetime = Field(sa_type=TIME, index=True)
    times: int = Field(sa_type=sa.BigInteger)
