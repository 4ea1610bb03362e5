"""The table of calls that wait, in the database of each service that has such."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

if TYPE_CHECKING:
    from alembic.operations import Operations

_ID: Any = sa.String(collation="C")
_TIME: Any = sa.DateTime(timezone=True)
_WAITS = sa.text("claimed_until IS NOT NULL")


class Tables(SQLModel, registry=registry()):
    """The base of this module's tables: their own metadata."""


class WaitingCallRow(Tables, table=True):
    """A call: `frame` (MessagePack) while it waits, until when a copy is about it, and how it ended: for an hour."""

    __tablename__ = "waiting_call"
    __table_args__ = (
        sa.Index("waiting_call_waits", "action", "station_id", "received_at", postgresql_where=_WAITS),
        sa.Index("waiting_call_came", "station_id", "action", "received_at"),
        sa.Index("waiting_call_received", "received_at"),
    )

    call_id: str = Field(primary_key=True, sa_type=_ID)
    station_id: str = Field(sa_type=_ID)
    action: str
    content: str
    received_at: datetime = Field(sa_type=_TIME)
    claimed_until: datetime | None = Field(sa_type=_TIME)
    outcome: str
    frame: bytes


WAITING_TABLES = ("waiting_call",)


def create_waiting_tables(op: "Operations") -> None:
    """Create the table of this module: a step of the service's migration that begins to have calls wait."""
    op.create_table(
        "waiting_call",
        sa.Column("call_id", _ID, primary_key=True),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("claimed_until", _TIME),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
    )
    waits = ["action", "station_id", "received_at"]
    op.create_index("waiting_call_waits", "waiting_call", waits, postgresql_where=_WAITS)
    op.create_index("waiting_call_came", "waiting_call", ["station_id", "action", "received_at"])
    op.create_index("waiting_call_received", "waiting_call", ["received_at"])


def drop_waiting_tables(op: "Operations") -> None:
    """Drop it again."""
    for table in WAITING_TABLES:
        op.drop_table(table)
