"""Rules look at stations when they are due: what they say becomes alerts, of their own or of a group.

Nothing is judged before all that stood in the topics is read: after a restart, or while Kafka is away, everything would
look as it was. The time of a judgement is that up to which it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol
from uuid import uuid4

import msgspec
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_notification.alerts.domain import alert as life
from chargebus_notification.alerts.domain import grouping
from chargebus_notification.alerts.domain.alert import Alert, Step
from chargebus_notification.alerts.domain.grouping import Candidate, Group, LostEdge, SiteCount, Surroundings
from chargebus_notification.alerts.domain.kinds import NO_SESSION, OFFLINE, verdicts
from chargebus_notification.alerts.domain.parameters import StationOffline
from chargebus_notification.alerts.domain.rule import Rule, Verdict
from chargebus_notification.alerts.domain.silence import Silence, silencing
from chargebus_notification.alerts.domain.times import shifted
from chargebus_notification.alerts.payload import alert_event
from chargebus_notification.alerts.store import alerts, rules, silences
from chargebus_notification.alerts.store.alerts import Member, Membership
from chargebus_notification.metrics import Metrics
from chargebus_notification.names import SERVICE
from chargebus_notification.stations.domain.station import Station
from chargebus_notification.stations.store import stations

_AT_ONCE: Final = 500
_SAFETY: Final = timedelta(days=1)
_OF_GROUP_AGAIN: Final = timedelta(minutes=1)
_LATELY: Final = timedelta(minutes=10)
_LONGEST_PART: Final = 500


class Reading(Protocol):
    """Up to when all is read that stood in the topics."""

    @property
    def at(self) -> datetime | None:
        """That time; None: nothing is known yet."""
        ...


LostEdges = Callable[[], Sequence[LostEdge]]


class Judging:
    """Looks at what is due; any copy may, and no two look at the same."""

    def __init__(self, database: Database, reading: Reading, lost_edges: LostEdges, metrics: Metrics) -> None:
        self._database = database
        self._reading = reading
        self._lost_edges = lost_edges
        self._metrics = metrics
        self._due = DueWork(database, _AT_ONCE, self._take, self._judge)

    async def sweep(self) -> None:
        """Look at all stations that are due."""
        await self._due.sweep()

    async def look_at_groups(self) -> None:
        """See for how many each open group stands, and resolve those that stand for few."""
        now = self._reading.at
        if now is None:
            return
        async with self._database.transaction() as tx:
            open_groups = await alerts.take_groups(tx.connection)
            if not open_groups:
                return
            known = await rules.everything(tx.connection)
            counts = await alerts.members(tx.connection, [group.alert_id for group in open_groups])
            fleet = await alerts.fleet(tx.connection)
            steps = []
            for group in open_groups:
                rule = known.get(group.rule_id)
                site = await _site_of(tx, group)
                members = counts.get(group.alert_id, 0)
                least = 0 if rule is None else grouping.threshold(rule, fleet)
                stands = grouping.still_stands(group.group_by, members, least, site)
                step = _looked_at(group, rule, members, stands=stands, now=now)
                if step.alert != group:
                    steps.append(step)
            await self._keep(tx, steps)

    async def _take(self, tx: Transaction, limit: int) -> Sequence[Station]:
        now = self._reading.at
        return [] if now is None else await stations.take_due(tx.connection, now, limit)

    async def _judge(self, tx: Transaction, taken: Sequence[Station]) -> int:
        now = self._reading.at or tx.now
        piece = _Piece(tx, now, await rules.everything(tx.connection), self._lost_edges)
        await piece.judge(taken)
        await self._keep(tx, piece.steps)
        await stations.put_off(tx.connection, piece.due)
        self._metrics.judged.add(len(taken))
        self._metrics.grouped.add(piece.joined)
        return len(taken)

    async def _keep(self, tx: Transaction, steps: Sequence[Step]) -> None:
        await keep(tx, steps, self._metrics)


class _Piece:
    """Some stations that are judged in one transaction."""

    def __init__(self, tx: Transaction, now: datetime, known_rules: Mapping[str, Rule], lost_edges: LostEdges) -> None:
        self._tx = tx
        self._now = now
        self._rules = known_rules
        self._lost_edges = lost_edges
        self.steps: list[Step] = []
        self.due: dict[str, datetime] = {}
        self.joined = 0

    async def judge(self, taken: Sequence[Station]) -> None:
        """Judge stations: `steps` are the alerts as they are now, `due` says when to look at each station again."""
        connection, ids = self._tx.connection, [station.station_id for station in taken]
        self.due = dict.fromkeys(ids, self._now + _SAFETY)
        gone = {station.station_id for station in taken if station.removed}
        known = await alerts.latest_of_subjects(connection, ids, SERVICE)
        memberships = await alerts.memberships(connection, ids)
        said = {each.cause: each for each in self._said(taken)}
        new = [each for cause, each in said.items() if self._is_new(known.get(cause), memberships.get(cause))]
        await self._group(new, known, memberships, said)
        for cause, each in said.items():
            if cause in memberships:
                self._look_again(each.station.station_id, self._now + _OF_GROUP_AGAIN)
            else:
                self._take_step(known.get(cause), each)
        for cause, alert in known.items():
            if cause not in said and alert.is_open:
                rule = None if alert.subject in gone else self._rules.get(alert.rule_id)
                step = life.over(alert, rule, self._now)
                self._add(step, alert, alert.subject)
        await alerts.leave(connection, [cause for cause in memberships if cause not in said])

    def _said(self, taken: Iterable[Station]) -> Iterable[Candidate]:
        for station in taken:
            for rule in self._rules.values():
                for verdict in verdicts(rule, station, self._now):
                    self._look_again(station.station_id, verdict.look_again_at)
                    if verdict.is_open:
                        cause = f"{rule.rule_id}/{station.station_id}/{_short(verdict.part)}"
                        yield Candidate(cause, rule, station, verdict)

    def _is_new(self, alert: Alert | None, membership: Membership | None) -> bool:
        """Tell whether there is nothing yet that tells of it; a membership of a group that is over tells of nothing."""
        return (alert is None or not alert.is_open) and (membership is None or not membership.stands)

    async def _group(
        self,
        new: Sequence[Candidate],
        known: Mapping[str, Alert],
        memberships: dict[str, Membership],
        said: Mapping[str, Candidate],
    ) -> None:
        """Have groups stand for what is new and in one; what its own alert goes on to tell of is in none."""
        gone = [cause for cause, each in memberships.items() if not each.stands]
        for cause in gone:
            del memberships[cause]
        fresh = [each for each in new if (alert := known.get(each.cause)) is None or _anew(alert, each.verdict)]
        if fresh:
            placed = grouping.place(fresh, await self._surroundings(fresh))
            if placed:
                groups = await self._open(placed, said)
                joining = [
                    Member(
                        cause, groups[group.cause].alert_id, said[cause].station.station_id, said[cause].verdict.since
                    )
                    for cause, group in placed.items()
                ]
                await alerts.join(self._tx.connection, joining)
                self.joined += len(joining)
                memberships.update({each.cause: Membership(each.alert_id, stands=True) for each in joining})
        await alerts.leave(self._tx.connection, [cause for cause in gone if cause not in memberships])

    async def _surroundings(self, new: Sequence[Candidate]) -> Surroundings:
        connection, by_rule = self._tx.connection, {each.rule.rule_id: each.rule for each in new}
        began = await self._began(new, by_rule)
        away = [each for each in new if each.rule.kind == OFFLINE]
        sites: dict[tuple[str, str], SiteCount] = {}
        for label in {wanted.site_label for wanted in map(_of_sites, by_rule.values()) if wanted is not None}:
            values = {value for each in away if (value := each.station.labels.get(label))}
            sites |= await alerts.sites(connection, label, values) if values else {}
        return Surroundings(
            await alerts.fleet(connection),
            {rule_id: sorted(moments) for rule_id, moments in began.items()},
            sites,
            await self._sessions(new),
            self._lost_edges(),
            frozenset(await alerts.open_groups(connection)),
        )

    async def _sessions(self, new: Sequence[Candidate]) -> dict[str, list[tuple[datetime, int]]]:
        """Return when somebody charged last at the stations of each rule where nobody does, hour by hour."""
        silent = [each for each in new if each.rule.kind == NO_SESSION]
        known: dict[str, list[tuple[datetime, int]]] = {}
        for rule in {each.rule.rule_id: each.rule for each in silent}.values():
            earliest = min(each.verdict.since for each in silent if each.rule.rule_id == rule.rule_id)
            since = shifted(earliest, -grouping.span(rule).length)
            known[rule.rule_id] = await alerts.last_sessions(self._tx.connection, rule.labels, since)
        return known

    async def _began(
        self, new: Sequence[Candidate], by_rule: Mapping[str, Rule]
    ) -> dict[str, list[tuple[datetime, str]]]:
        """Return of each rule when what it tells of began at stations; some show that before a rule tells of it."""
        connection, since = self._tx.connection, defaultdict[str, list[datetime]](list)
        for each in new:
            since[each.rule.rule_id].append(each.verdict.since)
        began: dict[str, list[tuple[datetime, str]]] = {}
        for rule_id, rule in by_rule.items():
            if rule.kind == OFFLINE:
                length = grouping.span(rule).length
                first, last = shifted(min(since[rule_id]), -length), shifted(max(since[rule_id]), length)
                began[rule_id] = await alerts.went(connection, first, last)
            else:
                began[rule_id] = [
                    (each.verdict.since, each.station.station_id) for each in new if each.rule.rule_id == rule_id
                ]
        others = [rule for rule in by_rule.values() if rule.kind not in (OFFLINE, NO_SESSION)]
        if others:
            lately = self._now - _LATELY - max(grouping.span(rule).length for rule in others)
            for rule_id, at, station_id in await alerts.began(connection, [rule.rule_id for rule in others], lately):
                began[rule_id].append((at, station_id))
        return began

    async def _open(self, placed: Mapping[str, Group], said: Mapping[str, Candidate]) -> dict[str, Alert]:
        """Return the alerts of groups, by cause; those that are not there are opened, whoever does it first."""
        by_cause = {group.cause: group for group in placed.values()}
        members: dict[str, set[str]] = {cause: set() for cause in by_cause}
        for cause, group in placed.items():
            members[group.cause].add(said[cause].station.station_id)
        known = await alerts.latest_of_causes(self._tx.connection, by_cause)
        new = []
        for cause, group in by_cause.items():
            alert = known.get(cause)
            if alert is not None and alert.is_open:
                continue
            verdict = Verdict(self._now, title=group.title, detail=group.detail)
            step = None if alert is None else life.seen(alert, verdict, group.rule, self._now)
            if alert is not None and step is not None:
                known[cause] = step.alert
                self._add(step, alert, "")
            else:
                new.append(_group_alert(group, self._now, len(members[cause])))
        added = await alerts.add(self._tx.connection, new)
        self.steps += [Step(alert, "opened") for alert in new if alert.alert_id in added]
        if len(added) == len(new):
            return known | {alert.cause: alert for alert in new}
        return known | await alerts.latest_of_causes(self._tx.connection, by_cause)

    def _take_step(self, alert: Alert | None, each: Candidate) -> None:
        step = None if alert is None else life.seen(alert, each.verdict, each.rule, self._now)
        if step is None or alert is None:
            self.steps.append(Step(_own_alert(each, self._now), "opened"))
            return
        self._add(step, alert, each.station.station_id)

    def _add(self, step: Step, before: Alert, station_id: str) -> None:
        if station_id:
            self._look_again(station_id, step.look_again_at)
        if step.change is not None or step.alert != before:
            self.steps.append(step)

    def _look_again(self, station_id: str, at: datetime | None) -> None:
        if at is not None:
            self.due[station_id] = min(at, self.due[station_id])


async def _site_of(tx: Transaction, group: Alert) -> SiteCount | None:
    if group.group_by == grouping.FLEET:
        return None
    found = await alerts.sites(tx.connection, group.group_by, [group.subject])
    return found.get((group.group_by, group.subject))


def _looked_at(group: Alert, rule: Rule | None, members: int, *, stands: bool, now: datetime) -> Step:
    counted = msgspec.structs.replace(group, members=max(group.members, members))
    if rule is None or not rule.enabled or not stands:
        return life.over(counted, rule, now)
    grown = counted.members > group.members
    return Step(msgspec.structs.replace(counted, over_since=None), "told" if grown else None)


async def keep(tx: Transaction, steps: Sequence[Step], metrics: Metrics) -> None:
    """Keep alerts after their steps, silenced or not, and publish what changed."""
    if not steps:
        return
    holding = await silences.current(tx.connection, tx.now)
    after = [_after(step, holding, tx.now) for step in steps]
    new = {step.alert.alert_id for step in steps if step.change == "opened"}
    added = await alerts.add(tx.connection, [alert for alert in after if alert.alert_id in new]) if new else set()
    await alerts.keep(tx.connection, [alert for alert in after if alert.alert_id not in added])
    for step, alert in zip(steps, after, strict=True):
        if step.change is not None:
            metrics.changed(step.change, alert.rule_id)
            tx.send(alert_event(alert, tx.now))


def _after(step: Step, holding: Sequence[Silence], now: datetime) -> Alert:
    alert = step.alert
    if step.change is None:
        return alert
    if step.change in ("opened", "damped"):
        alert = msgspec.structs.replace(alert, silence_id=silencing(alert, holding, now))
    return life.published(alert)


def _anew(alert: Alert, verdict: Verdict) -> bool:
    return not alert.resolved_by or verdict.last_at > alert.last_at


def _short(part: str) -> str:
    """Return a part as it stands in causes, which an index must be able to hold."""
    written = part.encode()
    return part if len(written) <= _LONGEST_PART else sha256(written).hexdigest()


def _of_sites(rule: Rule) -> StationOffline | None:
    return rule.parameters if isinstance(rule.parameters, StationOffline) else None


def _own_alert(each: Candidate, now: datetime) -> Alert:
    alert_id = str(uuid4())
    verdict, station = each.verdict, each.station
    # A second rule that sees what another service tells of tells of something else.
    told_id = verdict.told_id if each.rule.rule_id == each.rule.kind else ""
    return Alert(
        alert_id,
        each.cause,
        told_id or alert_id,
        SERVICE,
        each.rule.rule_id,
        each.rule.kind,
        station.station_id,
        station.station_id if station.is_station else "",
        verdict.evse_id,
        verdict.site_id,
        each.rule.severity,
        verdict.title,
        verdict.detail,
        dict(station.labels),
        verdict.since,
        verdict.last_at,
        now,
        count=max(1, len(verdict.happened)),
    )


def _group_alert(group: Group, now: datetime, members: int) -> Alert:
    alert_id = str(uuid4())
    return Alert(
        alert_id,
        group.cause,
        alert_id,
        SERVICE,
        group.rule.rule_id,
        group.rule.kind,
        group.subject,
        "",
        0,
        "",
        group.rule.severity,
        group.title,
        group.detail,
        group.labels,
        now,
        now,
        now,
        group_by=group.by,
        members=members,
    )


def lost_edges_of(
    newest: Callable[[], Iterable[tuple[str, float, bool]]], clock: Callable[[], datetime], silent_after_s: float
) -> LostEdges:
    """Return what tells of edges that are lost: `newest` says of each its name, its silence in seconds, its stop."""

    def lost() -> list[LostEdge]:
        now = clock()
        return [
            LostEdge(name, now - timedelta(seconds=silence_s))
            for name, silence_s, stopped in newest()
            if stopped or silence_s > silent_after_s
        ]

    return lost
