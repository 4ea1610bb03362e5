"""Owns remote starts and stops as they are meant, apart from the messages that carry them."""

import msgspec

from chargebus_session.tokens.domain import Token


class Start(msgspec.Struct, frozen=True):
    """Start charging on an EVSE for a token; a station that can repeats `remote_start_id` in what follows."""

    evse_id: int
    token: Token
    remote_start_id: int


class Stop(msgspec.Struct, frozen=True):
    """Stop a transaction."""

    transaction_id: str
