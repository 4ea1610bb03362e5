"""The tables of customer information; each column is declared here, and nowhere else."""

from datetime import datetime

from sqlmodel import Field

from chargebus_notification.tables import BIG, ID, TIME, Tables


class CustomerRequestRow(Tables, table=True):
    """A request; nothing in it tells who the customer is."""

    __tablename__ = "customer_request"

    request_id: int = Field(primary_key=True, sa_type=BIG)
    station_id: str = Field(sa_type=ID)
    who: str
    report: bool
    clear: bool
    asked_at: datetime = Field(sa_type=TIME, index=True)
    status: str
    reason: str
    detail: str
    ended_at: datetime | None = Field(sa_type=TIME)
    command_id: str


class CustomerPartRow(Tables, table=True):
    """A part of what a station told: personal, and deleted soon."""

    __tablename__ = "customer_part"

    request_id: int = Field(primary_key=True, sa_type=BIG)
    seq_no: int = Field(primary_key=True, sa_type=BIG)
    data: str
    is_last: bool
