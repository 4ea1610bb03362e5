"""The tables that every service's database has: offsets, outbox, holes in the log and parked records."""

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

if TYPE_CHECKING:
    from alembic.operations import Operations


class ConsumerOffset(SQLModel, table=True):
    """Where the service goes on in a partition: the truth; Kafka's committed offsets only follow it."""

    __tablename__ = "consumer_offset"

    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    next_offset: int = Field(sa_type=sa.BigInteger)
    cluster_id: str


class OutboxRow(SQLModel, table=True):
    """Records that are to go out: one row for each transaction and source partition, `records` in MessagePack.

    `source_topic` is empty for what came from HTTP or a timer.
    """

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    source_topic: str = Field(default="")
    source_partition: int = Field(default=0)
    records: bytes
    created_at: datetime = Field(sa_type=sa.DateTime(timezone=True))


class LogHole(SQLModel, table=True):
    """Records that this service can never read: from `from_offset` to before `to_offset`; open until acknowledged."""

    __tablename__ = "log_hole"

    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    topic: str
    partition: int
    from_offset: int = Field(sa_type=sa.BigInteger)
    to_offset: int = Field(sa_type=sa.BigInteger)
    reason: str
    found_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    acknowledged_at: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


class ParkedRecord(SQLModel, table=True):
    """Where a record stood that is parked; its topic has it whole. When it is replayed or dismissed, its row goes."""

    __tablename__ = "parked_record"

    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    topic: str
    partition: int
    record_offset: int = Field(sa_type=sa.BigInteger)
    reason: str
    parked_at: datetime = Field(sa_type=sa.DateTime(timezone=True))


RUNTIME_TABLES = ("consumer_offset", "outbox", "log_hole", "parked_record")


def create_runtime_tables(op: "Operations") -> None:
    """Create the tables of this module: the first step of each service's first migration."""
    op.create_table(
        "consumer_offset",
        sa.Column("topic", sa.String, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("cluster_id", sa.String, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("source_topic", sa.String, nullable=False),
        sa.Column("source_partition", sa.Integer, nullable=False),
        sa.Column("records", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    # A row lives for milliseconds: compressing it would cost more than it saves.
    op.execute("ALTER TABLE outbox ALTER COLUMN records SET STORAGE EXTERNAL")
    op.create_table(
        "log_hole",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("from_offset", sa.BigInteger, nullable=False),
        sa.Column("to_offset", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
    )
    create_parked_record(op)


def create_parked_record(op: "Operations") -> None:
    """Create the table of parked records, unless it is there: older databases were made without it."""
    op.create_table(
        "parked_record",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("record_offset", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )


def drop_runtime_tables(op: "Operations") -> None:
    """Drop them again: the last step of that migration's downgrade."""
    for table in reversed(RUNTIME_TABLES):
        op.drop_table(table, if_exists=True)
