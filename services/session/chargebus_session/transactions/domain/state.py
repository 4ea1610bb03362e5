"""Owns what a batch's decisions are made on: what was read before it, and what they have changed since.

Two events of one transaction in the same batch see each other here, and so do two transactions of one token.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from chargebus_session.tokens.domain import IdToken, Judgement, Status, Token, registered, token_key
from chargebus_session.transactions.domain.endings import StationSign
from chargebus_session.transactions.domain.energy import MAX_POWER_W
from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, Event, Kind, corrected
from chargebus_session.transactions.domain.identity import CLOCKS_APART
from chargebus_session.transactions.domain.power import Place, limit_at
from chargebus_session.transactions.domain.sessions import (
    TRANSACTION_ID_REUSED,
    Reference,
    Report,
    Session,
    Summary,
    of_station,
)

EventKey = tuple[str, int, Kind]
Alias = tuple[str, str]


class Use(msgspec.Struct, frozen=True, gc=False):
    """An unfinished session that took a token: one that refused it does not keep it from charging elsewhere."""

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
    requested_at: datetime


class FirstAnswer(msgspec.Struct, frozen=True, gc=False):
    """What an event was answered when it first came; `at` is the station's time in it."""

    payload: bytes
    at: datetime


class Refusal(msgspec.Struct, frozen=True):
    """In which word a station was told that a contract's certificate is worth nothing, and when that was shown.

    `vouched_for` are the remote starts that an operator asked for since, each with the session that came of it.
    """

    status: Status
    shown_at: datetime
    vouched_for: dict[int, str | None] = {}

    def is_outweighed_by(self, remote_start_id: int | None, session: Session | None) -> bool:
        """Tell whether a transaction is an operator's: of a remote start that no other one came of."""
        if remote_start_id is None or remote_start_id not in self.vouched_for:
            return False
        taken_by = self.vouched_for[remote_start_id]
        return taken_by is None or (session is not None and session.session_id == taken_by)


class Known(msgspec.Struct, frozen=True):
    """What was read for a batch.

    `sessions` are those that are named, those whose transaction id went to another one since, and the unfinished ones
    of a station that named none. `aliases` are names by which a station named a session that has another one.
    `answers` are by the contents of the events. `remote_starts` are open ones of stations whose version does not name
    them. `named` are the tokens of those that stations name, by station and remote start. `power_limits` are those of
    the stations that tell where a transaction is. `refusals` are of contracts whose certificates were refused, by
    station and key.
    """

    tokens: dict[str, Token] = {}
    uses: dict[str, list[Use]] = {}
    sessions: tuple[Session, ...] = ()
    aliases: dict[Alias, str] = {}
    answers: dict[EventKey, dict[str, FirstAnswer]] = {}
    remote_starts: tuple[RemoteStart, ...] = ()
    named: dict[tuple[str, int], IdToken] = {}
    power_limits: dict[Place, float] = {}
    refusals: dict[tuple[str, str], Refusal] = {}


class Change(msgspec.Struct, frozen=True):
    """A session before and after something that a station reported, and what it adds up to then."""

    before: Session | None
    session: Session
    summary: Summary


class Recorded(Change, frozen=True):
    """The change by an event that was new, and how the event was judged and answered.

    `again`: another event had its number and kind. One that does not count is kept, and changes nothing but marks.
    """

    event: Event
    judgement: Judgement | None
    again: bool = False
    counts: bool = True
    payload: bytes = b""


class Contradiction(msgspec.Struct, frozen=True):
    """An event that was not what came first of this number and kind; `about` says what was another one."""

    session: Session
    event: Event
    about: str


class Issue(msgspec.Struct, frozen=True):
    """Where new identities come from."""

    session_id: Callable[[], str]
    transaction_id: Callable[[], str]


class TransactionState:
    """The state that a batch's decisions are made on, one after the other.

    `changes` are all that became of sessions, in order; `recorded` are those that a new event brought. `renamed` are
    the sessions that a station named otherwise, by that name. `max_power_w` is the largest power of an EVSE of which
    nothing is known.
    """

    def __init__(self, known: Known, issue: Issue, max_power_w: float = MAX_POWER_W) -> None:
        self.issue = issue
        self.max_power_w = max_power_w
        self.changes: list[Change] = []
        self.recorded: list[Recorded] = []
        self.judged: list[Judgement] = []
        self.duplicates = 0
        self.contradictions: list[Contradiction] = []
        self.renamed: dict[Alias, str] = {}
        self._tokens = known.tokens
        self._uses = {key: {use.session_id: use for use in uses} for key, uses in known.uses.items()}
        self._answers = {key: dict(answers) for key, answers in known.answers.items()}
        self._remote_starts = list(known.remote_starts)
        self._named = known.named
        self._power_limits = known.power_limits
        self._refusals = known.refusals
        self._aliases = dict(known.aliases)
        self._by_id: dict[str, Session] = {}
        self._by_name: dict[tuple[str, str], Session] = {}
        self._by_start: dict[tuple[str, str], Session] = {}
        self._reused: dict[tuple[str, str], dict[str, Session]] = {}
        for session in known.sessions:
            self._remember(session)

    def token(self, presented: IdToken) -> Token | None:
        """Return what is registered for a token."""
        return registered(presented, self._tokens)

    def refusal(self, station_id: str, key: str) -> Refusal | None:
        """Return what a station was last told of a contract, if its certificate was refused."""
        return self._refusals.get((station_id, key))

    def uses(self, key: str) -> Iterable[Use]:
        """Return the unfinished sessions that took a token."""
        return self._uses.get(key, {}).values()

    def sessions(self, station_id: str, reference: Reference) -> list[Session]:
        """Return the session that a station names, and those before it that had the same id: the newest first."""
        if reference.start:
            started = self._by_start.get((station_id, reference.start))
            return [started] if started else []
        found = (self._find((station_id, name)) for name in reference.names)
        current = next((session for session in found if session is not None), None)
        if current is None or TRANSACTION_ID_REUSED not in current.fold.flags:  # the usual case
            return [current] if current else []
        before = self._reused.get((station_id, current.name), {}).values()
        return [current, *sorted(before, key=lambda session: session.session_id, reverse=True)]

    def unfinished(self, station_id: str) -> list[Session]:
        """Return the sessions of a station that are not over."""
        return [session for session in self._by_id.values() if session.station_id == station_id and not session.over]

    def superseded(self) -> list[StationSign]:
        """Return signs of what began in this batch and goes on where another one began since, in this batch as well."""
        begun = {
            each.session.session_id: each.session
            for each in self.recorded
            if each.before is None and each.summary.evse_id
        }
        if len(begun) < 2:  # noqa: PLR2004 - the usual case
            return []
        newest: dict[tuple[str, int], Session] = {}
        signs = []
        for session in sorted(begun.values(), key=lambda session: session.begun_at):
            evse = session.fold.evse
            place = (session.station_id, evse.value if evse else 0)
            before = newest.get(place)
            if before is not None and not self._by_id[before.session_id].over:
                signs.append(StationSign(place[0], "next_start", session.begun_at, evse_id=place[1]))
            newest[place] = session
        return signs

    def name(self, session: Session, name: str) -> None:
        """Find a session by another name as well from now on."""
        self._aliases[session.station_id, name] = session.session_id
        self.renamed[session.station_id, name] = session.session_id

    def first_answer(self, session: Session, event: Event) -> FirstAnswer | None:
        """Return what an event was answered before, None for a new one."""
        answers = self._answers.get((session.session_id, event.number, event.kind), {})
        return answers.get(event.content) or _unfingerprinted(answers, event)

    def namesake(self, session: Session, event: Event) -> FirstAnswer | None:
        """Return what another event of the same number and kind was answered first, None if there is none."""
        answers = self._answers.get((session.session_id, event.number, event.kind), {})
        return next(iter(answers.values()), None)

    def named_token(self, report: Report) -> IdToken | None:
        """Return the token of the remote start that a report names."""
        remote_start_id = report.event.remote_start_id
        return None if remote_start_id is None else self._named.get((report.station_id, remote_start_id))

    def power_limit(self, station_id: str, evse_id: int, connector_id: int) -> float:
        """Return the largest power of a place, in W."""
        known = limit_at(self._power_limits, Place(station_id, evse_id, connector_id))
        return self.max_power_w if known is None else known

    def take_remote_start(self, report: Report) -> int | None:
        """Return the remote start that a report answers without naming it, and let no other report have it.

        Of several it is the newest: nothing came of the ones before, or there would have been no need for it.
        """
        fitting = [start for start in self._remote_starts if _may_cause(start, report)]
        if not fitting:
            return None
        newest = max(fitting, key=lambda start: start.requested_at)
        self._remote_starts.remove(newest)
        return newest.remote_start_id

    def keep(self, recorded: Recorded) -> None:
        """Take what a new event made of its session into account for the decisions that follow."""
        session, event = recorded.session, recorded.event
        self.change(recorded)
        answers = self._answers.setdefault((session.session_id, event.number, event.kind), {})
        answers[event.content] = FirstAnswer(recorded.payload, event.at)
        self._note_use(session, recorded.before, recorded.summary)
        self.recorded.append(recorded)
        if recorded.judgement is not None:
            self.judged.append(recorded.judgement)

    def change(self, change: Change) -> None:
        """Take a change of a session into account for the decisions that follow."""
        self._remember(change.session)
        self.changes.append(change)

    def _find(self, name: Alias) -> Session | None:
        return self._by_name.get(name) or self._by_id.get(self._aliases.get(name, ""))

    def _remember(self, session: Session) -> None:
        self._by_id[session.session_id] = session
        if session.is_current:
            self._by_name[session.station_id, session.name] = session
        else:
            name = of_station(session.transaction_id)
            reused = self._reused.setdefault((session.station_id, name), {})
            reused[session.session_id] = session
        if session.start:
            self._by_start[session.station_id, session.start] = session

    def _note_use(self, session: Session, before: Session | None, summary: Summary) -> None:
        if before and before.fold.token and before.fold.token.key != summary.token_key:  # another one pays now
            self._uses.get(before.fold.token.key, {}).pop(session.session_id, None)
        if not summary.token_key:
            return
        uses = self._uses.setdefault(summary.token_key, {})
        if summary.state == "active" and summary.billable:
            begun_at = corrected(summary.begun_at, session.created_at, summary.flags)
            uses[session.session_id] = Use(session.session_id, session.station_id, summary.evse_id, begun_at)
        else:
            uses.pop(session.session_id, None)


def _unfingerprinted(answers: Mapping[str, FirstAnswer], event: Event) -> FirstAnswer | None:
    """Return the answer of an event that came before contents were kept: those are told apart by time."""
    known = answers.get("")
    same = known is not None and (known.at == event.at or TIMESTAMP_UNREADABLE in event.flags)
    return known if same else None


def _may_cause(start: RemoteStart, report: Report) -> bool:
    """Tell whether a report may come of a remote start: of its place and token, and not from before it."""
    event = report.event
    if event.token is None or event.happened_at < start.requested_at - CLOCKS_APART:
        return False
    asked = (start.station_id, start.evse_id, start.token_key)
    return asked == (report.station_id, event.evse_id, token_key(event.token.text))
