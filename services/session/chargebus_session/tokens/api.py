"""HTTP in: tokens."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import quote

from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_session.tokens import operations, store
from chargebus_session.tokens.domain import token_key
from chargebus_session.tokens.resources import BulkItem, BulkOut, TokenChangeIn, TokenIn, TokenOut, TokensIn
from chargebus_session.tokens.store import TokenFilter

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

TOKENS: Final = Listing("tokens", str)

IdToken = Annotated[
    str, Path(description="The token's text; neither the case of A to Z nor, of an eMAID, its spelling matters")
]
Paging = Annotated[PageQuery, Depends()]


def router(database: Database, bulk_tokens: int) -> APIRouter:
    """Return the routes of tokens; one bulk call may register `bulk_tokens`."""
    routes = APIRouter()
    routes.include_router(_token_lists(database, bulk_tokens))
    routes.include_router(_token_routes(database))
    return routes


@dataclass(frozen=True)
class TokenQuery:
    """Which tokens to list."""

    group_id: Annotated[str | None, Query(description="of this group")] = None
    blocked: Annotated[bool | None, Query(description="blocked or not")] = None
    type: Annotated[str | None, Query(description="of this type")] = None
    expired: Annotated[bool | None, Query(description="expired or not")] = None
    prefix: Annotated[str | None, Query(description="beginning like this")] = None

    def filter(self) -> TokenFilter:
        """Return it as the store takes it."""
        prefix = None if self.prefix is None else token_key(self.prefix)
        return TokenFilter(self.group_id, self.blocked, self.type, self.expired, prefix)


def _token_lists(database: Database, bulk_tokens: int) -> APIRouter:
    routes = APIRouter(prefix="/tokens", tags=["tokens"])

    @routes.get("", summary="List tokens", dependencies=[VIEWER])
    async def list_tokens(paging: Paging, wanted: Annotated[TokenQuery, Depends()]) -> Page[TokenOut]:
        stored = await store.listed(database.pool, wanted.filter(), TOKENS.after(paging) or "", paging.limit + 1)
        found = TOKENS.page(stored, paging.limit, lambda each: each.token_key)
        return Page(items=[TokenOut.model_validate(each) for each in found.items], next=found.next)

    @routes.post("", summary="Register a token", status_code=201, dependencies=[OPERATOR], responses=raises(409))
    async def register_token(wanted: TokenIn, response: Response) -> TokenOut:
        async with database.transaction() as tx:
            stored = operations.new_token(wanted, tx.now)
            if not await operations.register(tx.connection, [stored]):
                detail = f"There is a token {wanted.id_token} already, however it is written; change it with PATCH."
                raise Problem(409, "token exists", detail)
        response.headers["Location"] = f"/v1/tokens/{quote(stored.id_token, safe='')}"
        return TokenOut.model_validate(stored)

    @routes.post("/bulk", summary="Register many tokens", dependencies=[OPERATOR])
    async def register_tokens(wanted: TokensIn) -> BulkOut:
        """A token that exists is left as it is, so the call can be repeated; nothing is created if the call fails.

        Of two tokens that differ in case only, or are one eMAID in two spellings, the first is registered, and then the
        second exists.
        """
        if len(wanted.tokens) > bulk_tokens:
            detail = f"One call may register {bulk_tokens} tokens; send them in several."
            raise Problem(413, "too many tokens", detail)
        async with database.transaction() as tx:
            stored = operations.new_tokens(wanted, tx.now)
            created = await operations.register(tx.connection, stored)
        return _bulk(wanted, created)

    return routes


def _token_routes(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/tokens/{id_token:path}", tags=["tokens"])

    @routes.get("", summary="A token", dependencies=[VIEWER], responses=raises(404))
    async def get_token(id_token: IdToken) -> TokenOut:
        key = await operations.find_key(database.pool, id_token)
        stored = None if key is None else await store.get(database.pool, key)
        if stored is None:
            raise _no_token(id_token)
        return TokenOut.model_validate(stored)

    @routes.patch(
        "",
        summary="Block or unblock a token, change its expiry or group",
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def change_token(id_token: IdToken, wanted: TokenChangeIn) -> TokenOut:
        async with database.transaction() as tx:
            key = await operations.find_key(tx.connection, id_token)
            stored = None if key is None else await store.lock(tx.connection, key)
            if stored is None:
                raise _no_token(id_token)
            operations.change_token(stored, wanted, tx.now)
            await store.change(tx.connection, stored)
        return TokenOut.model_validate(stored)

    @routes.delete(
        "",
        summary="Delete a token; its sessions stay",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def delete_token(
        id_token: Annotated[str, Path(description="The token's text as it was registered; the case of A to Z is free")],
        type_: Annotated[
            Literal["eMAID"] | None,
            Query(alias="type", description="eMAID: the contract, in any spelling of it, and no card of that text"),
        ] = None,
    ) -> None:
        """A request that is sent again deletes no other token: 404, though another may be meant by the same text."""
        async with database.transaction() as tx:
            key = token_key(id_token)
            if type_ is not None:
                key = await operations.find_contract(tx.connection, id_token) or ""
            if not await operations.delete(tx.connection, key):
                raise _no_token(id_token)

    return routes


def _bulk(wanted: TokensIn, created: set[str]) -> BulkOut:
    """Return what became of each token; one that the request names twice exists the second time."""
    left = set(created)
    items = []
    for each in wanted.tokens:
        key = token_key(each.id_token)
        items.append(BulkItem(id_token=each.id_token, result="created" if key in left else "exists"))
        left.discard(key)
    return BulkOut(created=len(created), exists=len(items) - len(created), items=items)


def _no_token(text: str) -> Problem:
    return Problem(404, "no such token", f"There is no token {text}; register it with POST /v1/tokens.")
