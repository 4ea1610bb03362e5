"""Owns remote starts and stops as they are meant, apart from the messages that carry them."""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_session.tokens.domain import Token

START: Final = "start"
STOP: Final = "stop"

ACCEPTED: Final = "Accepted"
REJECTED: Final = "Rejected"


class ProfilePeriod(msgspec.Struct, frozen=True):
    """A part of a schedule: from when, in seconds from the start of the charge, and the limit in its unit."""

    start_s: int
    limit: float
    phases: int | None = None


class ProfileOfStart(msgspec.Struct, frozen=True):
    """The charging profile that a transaction begins with (TxProfile); `unit` is A or W."""

    profile_id: int
    stack_level: int
    unit: str
    periods: tuple[ProfilePeriod, ...]
    duration_s: int | None = None


class Start(msgspec.Struct, frozen=True):
    """Start charging on an EVSE for a token; a station that can repeats `remote_start_id` in what follows."""

    evse_id: int
    token: Token
    remote_start_id: int
    profile: ProfileOfStart | None = None


class Stop(msgspec.Struct, frozen=True):
    """Stop a transaction."""

    transaction_id: str


class RemoteStart(msgspec.Struct, frozen=True):
    """A remote start that was asked for; while it is `pending`, a transaction may come of it."""

    remote_start_id: int
    station_id: str
    evse_id: int
    token_key: str
    requested_at: datetime
    pending: bool = True
    session_id: str | None = None
