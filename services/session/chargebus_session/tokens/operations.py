"""Tokens as operators register and change them."""

from collections.abc import Collection
from datetime import datetime

import asyncpg

from chargebus_session.tables import TokenRow
from chargebus_session.tokens import store
from chargebus_session.tokens.domain import EMAID, id_token, keys_meant, meant, token_key
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
    """Return tokens as they are to be stored: of those with the same key, or of the same contract, the first."""
    stored: dict[str, TokenRow] = {}
    contracts: set[str] = set()
    for each in wanted.tokens:
        itself, key = id_token(each.id_token, each.type), token_key(each.id_token)
        if key in stored or (itself.is_contract and itself.key in contracts):
            continue
        stored[key] = new_token(each, now)
        if itself.is_contract:
            contracts.add(itself.key)
    return list(stored.values())


async def register(connection: asyncpg.Connection, tokens: Collection[TokenRow]) -> set[str]:
    """Add those of the tokens that are not registered yet, nor their contracts otherwise written; return their keys."""
    ways = {each.token_key: id_token(each.id_token, each.type) for each in tokens}
    contracts = {key: way.keys for key, way in ways.items() if way.is_contract}
    if contracts:
        await store.hold_contracts(connection)
        known = await store.load(connection, {key for keys in contracts.values() for key in keys})
        there = {key for key, token in known.items() if token.itself.is_contract}
        tokens = [each for each in tokens if there.isdisjoint(contracts.get(each.token_key, ()))]
    return await store.add(connection, tokens) if tokens else set()


async def find_key(connection: asyncpg.Connection | asyncpg.Pool, text: str) -> str | None:
    """Return the key of the token that an operator means; an eMAID may be written as on no token, a token as it is."""
    known = await store.load(connection, keys_meant(text))
    exact = known.get(token_key(text))
    token = exact if exact is not None else meant(text, known)
    return None if token is None else token_key(token.id_token)


async def find_contract(connection: asyncpg.Connection, text: str) -> str | None:
    """Return the key of the contract that an eMAID names, in whatever spelling; a card of that text is none."""
    known = await store.load(connection, id_token(text, EMAID).keys)
    return next((key for key, token in known.items() if token.itself.is_contract), None)


async def delete(connection: asyncpg.Connection, key: str) -> bool:
    """Delete a token, and what is remembered of its contract; tell whether there was one."""
    deleted = await store.delete(connection, key)
    if deleted is None:
        return False
    way = id_token(deleted.id_token, deleted.type)
    if way.is_contract:
        await store.forget_verdicts(connection, way.key)
    return True


def change_token(stored: TokenRow, change: TokenChangeIn, now: datetime) -> None:
    """Change a token: null changes nothing but the expiry."""
    given = change.model_dump(exclude_unset=True)
    if "concurrent_transactions" in given:
        given["concurrent"] = given.pop("concurrent_transactions")
    for name, value in given.items():
        if value is not None or name == "expires_at":
            setattr(stored, name, value)
    stored.updated_at = now
