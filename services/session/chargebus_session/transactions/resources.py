"""The JSON of sessions over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from chargebus_runtime.http import Input, UtcDatetime
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field, model_validator

from chargebus_session.resources import PLAIN, TokenText
from chargebus_session.transactions.domain.sessions import duration


class SessionOut(BaseModel):
    """A charging session.

    Times are the station's, but for `created_at` and `updated_at`. `begun_at` is the start, or the earliest time known
    while the start is missing. `authorization` is what the station was told about the token. `gaps` are inclusive
    ranges of sequence numbers that never came, `missing` holds `started` while no start was reported, and `flags` say
    what is odd. `energy_source` says what `energy_wh` was made of, empty while it is unknown.
    """

    model_config = ConfigDict(from_attributes=True)

    session_id: UUID
    station_id: str
    transaction_id: str
    version: str
    state: Literal["active", "ended"]
    evse_id: int
    connector_id: int
    id_token: str
    id_token_type: str
    authorization: str = Field(validation_alias="token_status")
    billable: bool
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    meter_start_wh: float | None
    meter_stop_wh: float | None
    energy_wh: float | None
    energy_source: str
    stop_reason: str
    charging_state: str
    remote_start_id: int | None
    gaps: list[tuple[int, int]]
    missing: list[str]
    flags: list[str]
    created_at: datetime
    updated_at: datetime

    @computed_field(description="From start to end by the station's clock, null while one of them is unknown")
    def duration_s(self) -> float | None:
        """Return how long it lasted."""
        lasted = duration(self.started_at, self.ended_at)
        return None if lasted is None else max(lasted.total_seconds(), 0)


class EventOut(BaseModel):
    """An event of a session as the station first sent it; `seq_no` counts in the station's order.

    One that does not count came after what settled the session and said otherwise, or may be another transaction's: it
    changed nothing but the session's flags.
    """

    model_config = ConfigDict(from_attributes=True)

    seq_no: int = Field(validation_alias="number")
    type: str = Field(validation_alias="kind")
    occurred_at: datetime
    received_at: datetime
    trigger: str
    offline: bool
    charging_state: str
    reason: str
    id_token: str
    authorization: str = Field(validation_alias="token_status")
    counts: bool


class DecisionOut(BaseModel):
    """What was decided about a session by others than its station: `decided_by` is an API key, or `rule`."""

    model_config = ConfigDict(from_attributes=True)

    action: Literal["end", "correct", "reopen"]
    decided_by: str
    reason: str
    decided_at: datetime
    said: dict[str, Any]


class SessionDetail(SessionOut):
    """A session with its events, and with what was decided about it besides."""

    events: list[EventOut] = []
    decisions: list[DecisionOut] = []


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=PLAIN)]
WattHours = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class ReopenIn(Input):
    """Let a session go on."""

    reason: Reason


class EndIn(Input):
    """End a session; what is left out stays as it is known."""

    reason: Reason
    ended_at: UtcDatetime | None = Field(default=None, description="When it ended; unknown if left out")
    meter_stop_wh: WattHours | None = Field(default=None, description="The register at the end")


class CorrectIn(Input):
    """Correct a session that is over; what is left out stays as it is."""

    reason: Reason
    started_at: UtcDatetime | None = None
    ended_at: UtcDatetime | None = None
    meter_start_wh: WattHours | None = None
    meter_stop_wh: WattHours | None = None
    energy_wh: WattHours | None = Field(default=None, description="If left out, the difference of the meter's values")
    id_token: TokenText | None = Field(default=None, description="A registered token, which pays")
    billable: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.model_fields_set <= {"reason"}:
            raise ValueError("there is nothing to correct: give what is to be another value")
        return self
