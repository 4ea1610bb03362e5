"""The JSON of tokens over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from chargebus_runtime.http import Input, UtcDatetime
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chargebus_session.resources import PLAIN, TokenText

TokenType = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20, pattern=PLAIN)]
GroupId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=36, pattern=PLAIN)]
Note = Annotated[str, StringConstraints(max_length=500, pattern=PLAIN)]


class TokenIn(Input):
    """A token to register; its text is compared without the case of A to Z."""

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

    model_config = ConfigDict(from_attributes=True)

    id_token: str
    type: str
    group_id: str
    blocked: bool
    expires_at: datetime | None
    concurrent_transactions: bool = Field(validation_alias="concurrent")
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
