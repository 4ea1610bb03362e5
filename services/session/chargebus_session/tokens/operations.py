"""Tokens as operators register and change them."""

from datetime import datetime

from chargebus_session.tables import TokenRow
from chargebus_session.tokens.domain import token_key
from chargebus_session.tokens.resources import TokenChangeIn, TokenIn, TokensIn


def new_token(wanted: TokenIn, now: datetime) -> TokenRow:
    """Return a token as it is to be stored."""
    return TokenRow(
        token_key=token_key(wanted.id_token),
        concurrent=wanted.concurrent_transactions,
        created_at=now,
        updated_at=now,
        **wanted.model_dump(exclude={"concurrent_transactions"}),
    )


def new_tokens(wanted: TokensIn, now: datetime) -> list[TokenRow]:
    """Return tokens as they are to be stored: of those with the same key the first."""
    stored: dict[str, TokenRow] = {}
    for each in wanted.tokens:
        stored.setdefault(token_key(each.id_token), new_token(each, now))
    return list(stored.values())


def change_token(stored: TokenRow, change: TokenChangeIn, now: datetime) -> None:
    """Change a token: null changes nothing but the expiry."""
    given = change.model_dump(exclude_unset=True)
    if "concurrent_transactions" in given:
        given["concurrent"] = given.pop("concurrent_transactions")
    for name, value in given.items():
        if value is not None or name == "expires_at":
            setattr(stored, name, value)
    stored.updated_at = now
