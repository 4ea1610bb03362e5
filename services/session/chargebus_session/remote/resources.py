"""The JSON of remote starts and stops over HTTP."""

from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from chargebus_runtime.http import WHOLE, Input, WholeNumber
from pydantic import AfterValidator, BaseModel, Field

from chargebus_session.remote.domain import ProfileOfStart
from chargebus_session.resources import TokenText


def _in_order(periods: list["ProfilePeriodIn"]) -> list["ProfilePeriodIn"]:
    """Spec: OCPP 2.0.1 K01.FR.31, K01.FR.35."""
    starts = [period.start_s for period in periods]
    if starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
        message = "the first period starts at 0, and each later than the one before it"
        raise ValueError(message)
    return periods


class Waiting(Input):
    """How to wait for a command."""

    wait: bool = Field(default=False, description="Answer when the station has, not at once")
    timeout_s: float = Field(default=30.0, gt=0, le=300, description="How long the station may take to answer")
    ttl_s: float | None = Field(
        default=None, ge=0, le=60, description="How long it may wait for the station; then it is given up"
    )


class ProfilePeriodIn(Input):
    """A part of a schedule."""

    start_s: WholeNumber = Field(ge=0, le=31 * 86_400, description="From the start of the charge; 0 for the first")
    limit: float = Field(ge=0, le=1e6, description="In the profile's unit")
    phases: Annotated[int, Field(ge=1, le=3), WHOLE] | None = None


class ProfileOfStartIn(Input):
    """The charging profile that the transaction begins with (TxProfile, relative to its start)."""

    profile_id: WholeNumber = Field(ge=1, lt=2**31)
    stack_level: WholeNumber = Field(default=0, ge=0, le=1000)
    unit: Literal["A", "W"] = Field(default="A", description="Amperes on each phase, or watts in all")
    duration_s: Annotated[int, Field(ge=1, le=31 * 86_400), WHOLE] | None = None
    periods: Annotated[list[ProfilePeriodIn], Field(min_length=1, max_length=1024), AfterValidator(_in_order)]

    def profile(self) -> ProfileOfStart:
        """Return it as the domain knows it."""
        return msgspec.convert(self.model_dump(), ProfileOfStart)


class StartIn(Waiting):
    """Start charging for a registered token, under a charging profile if one is given."""

    id_token: TokenText
    charging_profile: ProfileOfStartIn | None = None


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
