"""HTTP in: tokens, sessions, remote starts and stops."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import quote

from chargebus_runtime.database import Database
from chargebus_runtime.http import Page, PageQuery, Problem, UtcDatetime, page
from chargebus_runtime.keys import Role, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_session import presentation
from chargebus_session.domain.tokens import token_key
from chargebus_session.intents import Intents
from chargebus_session.resources import (
    BulkItem,
    BulkOut,
    IntentOut,
    SessionDetail,
    SessionOut,
    StartIn,
    StopIn,
    TokenChangeIn,
    TokenIn,
    TokenOut,
    TokensIn,
)
from chargebus_session.store import sessions, tokens
from chargebus_session.store.intents import Intent, Result
from chargebus_session.store.sessions import SessionFilter
from chargebus_session.store.tokens import TokenFilter

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

IdToken = Annotated[str, Path(description="The token's text; its case does not matter")]
_ON_ITS_WAY: Final[dict[int | str, dict[str, object]]] = {
    202: {"model": IntentOut, "description": "On its way; the command is at Location"}
}

Paging = Annotated[PageQuery, Depends()]


def router(database: Database, intents: Intents, bulk_tokens: int) -> APIRouter:
    """Return the routes of this service; one bulk call may register `bulk_tokens`."""
    routes = APIRouter()
    routes.include_router(_token_lists(database, bulk_tokens))
    routes.include_router(_token_routes(database))
    routes.include_router(_session_routes(database))
    routes.include_router(_intent_routes(intents))
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


@dataclass(frozen=True)
class SessionQuery:
    """Which sessions to list."""

    station_id: Annotated[str | None, Query(description="of this station")] = None
    state: Annotated[Literal["active", "ended"] | None, Query(description="going on, or over")] = None
    id_token: Annotated[str | None, Query(description="of this token")] = None
    begun_from: Annotated[UtcDatetime | None, Query(alias="from", description="begun then or later")] = None
    begun_to: Annotated[UtcDatetime | None, Query(alias="to", description="begun before then")] = None
    billable: Annotated[bool | None, Query(description="with a valid token, or not")] = None
    remote_start_id: Annotated[
        int | None, Query(ge=-(2**63), lt=2**63, description="that came of this remote start")
    ] = None

    def filter(self) -> SessionFilter:
        """Return it as the store takes it."""
        return SessionFilter(
            station_id=self.station_id,
            state=self.state,
            token_key=None if self.id_token is None else token_key(self.id_token),
            begun_from=self.begun_from,
            begun_to=self.begun_to,
            billable=self.billable,
            remote_start_id=self.remote_start_id,
        )


def _token_lists(database: Database, bulk_tokens: int) -> APIRouter:
    routes = APIRouter(prefix="/tokens", tags=["tokens"])

    @routes.get("", summary="List tokens", dependencies=[VIEWER])
    async def list_tokens(paging: Paging, wanted: Annotated[TokenQuery, Depends()]) -> Page[TokenOut]:
        stored = await tokens.listed(database.pool, wanted.filter(), paging.cursor or "", paging.limit + 1)
        found = page(stored, paging.limit, lambda each: each.token_key)
        return Page(items=[presentation.token(each) for each in found.items], next=found.next)

    @routes.post("", summary="Register a token", status_code=201, dependencies=[OPERATOR])
    async def register_token(wanted: TokenIn, response: Response) -> TokenOut:
        async with database.transaction() as tx:
            stored = presentation.new_token(wanted, tx.now)
            if not await tokens.add(tx.connection, [stored]):
                detail = f"There is a token {wanted.id_token} already; change it with PATCH."
                raise Problem(409, "token exists", detail)
        response.headers["Location"] = f"/v1/tokens/{quote(stored.id_token, safe='')}"
        return presentation.token(stored)

    @routes.post("/bulk", summary="Register many tokens", dependencies=[OPERATOR])
    async def register_tokens(wanted: TokensIn) -> BulkOut:
        """A token that exists is left as it is, so the call can be repeated; nothing is created if the call fails.

        Of two tokens that differ in case only, the first is registered, and then the second exists.
        """
        if len(wanted.tokens) > bulk_tokens:
            detail = f"One call may register {bulk_tokens} tokens; send them in several."
            raise Problem(413, "too many tokens", detail)
        async with database.transaction() as tx:
            stored = presentation.new_tokens(wanted, tx.now)
            created = await tokens.add(tx.connection, stored)
        return _bulk(wanted, created)

    return routes


def _token_routes(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/tokens/{id_token:path}", tags=["tokens"])

    @routes.get("", summary="A token", dependencies=[VIEWER])
    async def get_token(id_token: IdToken) -> TokenOut:
        stored = await tokens.get(database.pool, token_key(id_token))
        if stored is None:
            raise _no_token(id_token)
        return presentation.token(stored)

    @routes.patch("", summary="Block or unblock a token, change its expiry or group", dependencies=[OPERATOR])
    async def change_token(id_token: IdToken, wanted: TokenChangeIn) -> TokenOut:
        async with database.transaction() as tx:
            stored = await tokens.lock(tx.connection, token_key(id_token))
            if stored is None:
                raise _no_token(id_token)
            changed = presentation.changed_token(stored, wanted, tx.now)
            await tokens.change(tx.connection, changed)
        return presentation.token(changed)

    @routes.delete("", summary="Delete a token; its sessions stay", status_code=204, dependencies=[OPERATOR])
    async def delete_token(id_token: IdToken) -> None:
        async with database.transaction() as tx:
            if not await tokens.delete(tx.connection, token_key(id_token)):
                raise _no_token(id_token)

    return routes


def _session_routes(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/sessions", tags=["sessions"], dependencies=[VIEWER])

    @routes.get("", summary="List sessions, the newest first")
    async def list_sessions(paging: Paging, wanted: Annotated[SessionQuery, Depends()]) -> Page[SessionOut]:
        before = paging.cursor and presentation.session_id(paging.cursor)
        if paging.cursor and before is None:
            raise Problem(422, "invalid request", "The cursor is the `next` of the page before; this one is not.")
        stored = await sessions.listed(database.pool, wanted.filter(), before or None, paging.limit + 1)
        found = page(stored, paging.limit, lambda each: each.session_id)
        return Page(items=[presentation.session(each) for each in found.items], next=found.next)

    @routes.get("/{session_id}", summary="A session with its events")
    async def get_session(session_id: str) -> SessionDetail:
        known_id = presentation.session_id(session_id)
        stored = known_id and await sessions.get(database.pool, known_id)
        if not stored:
            raise Problem(404, "no such session", "See /v1/sessions for those there are.")
        return presentation.detail(stored, await sessions.events(database.pool, stored.session_id))

    return routes


def _intent_routes(intents: Intents) -> APIRouter:
    routes = APIRouter(dependencies=[OPERATOR])

    @routes.post(
        "/stations/{station_id}/evses/{evse_id}/start",
        summary="Start charging for a token",
        tags=["stations"],
        responses=_ON_ITS_WAY,
    )
    async def start(
        station_id: str, evse_id: Annotated[int, Path(ge=1, lt=2**31)], wanted: StartIn, response: Response
    ) -> IntentOut:
        """On OCPP 1.6 the EVSE is the connector of that number."""
        return _told(response, *await intents.start(station_id, evse_id, wanted))

    @routes.post("/sessions/{session_id}/stop", summary="Stop a session", tags=["sessions"], responses=_ON_ITS_WAY)
    async def stop(session_id: str, response: Response, wanted: StopIn | None = None) -> IntentOut:
        return _told(response, *await intents.stop(presentation.session_id(session_id), wanted or StopIn()))

    return routes


def _told(response: Response, intent: Intent, ended: Result | None) -> IntentOut:
    response.headers["Location"] = f"/v1/commands/{intent.command_id}"
    response.status_code = 202 if ended is None else 200
    return presentation.intent(intent, ended)


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
