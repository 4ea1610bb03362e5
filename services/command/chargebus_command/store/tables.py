"""The tables: stations and where they are, and the ledger of commands."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# Compared byte by byte: the order in which rows are locked is the same on every server.
_ID: Any = sa.String(collation="C")
_TIME: Any = sa.DateTime(timezone=True)
_BIG: Any = sa.BigInteger
_JSON: Any = JSON
_EMPTY: Any = {"server_default": ""}

_OPEN = sa.text("state <> 'ended'")
_SENT = sa.text("state = 'sent'")
_KEYED = sa.text("idempotency_key IS NOT NULL")
_ENDED = sa.text("outcome IS NOT NULL")


class Tables(SQLModel, registry=registry()):
    """This service's tables: `Tables.metadata` holds no other service's, in whatever process they run together."""


class StationRow(Tables, table=True):
    """A station: whether it is registered, and its newest connection as presence tells it.

    Whoever decides about its commands holds a lock on this row. It may be of a station that was asked for and never
    heard of. `avoided_epoch` is a connection that is left alone until `avoided_until`, because its edge could not write
    a command there.
    """

    __tablename__ = "station"

    station_id: str = Field(primary_key=True, sa_type=_ID)
    registered: bool
    connected: bool
    epoch: int | None = Field(sa_type=_BIG)
    slot: int | None
    edge_epoch: int | None = Field(sa_type=_BIG)
    version: str
    avoided_epoch: int | None = Field(sa_type=_BIG)
    avoided_until: datetime | None = Field(sa_type=_TIME)


class CommandRow(Tables, table=True):
    """A command, from its request to its one outcome.

    `number` is its place in the order of all commands; `state` is queued, sent or ended. `due_at` is when time does
    something about it: at `expires_at`, or before at `absent_until`, if it waits so long for a station that is unknown
    or away; at the deadline of its answer, once it is sent. `open_forms` are kept until it ended; `action`, `payload`
    and `version` are those of the form that was sent, of the first one before that (no version yet). `awaited`: an HTTP
    call may be waiting for its end. Until `held_until` it is not tried again on a station that was pending. `reply` and
    `error_*` are what the station said.
    """

    __tablename__ = "command"
    __table_args__ = (
        sa.Index("command_open_by_station", "station_id", "number", postgresql_where=_OPEN),
        sa.Index("command_open_by_due", "due_at", postgresql_where=_OPEN),
        sa.Index("command_one_in_flight", "station_id", unique=True, postgresql_where=_SENT),
        sa.Index("command_by_number", "number", unique=True),
        sa.Index("command_by_station", "station_id", "number"),
        sa.Index("command_by_action", "action", "number"),
        sa.Index("command_by_outcome", "outcome", "number", postgresql_where=_ENDED),
        sa.Index("command_by_key", "station_id", "idempotency_key", unique=True, postgresql_where=_KEYED),
    )

    command_id: str = Field(primary_key=True, sa_type=_ID)
    number: int = Field(sa_type=_BIG, sa_column_args=(sa.Identity(always=True),))
    station_id: str = Field(sa_type=_ID)
    requester: str
    intent: str = Field(sa_column_kwargs=_EMPTY)
    subject: str = Field(sa_column_kwargs=_EMPTY)
    open_forms: list[Any] | None = Field(sa_type=_JSON)
    action: str
    payload: str
    version: str = Field(sa_column_kwargs=_EMPTY)
    requested_by: str
    requested_at: datetime = Field(sa_type=_TIME)
    timeout_s: float
    ttl_s: float
    expires_at: datetime = Field(sa_type=_TIME)
    absent_until: datetime | None = Field(sa_type=_TIME)
    held_until: datetime | None = Field(sa_type=_TIME)
    idempotency_key: str | None = Field(sa_type=_ID)
    fingerprint: str
    awaited: bool
    state: str
    due_at: datetime = Field(sa_type=_TIME)
    slot: int | None
    epoch: int | None = Field(sa_type=_BIG)
    sent_at: datetime | None = Field(sa_type=_TIME)
    outcome: str | None
    ended_at: datetime | None = Field(sa_type=_TIME)
    reason: str
    reply: str | None
    error_code: str
    error_description: str
    error_details: str | None
