"""Owns the JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated, Literal

from chargebus_runtime.http import UtcDatetime
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_PLAIN = r"^[^\x00-\x1f\x7f]*$"

TokenText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=_PLAIN)]
TokenType = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20, pattern=_PLAIN)]
GroupId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=36, pattern=_PLAIN)]
Note = Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)]


class Input(BaseModel):
    """What a caller sends: unknown fields are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")


class TokenIn(Input):
    """A token to register; its text is compared without case."""

    id_token: TokenText = Field(description="The card's UID, the idTag: up to 20 characters for OCPP 1.6, 36 for 2.0.1")
    type: TokenType = Field(default="", description="Its type in OCPP 2.x, such as ISO14443; empty: any")
    group_id: GroupId = Field(default="", description="Tokens of one group may stop each other's transactions")
    blocked: bool = False
    expires_at: UtcDatetime | None = None
    concurrent_transactions: bool = Field(
        default=True, description="Whether it may charge at several places at a time; if not, the second is refused"
    )
    note: Note = ""


class TokensIn(Input):
    """Tokens to register in one call."""

    tokens: list[TokenIn] = Field(min_length=1)


class TokenChangeIn(Input):
    """What to change of a token; what is left out stays, and `expires_at` null takes the expiry away."""

    type: TokenType | None = None
    group_id: GroupId | None = None
    blocked: bool | None = None
    expires_at: UtcDatetime | None = None
    concurrent_transactions: bool | None = None
    note: Note | None = None


class TokenOut(BaseModel):
    """A registered token."""

    id_token: str
    type: str
    group_id: str
    blocked: bool
    expires_at: datetime | None
    concurrent_transactions: bool
    note: str
    created_at: datetime
    updated_at: datetime


class BulkItem(BaseModel):
    """What became of one token of a bulk call."""

    id_token: str
    result: Literal["created", "exists"]


class BulkOut(BaseModel):
    """What became of the tokens of a bulk call, in the order of the request."""

    created: int
    exists: int
    items: list[BulkItem]


class SessionOut(BaseModel):
    """A charging session.

    Times are the station's, but for `created_at` and `updated_at`. `begun_at` is the start, or the earliest time known
    while the start is missing. `authorization` is what the station was told about the token. `gaps` are inclusive
    ranges of sequence numbers that never came, `missing` holds `started` while no start was reported, and `flags` say
    what is odd.
    """

    session_id: str
    station_id: str
    transaction_id: str
    version: str
    state: Literal["active", "ended"]
    evse_id: int
    connector_id: int
    id_token: str
    id_token_type: str
    authorization: str
    billable: bool
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    meter_start_wh: float | None
    meter_stop_wh: float | None
    energy_wh: float | None
    stop_reason: str
    charging_state: str
    remote_start_id: int | None
    gaps: list[tuple[int, int]]
    missing: list[str]
    flags: list[str]
    created_at: datetime
    updated_at: datetime


class EventOut(BaseModel):
    """An event of a session as the station first sent it; `seq_no` counts in the station's order."""

    seq_no: int
    type: str
    occurred_at: datetime
    received_at: datetime
    trigger: str
    offline: bool
    charging_state: str
    reason: str
    id_token: str
    authorization: str


class SessionDetail(SessionOut):
    """A session with its events."""

    events: list[EventOut]


class Waiting(Input):
    """How to wait for a command."""

    wait: bool = Field(default=False, description="Answer when the station has, not at once")
    timeout_s: float = Field(default=30.0, gt=0, le=300, description="How long the station may take to answer")
    ttl_s: float | None = Field(
        default=None, ge=0, le=60, description="How long it may wait for the station; then it is given up"
    )


class StartIn(Waiting):
    """Start charging for a registered token."""

    id_token: TokenText


class StopIn(Waiting):
    """Stop a session."""


class IntentOut(BaseModel):
    """A remote start or stop: the command that carries it and, once it ended, its outcome.

    `status` is the station's own word (Accepted, Rejected). The session that a start makes is found by
    `/v1/sessions?remote_start_id=`.
    """

    command_id: str
    station_id: str
    remote_start_id: int | None = None
    session_id: str | None = None
    outcome: str | None = Field(default=None, description="answered, refused, timed_out, undeliverable or expired")
    status: str | None = None
    reason: str | None = None
