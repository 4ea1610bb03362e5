"""The tables of this subject; each column is declared here, and nowhere else."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Field

from chargebus_smart_charging.tables import BIG, FLOAT, ID, TIME, Tables

_JSON: Final[Any] = JSON


class SteeredStationRow(Tables, table=True):
    """What is known of a station: `known` is a `Station` (MessagePack)."""

    __tablename__ = "steered_station"

    station_id: str = Field(primary_key=True, sa_type=ID)
    vendor: str = Field(sa_type=ID)
    model: str = Field(sa_type=ID)
    firmware_version: str = Field(sa_type=ID)
    heard_at: datetime = Field(sa_type=TIME, index=True)
    known: bytes


class SteeredEvseRow(Tables, table=True):
    """The steering of an EVSE: `known` is a `Steered` (MessagePack). Only who holds its site's row changes it."""

    __tablename__ = "steered_evse"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    changed_at: datetime = Field(sa_type=TIME, index=True)
    known: bytes


class OrderAnswerRow(Tables, table=True):
    """What came of an order, until who plans the site takes it into the steering of its EVSE."""

    __tablename__ = "order_answer"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    number: int = Field(primary_key=True, sa_type=BIG)
    answer: str
    at: datetime = Field(sa_type=TIME, index=True)
    amperes: float | None = Field(sa_type=FLOAT)
    reason: str


class PulledLimitRow(Tables, table=True):
    """What a station was answered last that asked for the limit of a dynamic profile: `known` is a `Pulled`."""

    __tablename__ = "pulled_limit"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    known: bytes


class ConnectorStateRow(Tables, table=True):
    """Whether a connector was free when its station said so last."""

    __tablename__ = "connector_state"

    station_id: str = Field(primary_key=True, sa_type=ID)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    connector_id: int = Field(primary_key=True, sa_type=BIG)
    available: bool
    at: datetime = Field(sa_type=TIME)


class ReportedProfileRow(Tables, table=True):
    """A charging profile as its station reported it; one report of a station takes the place of the one before."""

    __tablename__ = "reported_profile"

    station_id: str = Field(primary_key=True, sa_type=ID)
    request_id: int = Field(primary_key=True, sa_type=BIG)
    evse_id: int = Field(primary_key=True, sa_type=BIG)
    profile_id: int = Field(primary_key=True, sa_type=BIG)
    source: str
    purpose: str
    stack_level: int
    profile: Any = Field(sa_type=_JSON)
    reported_at: datetime = Field(sa_type=TIME, index=True)


class HabitRow(Tables, table=True):
    """What was learned of stations of one make, model and firmware: `tally` is a `Tally`."""

    __tablename__ = "habit"

    vendor: str = Field(primary_key=True, sa_type=ID)
    model: str = Field(primary_key=True, sa_type=ID)
    firmware_version: str = Field(primary_key=True, sa_type=ID)
    tally: Any = Field(sa_type=_JSON)
    changed_at: datetime = Field(sa_type=TIME)
