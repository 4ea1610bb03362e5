"""The tables of campaigns; `known` is all of a campaign or of its station, the other columns are to be searched by."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from chargebus_firmware.tables import BIG, ID, TIME, Tables


class CampaignRow(Tables, table=True):
    """A campaign."""

    __tablename__ = "campaign"
    __table_args__ = (
        sa.Index("campaign_by_age", "created_at", "campaign_id"),
        sa.Index("campaign_over", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
        sa.Index(
            "campaign_key", "idempotency_key", unique=True, postgresql_where=sa.text("idempotency_key IS NOT NULL")
        ),
    )

    campaign_id: UUID = Field(primary_key=True)
    created_at: datetime = Field(sa_type=TIME)
    state: str
    ended_at: datetime | None = Field(sa_type=TIME)
    idempotency_key: str | None
    fingerprint: str
    known: bytes


class CampaignDueRow(Tables, table=True):
    """When a campaign is looked at next; null: nothing is left to be done. Marks that come meanwhile are counted."""

    __tablename__ = "campaign_due"

    campaign_id: UUID = Field(primary_key=True)
    due_at: datetime | None = Field(sa_type=TIME, index=True)
    marks: int = Field(sa_type=BIG)


class CampaignStationRow(Tables, table=True):
    """A station in a campaign."""

    __tablename__ = "campaign_station"
    __table_args__ = (
        sa.Index("campaign_station_by_state", "campaign_id", "wave", "state"),
        sa.Index(
            "campaign_station_waiting",
            "campaign_id",
            "wave",
            "look_at",
            "position",
            postgresql_where=sa.text("state = 'waiting'"),
        ),
        sa.Index(
            "campaign_station_turn", "campaign_id", "wave", "position", postgresql_where=sa.text("state = 'waiting'")
        ),
        sa.Index("campaign_station_checking", "campaign_id", "look_at", postgresql_where=sa.text("state = 'checking'")),
        sa.Index(
            "campaign_station_with_update",
            "campaign_id",
            "state",
            postgresql_where=sa.text("state IN ('updating', 'failed')"),
        ),
        sa.Index("campaign_station_open", "station_id", postgresql_where=sa.text("state IN ('waiting', 'checking')")),
    )

    campaign_id: UUID = Field(primary_key=True)
    station_id: str = Field(primary_key=True, sa_type=ID)
    wave: int
    position: int
    place: str = Field(sa_type=ID)
    state: str
    reason: str
    look_at: datetime = Field(sa_type=TIME)
    update_id: UUID | None
    known: bytes
