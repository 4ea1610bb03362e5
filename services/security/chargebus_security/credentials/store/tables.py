"""The tables of credentials; `known` is all of a campaign, or of a station in it, the rest is to be searched by."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from chargebus_security.tables import BIG, ID, TIME, Tables


class CampaignRow(Tables, table=True):
    """A campaign; `look_at`: when it is looked at next, null: nothing is left to be done."""

    __tablename__ = "credential_campaign"

    campaign_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=BIG, sa_column_args=[sa.Identity(always=True)], index=True)
    kind: str = Field(sa_type=ID)
    state: str = Field(sa_type=ID)
    ended_at: datetime | None = Field(sa_type=TIME)
    look_at: datetime | None = Field(sa_type=TIME, index=True)
    idempotency_key: str | None = Field(sa_type=ID, unique=True)
    fingerprint: str = Field(sa_type=ID)
    known: bytes


class MemberRow(Tables, table=True):
    """A station in a campaign."""

    __tablename__ = "credential_member"
    __table_args__ = (
        sa.Index("credential_member_by_state", "campaign_id", "state"),
        sa.Index("credential_member_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
        sa.Index("credential_member_of", "station_id"),
    )

    campaign_id: UUID = Field(primary_key=True)
    station_id: str = Field(primary_key=True, sa_type=ID)
    state: str = Field(sa_type=ID)
    idle: bool
    due_at: datetime | None = Field(sa_type=TIME)
    known: bytes


class CredentialsRow(Tables, table=True):
    """What the registry says of a station, and which campaign is at work with it.

    `passwords`: the fingerprints of those that count, oldest first; `least_profile`: null if it is not registered.
    """

    __tablename__ = "station_credentials"

    station_id: str = Field(primary_key=True, sa_type=ID)
    least_profile: int | None
    passwords: list[str] = Field(sa_type=ARRAY(sa.String))
    campaign_id: UUID | None
