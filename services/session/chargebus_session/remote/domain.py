"""Owns remote starts and stops as they are meant, apart from the messages that carry them."""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_session.tokens.domain import Token

START: Final = "start"
STOP: Final = "stop"

ACCEPTED: Final = "Accepted"
REJECTED: Final = "Rejected"


class Start(msgspec.Struct, frozen=True):
    """Start charging on an EVSE for a token; a station that can repeats `remote_start_id` in what follows."""

    evse_id: int
    token: Token
    remote_start_id: int


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
