"""Owns the tables.

`charging_session.fold` is what a session is decided on (MessagePack); the other columns show what it adds up to, to be
read and filtered. Rows are written by the one consumer that holds the station's partition.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

_TIME: Any = sa.DateTime(timezone=True)
_BIG: Any = sa.BigInteger
_TEXTS: Any = ARRAY(sa.String)
_JSON: Any = JSON
# Compared byte by byte: the order of pages is the same on every server.
_KEY: Any = sa.String(collation="C")

_ACTIVE = sa.text("state = 'active'")
_UNFINISHED = sa.text("state = 'active' AND station_id <> ''")  # so that lists of the active ones take the other one
_OPEN_RESERVATION = sa.text("state IN ('asked', 'reserved', 'unknown')")
_OPEN_OF_EVSE = sa.text("state IN ('asked', 'reserved', 'unknown') AND evse_id > 0")
_OPEN_START = sa.text("pending AND session_id IS NULL")
_FROM_REMOTE_START = sa.text("remote_start_id IS NOT NULL")


class Tables(SQLModel, registry=registry()):
    """The base of this service's tables: their own metadata, for services that share a process."""


class TokenRow(Tables, table=True):
    """A registered token; `token_key` is its text without the case of A to Z, an empty `type` stands for any."""

    __tablename__ = "token"
    __table_args__ = (sa.Index("token_group", "group_id", postgresql_where=sa.text("group_id <> ''")),)

    token_key: str = Field(primary_key=True, sa_type=_KEY)
    id_token: str
    type: str
    group_id: str
    blocked: bool
    expires_at: datetime | None = Field(sa_type=_TIME)
    concurrent: bool
    note: str
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)


class ContractVerdictRow(Tables, table=True):
    """What a station was told at its last Authorize of a contract's certificate, shown at `shown_at`.

    `token_key` is the contract's, whatever spelling the token is registered under.
    """

    __tablename__ = "contract_verdict"

    token_key: str = Field(primary_key=True, sa_type=_KEY)
    station_id: str = Field(primary_key=True, sa_type=_KEY)
    status: str
    shown_at: datetime = Field(sa_type=_TIME)


class SessionRow(Tables, table=True):
    """A charging session; its id begins with the time when it was made, so that pages follow the key.

    Nearly all events touch no index: what indexes hold or ask for changes only when the token or the remote start
    becomes known and when the session ends, and the fill factor leaves room beside a row.
    """

    __tablename__ = "charging_session"
    __table_args__ = (
        sa.Index("charging_session_name", "station_id", "name", unique=True),
        sa.Index("charging_session_start", "station_id", "start", unique=True, postgresql_where=sa.text("start <> ''")),
        sa.Index("charging_session_token", "token_key", "session_id", postgresql_where=sa.text("token_key <> ''")),
        sa.Index("charging_session_begun", "begun_at", postgresql_using="brin"),
        sa.Index("charging_session_active", "session_id", postgresql_where=_ACTIVE),
        sa.Index("charging_session_unfinished", "station_id", postgresql_where=_UNFINISHED),
        sa.Index("charging_session_remote_start", "remote_start_id", postgresql_where=_FROM_REMOTE_START),
        {"postgresql_with": {"fillfactor": "60"}},
    )

    session_id: UUID = Field(primary_key=True)
    station_id: str = Field(sa_type=_KEY)
    version: str
    name: str = Field(sa_type=_KEY)
    start: str = Field(sa_type=_KEY)
    transaction_id: str
    state: str
    begun_at: datetime = Field(sa_type=_TIME)
    started_at: datetime | None = Field(sa_type=_TIME)
    ended_at: datetime | None = Field(sa_type=_TIME)
    evse_id: int = Field(sa_type=_BIG)
    connector_id: int = Field(sa_type=_BIG)
    id_token: str
    id_token_type: str
    token_key: str = Field(sa_type=_KEY)
    token_status: str
    billable: bool
    meter_start_wh: float | None
    meter_stop_wh: float | None
    energy_wh: float | None
    energy_source: str
    stop_reason: str
    charging_state: str
    remote_start_id: int | None = Field(sa_type=_BIG)
    gaps: list[tuple[int, int]] = Field(sa_type=_JSON)
    missing: list[str] = Field(sa_type=_TEXTS)
    flags: list[str] = Field(sa_type=_TEXTS)
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    fold: bytes


class EventRow(Tables, table=True):
    """An event of a transaction as it first came, and what it was answered: a resent one, by `content`, gets the same.

    One that does not count is kept, and changes nothing but the session's flags. Events from before contents were kept
    have an empty one.
    """

    __tablename__ = "session_event"

    session_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=_BIG)
    kind: str = Field(primary_key=True)
    content: str = Field(primary_key=True)
    occurred_at: datetime = Field(sa_type=_TIME)
    received_at: datetime = Field(sa_type=_TIME)
    trigger: str
    offline: bool
    charging_state: str
    reason: str
    id_token: str
    token_status: str
    counts: bool
    answer: bytes


class DecisionRow(Tables, table=True):
    """What was decided about a session by others than its station: who (an API key, or a rule), why, what was said."""

    __tablename__ = "session_decision"

    session_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=_BIG)
    action: str
    decided_by: str
    reason: str
    decided_at: datetime = Field(sa_type=_TIME)
    said: dict[str, Any] = Field(sa_type=_JSON)


class DoubtRow(Tables, table=True):
    """A session that may be over; looked at when it is due."""

    __tablename__ = "session_doubt"
    __table_args__ = (sa.Index("session_doubt_due", "due_at"),)

    session_id: UUID = Field(primary_key=True)
    sign: str
    at: datetime = Field(sa_type=_TIME)
    noticed_at: datetime = Field(sa_type=_TIME)
    due_at: datetime = Field(sa_type=_TIME)
    asked: bool
    answer: str
    attempts: int = Field(sa_type=_BIG)


class ConnectorStateRow(Tables, table=True):
    """What a connector (0: its EVSE as a whole) last said; `idle`: no transaction can be charging there.

    `status` is empty where nothing was said since it is kept.
    """

    __tablename__ = "connector_state"

    station_id: str = Field(primary_key=True, sa_type=_KEY)
    evse_id: int = Field(primary_key=True, sa_type=_BIG)
    connector_id: int = Field(primary_key=True, sa_type=_BIG)
    idle: bool
    status: str


class PowerLimitRow(Tables, table=True):
    """The largest power of an EVSE with a connector (0: whichever it is); EVSE 0: those that nothing is known of."""

    __tablename__ = "power_limit"

    station_id: str = Field(primary_key=True, sa_type=_KEY)
    evse_id: int = Field(primary_key=True, sa_type=_BIG)
    connector_id: int = Field(primary_key=True, sa_type=_BIG)
    max_power_w: float


class AliasRow(Tables, table=True):
    """A name by which a station named a session that has another one."""

    __tablename__ = "session_alias"

    station_id: str = Field(primary_key=True, sa_type=_KEY)
    name: str = Field(primary_key=True, sa_type=_KEY)
    session_id: UUID


class RemoteStartRow(Tables, table=True):
    """A remote start, and the session that came of it; while it is `pending`, one may come.

    What was asked of the station, and how that ended, stands with the commands that this service asked for.
    """

    __tablename__ = "remote_start"
    __table_args__ = (sa.Index("remote_start_open", "station_id", "token_key", postgresql_where=_OPEN_START),)

    remote_start_id: int = Field(primary_key=True, sa_type=_BIG)
    station_id: str = Field(sa_type=_KEY)
    evse_id: int = Field(sa_type=_BIG)
    token_key: str = Field(sa_type=_KEY)
    requested_at: datetime = Field(sa_type=_TIME)
    pending: bool
    session_id: UUID | None


class ReservingStationRow(Tables, table=True):
    """A station that there is; `types` are those of the connectors of its EVSEs (by number), as far as known."""

    __tablename__ = "reserving_station"

    station_id: str = Field(primary_key=True, sa_type=_KEY)
    types: dict[str, list[str]] = Field(sa_type=_JSON)


class ReservationRow(Tables, table=True):
    """A reservation, and what its station is being asked about it; EVSE 0: any. See `reservations.domain`."""

    __tablename__ = "reservation"
    __table_args__ = (
        sa.Index("reservation_open", "station_id", postgresql_where=_OPEN_RESERVATION),
        sa.Index("reservation_evse", "station_id", "evse_id", unique=True, postgresql_where=_OPEN_OF_EVSE),
        sa.Index("reservation_due", "due_at", postgresql_where=_OPEN_RESERVATION),
        sa.Index("reservation_station", "station_id", "reservation_id"),
        sa.Index("reservation_token", "token_key", "reservation_id"),
    )

    reservation_id: int = Field(primary_key=True, sa_type=_BIG)
    station_id: str = Field(sa_type=_KEY)
    evse_id: int = Field(sa_type=_BIG)
    connector_type: str
    id_token: str
    id_token_type: str
    token_key: str = Field(sa_type=_KEY)
    group_id: str
    expires_at: datetime = Field(sa_type=_TIME)
    created_at: datetime = Field(sa_type=_TIME)
    changed_at: datetime = Field(sa_type=_TIME)
    state: str
    reason: str
    detail: str
    reserved_at: datetime | None = Field(sa_type=_TIME)
    question: str
    command_id: str
    cancel_reason: str
    attempts: int = Field(sa_type=_BIG)
    due_at: datetime | None = Field(sa_type=_TIME)
    set_anew: int = Field(sa_type=_BIG)
    session_id: str
