"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_smart_charging.tables import BIG, FLOAT, ID, TIME, Tables


class SitePlanRow(Tables, table=True):
    """A site as it was planned last.

    `memory` is what is remembered for the next time, `shown` what people see of it, `guide` the optimiser's last plan
    (MessagePack all); `turn` counts how often it was planned.
    """

    __tablename__ = "site_plan"

    site_id: str = Field(primary_key=True, sa_type=ID)
    planned_at: datetime = Field(sa_type=TIME)
    turn: int = Field(sa_type=BIG)
    memory: bytes
    shown: bytes
    guide: bytes | None


class PlanRow(Tables, table=True):
    """A plan that changed what an EVSE may draw, kept for a day."""

    __tablename__ = "plan"

    site_id: str = Field(primary_key=True, sa_type=ID)
    plan_id: str = Field(primary_key=True, sa_type=ID)
    at: datetime = Field(sa_type=TIME, index=True)
    shown: bytes


class OverrideRow(Tables, table=True):
    """An operator's limit for an EVSE or a session, until it ends."""

    __tablename__ = "charging_override"
    __table_args__ = (sa.Index("charging_override_ends", "ends_at"),)

    site_id: str = Field(primary_key=True, sa_type=ID)
    override_id: str = Field(primary_key=True, sa_type=ID)
    limit_a: float = Field(sa_type=FLOAT)
    ends_at: datetime = Field(sa_type=TIME)
    station_id: str
    evse_id: int = Field(sa_type=BIG)
    session_id: str
    reason: str
    created_by: str
