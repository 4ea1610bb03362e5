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


class StatusInfoOut(BaseModel):
    """What a station of OCPP 2.x adds to its status."""

    reason_code: str
    additional_info: str


class IntentOut(BaseModel):
    """A remote start or stop: the command that carries it and, once it ended, its outcome.

    `status` is the station's own word (Accepted, Rejected), `status_info` what it says about it. `reason` says in words
    why it was not answered, what is wrong with the answer (`broken`: it breaks its schema, and nobody knows whether the
    station did it), or why the station refused. The session that a start makes is found by
    `/v1/sessions?remote_start_id=`.
    """

    command_id: str
    station_id: str
    remote_start_id: int | None = None
    session_id: str | None = None
    outcome: str | None = Field(default=None, description="answered, refused, timed_out, undeliverable or expired")
    status: str | None = None
    status_info: StatusInfoOut | None = None
    broken: bool = False
    reason: str | None = None
