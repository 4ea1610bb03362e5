"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Any, Final, Literal

import asyncpg
import msgspec
from chargebus_runtime.http import Input
from pydantic import BaseModel, ConfigDict, Field

StateName = Literal["queued", "sent", "ended"]
ACTION: Final = r"^[A-Za-z0-9]{1,50}$"
MAX_PAYLOAD_BYTES: Final = 256 * 1024  # what a station may send, too
OutcomeName = Literal["answered", "refused", "timed_out", "undeliverable", "expired"]


class CommandRequest(Input):
    """A command for a station: any action that the CSMS may send in the station's OCPP version."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "Reset", "payload": {"type": "Soft"}, "timeout_s": 30}]},
    )

    action: str = Field(pattern=ACTION, description="The action's name, such as `Reset`")
    payload: dict[str, Any] = Field(
        default={}, description="The action's request, as its official schema has it; 256 KiB at most"
    )
    timeout_s: float = Field(default=30.0, ge=1, description="How long the station may take to answer")
    ttl_s: float = Field(
        default=0.0,
        ge=0,
        description="How long the command may wait for the station to be connected; 0: it fails at once if it is not",
    )
    wait: bool = Field(default=True, description="Answer with the outcome; false: answer at once with 202 and a link")


class ReplyError(BaseModel):
    """What a CALLERROR said, or, of a command that was answered, how the answer breaks its schema."""

    code: str
    description: str
    details: Any = None


class CommandView(BaseModel):
    """A command and what became of it.

    `outcome` is set once `state` is `ended`, and never changes: `answered` (the station's answer is in `reply`, which
    may itself be a refusal such as `Rejected`), `refused` (by a CALLERROR, in `error`), `timed_out` (it was sent, and
    nobody knows what the station made of it), `undeliverable` and `expired` (it never reached the station).
    """

    command_id: str
    station_id: str
    action: str
    payload: Any
    version: str = Field(description="The OCPP version in which it was sent; empty before that")
    requester: str = Field(description="The service that asked for it; `http` for a call of this API")
    requested_by: str = Field(description="The id of the API key that asked for it; empty for a service")
    requested_at: datetime
    timeout_s: float
    ttl_s: float
    state: StateName
    sent_at: datetime | None
    outcome: OutcomeName | None
    ended_at: datetime | None
    reason: str = Field(description="Why it was not answered, or what is wrong with the answer, in words")
    reply: Any = Field(description="The payload of the station's CALLRESULT")
    error: ReplyError | None


_PAYLOADS: Final = frozenset({"payload", "reply"})
_OF_THE_ROW: Final = tuple(name for name in CommandView.model_fields if name != "error")


def encoded(row: asyncpg.Record) -> bytes:
    """Return a command as JSON, such as `CommandView` declares it.

    Its payloads are JSON where they come from, and are not read to be written again.
    """
    shown = {name: _raw(row[name]) if name in _PAYLOADS else row[name] for name in _OF_THE_ROW}
    return msgspec.json.encode({**shown, "error": _error(row)})


def view(row: asyncpg.Record) -> CommandView:
    """Return a command as the API shows it."""
    return CommandView.model_validate_json(encoded(row))


def _error(row: asyncpg.Record) -> dict[str, object] | None:
    if not row["error_code"]:
        return None
    return {
        "code": row["error_code"],
        "description": row["error_description"],
        "details": _raw(row["error_details"]),
    }


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())
