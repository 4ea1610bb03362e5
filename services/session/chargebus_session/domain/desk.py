"""Owns the working memory of a batch: what was read before it, and what its decisions have changed since.

Two events of one transaction in the same batch see each other here, and so do two transactions of one token.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from chargebus_session.domain.events import Event, Kind
from chargebus_session.domain.sessions import Reference, Report, Session, Summary
from chargebus_session.domain.tokens import Judgement, Token

EventKey = tuple[str, int, Kind]


class Use(msgspec.Struct, frozen=True, gc=False):
    """An unfinished session of a token."""

    session_id: str
    station_id: str
    evse_id: int
    begun_at: datetime


class RemoteStart(msgspec.Struct, frozen=True, gc=False):
    """A remote start that no session came of yet."""

    remote_start_id: int
    station_id: str
    evse_id: int
    token_key: str


class FirstAnswer(msgspec.Struct, frozen=True, gc=False):
    """What an event was answered when it first came; `at` is the station's time in it."""

    payload: bytes
    at: datetime


class Known(msgspec.Struct, frozen=True):
    """What was read for a batch; `remote_starts` are open ones of stations whose version does not name them."""

    tokens: dict[str, Token] = {}
    uses: dict[str, list[Use]] = {}
    sessions: tuple[Session, ...] = ()
    answers: dict[EventKey, FirstAnswer] = {}
    remote_starts: tuple[RemoteStart, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """An event that was new, its session before and after it, and how it was judged and answered."""

    before: Session | None
    session: Session
    summary: Summary
    event: Event
    judgement: Judgement | None
    payload: bytes = b""


class Issue(msgspec.Struct, frozen=True):
    """Where new identities come from."""

    session_id: Callable[[], str]
    transaction_id: Callable[[], str]


class Desk:
    """The state that a batch's decisions are made on, one after the other."""

    def __init__(self, known: Known, issue: Issue) -> None:
        self.issue = issue
        self.recorded: list[Recorded] = []
        self.judged: list[Judgement] = []
        self.duplicates = 0
        self.contradictions: list[tuple[Session, Event]] = []
        self._tokens = known.tokens
        self._uses = {key: {use.session_id: use for use in uses} for key, uses in known.uses.items()}
        self._answers = dict(known.answers)
        self._remote_starts = list(known.remote_starts)
        self._by_name: dict[tuple[str, str], Session] = {}
        self._by_start: dict[tuple[str, str], Session] = {}
        for session in known.sessions:
            self._remember(session)

    def token(self, key: str) -> Token | None:
        """Return the token registered under a key."""
        return self._tokens.get(key)

    def uses(self, key: str) -> Iterable[Use]:
        """Return the unfinished sessions of a token."""
        return self._uses.get(key, {}).values()

    def session(self, station_id: str, reference: Reference) -> Session | None:
        """Return the session that a station names."""
        if reference.start:
            return self._by_start.get((station_id, reference.start))
        found = (self._by_name.get((station_id, name)) for name in reference.names)
        return next((session for session in found if session is not None), None)

    def first_answer(self, session: Session, event: Event) -> FirstAnswer | None:
        """Return what an event was answered before, None for a new one."""
        return self._answers.get((session.session_id, event.number, event.kind))

    def take_remote_start(self, report: Report) -> int | None:
        """Return the remote start that a report answers without naming it, and let no other report have it."""
        event = report.event
        for start in self._remote_starts:
            fits = start.station_id == report.station_id and start.evse_id == event.evse_id
            if fits and event.token is not None and start.token_key == event.token.key:
                self._remote_starts.remove(start)
                return start.remote_start_id
        return None

    def keep(self, recorded: Recorded) -> None:
        """Take a decision into account for those that follow."""
        session, event = recorded.session, recorded.event
        self._remember(session)
        self._answers[session.session_id, event.number, event.kind] = FirstAnswer(recorded.payload, event.at)
        self._note_use(session, recorded.summary)
        self.recorded.append(recorded)
        if recorded.judgement is not None:
            self.judged.append(recorded.judgement)

    def _remember(self, session: Session) -> None:
        self._by_name[session.station_id, session.name] = session
        if session.start:
            self._by_start[session.station_id, session.start] = session

    def _note_use(self, session: Session, summary: Summary) -> None:
        if not summary.token_key:
            return
        uses = self._uses.setdefault(summary.token_key, {})
        if summary.state == "active":
            uses[session.session_id] = Use(session.session_id, session.station_id, summary.evse_id, summary.begun_at)
        else:
            uses.pop(session.session_id, None)
