"""The JSON of remote starts and stops over HTTP."""

from chargebus_runtime.http import Input
from pydantic import BaseModel, Field

from chargebus_session.resources import TokenText


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
