"""HTTP in: sessions."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, UtcDatetime, raises, require
from fastapi import APIRouter, Depends, Query

from chargebus_session.tokens.domain import token_key
from chargebus_session.transactions.resources import EventOut, SessionDetail, SessionOut
from chargebus_session.transactions.store import sessions
from chargebus_session.transactions.store.sessions import SessionFilter

VIEWER: Final = Depends(require(Role.VIEWER))

SESSIONS: Final = Listing("sessions", UUID)

Paging = Annotated[PageQuery, Depends()]


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


def router(database: Database) -> APIRouter:
    """Return the routes of sessions."""
    routes = APIRouter(prefix="/sessions", tags=["sessions"], dependencies=[VIEWER])

    @routes.get("", summary="List sessions, the newest first")
    async def list_sessions(paging: Paging, wanted: Annotated[SessionQuery, Depends()]) -> Page[SessionOut]:
        before = SESSIONS.after(paging)
        stored = await sessions.listed(
            database.pool, wanted.filter(), None if before is None else str(before), paging.limit + 1
        )
        found = SESSIONS.page(stored, paging.limit, lambda each: each.session_id)
        return Page(items=[SessionOut.model_validate(each) for each in found.items], next=found.next)

    @routes.get("/{session_id}", summary="A session with its events", responses=raises(404))
    async def get_session(session_id: str) -> SessionDetail:
        known_id = session_id_of(session_id)
        stored = known_id and await sessions.get(database.pool, known_id)
        if not stored or not known_id:
            raise Problem(404, "no such session", "See /v1/sessions for those there are.")
        detail = SessionDetail.model_validate(stored)
        events = await sessions.events(database.pool, known_id)
        return detail.model_copy(update={"events": [EventOut.model_validate(each) for each in events]})

    return routes


def session_id_of(text: str) -> str | None:
    """Return a session id as it is stored, None for what cannot be one."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
