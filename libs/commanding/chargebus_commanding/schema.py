"""The library's table, in the database of each service that asks."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

if TYPE_CHECKING:
    from alembic.operations import Operations

_ID: Any = sa.String(collation="C")
_TIME: Any = sa.DateTime(timezone=True)

_OPEN = sa.text("outcome IS NULL")
_ENDED = sa.text("outcome IS NOT NULL")
_KEYED = sa.text("idempotency_key IS NOT NULL")


class Tables(SQLModel, registry=registry()):
    """The base of this library's tables: their own metadata."""


class AskedCommand(Tables, table=True):
    """A command that the service asked for, and its outcome once there is one; kept for a while after that.

    At `given_up_at` the service ends it by itself, if nothing was heard of it. `told` is the whole outcome, as JSON.
    """

    __tablename__ = "asked_command"
    __table_args__ = (
        sa.Index("asked_command_key", "station_id", "idempotency_key", unique=True, postgresql_where=_KEYED),
        sa.Index("asked_command_open", "given_up_at", postgresql_where=_OPEN),
        sa.Index("asked_command_ended", "ended_at", postgresql_where=_ENDED),
    )

    command_id: str = Field(primary_key=True, sa_type=_ID)
    station_id: str = Field(sa_type=_ID)
    intent: str
    subject: str
    idempotency_key: str | None = Field(sa_type=_ID)
    fingerprint: str
    requested_at: datetime = Field(sa_type=_TIME)
    given_up_at: datetime = Field(sa_type=_TIME)
    outcome: str | None
    ended_at: datetime | None = Field(sa_type=_TIME)
    told: str | None


COMMANDING_TABLES = ("asked_command",)


def create_commanding_tables(op: "Operations") -> None:
    """Create the tables of this module: a step of the service's migration that begins to ask."""
    op.create_table(
        "asked_command",
        sa.Column("command_id", _ID, primary_key=True),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("intent", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("idempotency_key", _ID),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("given_up_at", _TIME, nullable=False),
        sa.Column("outcome", sa.String),
        sa.Column("ended_at", _TIME),
        sa.Column("told", sa.String),
    )
    op.create_index(
        "asked_command_key", "asked_command", ["station_id", "idempotency_key"], unique=True, postgresql_where=_KEYED
    )
    op.create_index("asked_command_open", "asked_command", ["given_up_at"], postgresql_where=_OPEN)
    op.create_index("asked_command_ended", "asked_command", ["ended_at"], postgresql_where=_ENDED)


def drop_commanding_tables(op: "Operations") -> None:
    """Drop them again."""
    for table in COMMANDING_TABLES:
        op.drop_table(table)
