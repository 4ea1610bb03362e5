"""HTTP in: sessions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_runtime.database import Database
from chargebus_runtime.http import Caller, Listing, Page, PageQuery, Problem, Role, UtcDatetime, raises, require
from fastapi import APIRouter, Depends, Query

from chargebus_session.tokens.domain import keys_meant
from chargebus_session.transactions.domain.settling import Values
from chargebus_session.transactions.errors import (
    DecisionError,
    EndedAlreadyError,
    ImpossibleError,
    NotEndedError,
    UnknownSessionError,
    UnknownTokenError,
)
from chargebus_session.transactions.operations import Decider, SessionDecisions
from chargebus_session.transactions.resources import (
    CorrectIn,
    DecisionOut,
    EndIn,
    EventOut,
    ReopenIn,
    SessionDetail,
    SessionOut,
)
from chargebus_session.transactions.store import decisions, sessions
from chargebus_session.transactions.store.sessions import SessionFilter

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

_PROBLEMS: Final[dict[type[DecisionError], tuple[int, str]]] = {
    UnknownSessionError: (404, "no such session"),
    EndedAlreadyError: (409, "session ended"),
    NotEndedError: (409, "session not ended"),
    ImpossibleError: (422, "impossible values"),
    UnknownTokenError: (422, "token unknown"),
}

SESSIONS: Final = Listing("sessions", UUID)

Paging = Annotated[PageQuery, Depends()]


@dataclass(frozen=True)
class SessionQuery:
    """Which sessions to list."""

    station_id: Annotated[str | None, Query(description="of this station")] = None
    state: Annotated[Literal["active", "ended"] | None, Query(description="going on, or over")] = None
    id_token: Annotated[str | None, Query(description="of this token; an eMAID in any spelling")] = None
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
            token_keys=None if self.id_token is None else keys_meant(self.id_token),
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
        return await _detail(database, session_id)

    deciding = SessionDecisions(database)

    @routes.post("/{session_id}/end", summary="End a session whose station does not", responses=raises(404, 409))
    async def end(session_id: str, wanted: EndIn, caller: Annotated[Caller, OPERATOR]) -> SessionDetail:
        """Its energy stays as it is known by now, whatever the station still says; nothing is asked of the station."""
        said = Values(ended_at=wanted.ended_at, meter_stop_wh=wanted.meter_stop_wh)
        with _told():
            await deciding.end(session_id_of(session_id), said, Decider(caller.key_id, wanted.reason))
        return await _detail(database, session_id)

    @routes.post("/{session_id}/correct", summary="Correct a session that is over", responses=raises(404, 409))
    async def correct(session_id: str, wanted: CorrectIn, caller: Annotated[Caller, OPERATOR]) -> SessionDetail:
        """What is said stays so, whatever the station still says."""
        said = Values(**wanted.model_dump(exclude={"reason", "id_token"}))
        with _told():
            decider = Decider(caller.key_id, wanted.reason)
            await deciding.correct(session_id_of(session_id), said, wanted.id_token, decider)
        return await _detail(database, session_id)

    @routes.post("/{session_id}/reopen", summary="Let a session go on that is over", responses=raises(404, 409))
    async def reopen(session_id: str, wanted: ReopenIn, caller: Annotated[Caller, OPERATOR]) -> SessionDetail:
        """The end that there was and all corrections are forgotten; the next end that its station reports counts."""
        with _told():
            await deciding.reopen(session_id_of(session_id), Decider(caller.key_id, wanted.reason))
        return await _detail(database, session_id)

    return routes


async def _detail(database: Database, session_id: str) -> SessionDetail:
    known_id = session_id_of(session_id)
    stored = known_id and await sessions.get(database.pool, known_id)
    if not stored or not known_id:
        raise Problem(404, "no such session", "See /v1/sessions for those there are.")
    detail = SessionDetail.model_validate(stored)
    events = [EventOut.model_validate(each) for each in await sessions.events(database.pool, known_id)]
    decided = [DecisionOut.model_validate(each) for each in await decisions.of_session(database.pool, known_id)]
    return detail.model_copy(update={"events": events, "decisions": decided})


@contextmanager
def _told() -> Iterator[None]:
    """Tell as a problem why a decision cannot be."""
    try:
        yield
    except DecisionError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error


def session_id_of(text: str) -> str | None:
    """Return a session id as it is stored, None for what cannot be one."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
