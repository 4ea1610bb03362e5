"""What has one cause: stations that come to it at once, or all of a site, make one alert in the place of many."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chargebus_notification.alerts.domain.kinds import KINDS, NO_SESSION, OFFLINE, Span
from chargebus_notification.alerts.domain.parameters import StationOffline
from chargebus_notification.alerts.domain.rule import Rule, Verdict
from chargebus_notification.alerts.domain.times import shifted
from chargebus_notification.stations.domain.station import DISOBEYED, Station

FLEET: Final = "fleet"
_LEAST_OF_SITE: Final = 2
_LEAST_OF_EDGE: Final = 2
_BEFORE_EDGE: Final = timedelta(minutes=2)


class Candidate(msgspec.Struct, frozen=True):
    """What would be an alert of its own."""

    cause: str
    rule: Rule
    station: Station
    verdict: Verdict


class SiteCount(msgspec.Struct, frozen=True):
    """How many stations a site has, and how many of them are away."""

    stations: int
    away: int


class LostEdge(msgspec.Struct, frozen=True):
    """An edge that is heard no more, and since when."""

    name: str
    at: datetime


class Surroundings(msgspec.Struct, frozen=True):
    """What else goes on in the fleet.

    Attributes:
        fleet: how many stations there are.
        began: of each rule, when what it tells of began and at which station, in order; for the rule of stations that
            are away it is when each of them went.
        sites: by label and value.
        sessions: of each rule of stations where nobody charges, at how many of those that it is for the last session
            began in each hour in which one did.
        edges: those that were lost lately.
        open_groups: the causes of groups that are open.
    """

    fleet: int = 0
    began: Mapping[str, Sequence[tuple[datetime, str]]] = {}
    sites: Mapping[tuple[str, str], SiteCount] = {}
    sessions: Mapping[str, Sequence[tuple[datetime, int]]] = {}
    edges: Sequence[LostEdge] = ()
    open_groups: frozenset[str] = frozenset()


class Group(msgspec.Struct, frozen=True):
    """What stands for many: `by` is `fleet` or the label of a site."""

    cause: str
    rule: Rule
    by: str
    subject: str
    title: str
    detail: str
    labels: Mapping[str, str] = {}


def place(candidates: Iterable[Candidate], around: Surroundings) -> dict[str, Group]:
    """Return the group of each candidate that is in one, by its cause: the whole fleet goes before a site."""
    moments: dict[str, set[datetime]] = {}
    listed = list(candidates)
    rules = {each.rule.rule_id: each.rule for each in listed}
    for each in listed:
        moments.setdefault(each.rule.rule_id, set()).add(each.verdict.since)
    together = {
        key: _silent(rules[key], around, times)
        if rules[key].kind == NO_SESSION
        else _together(around.began.get(key, ()), sorted(times), span(rules[key]))
        for key, times in moments.items()
    }
    placed = {}
    for each in listed:
        at_once = together[each.rule.rule_id][each.verdict.since]
        group = _of_fleet(each, around, at_once) or _of_site(each, around)
        if group is not None:
            placed[each.cause] = group
    return placed


def threshold(rule: Rule, fleet: int) -> int:
    """Return how many stations at once have one cause."""
    return max(rule.together_least, math.ceil(rule.together_share * fleet))


def span(rule: Rule) -> Span:
    """Return what is at once for a rule."""
    return KINDS[rule.kind].together


def still_stands(by: str, members: int, least: int, site: SiteCount | None) -> bool:
    """Tell whether a group goes on: a site's while most of it is away, the fleet's down to half of what opened it."""
    if by == FLEET:
        return members >= max(_LEAST_OF_EDGE, least // 2)
    return site is not None and site.away * 2 > site.stations


def _silent(rule: Rule, around: Surroundings, moments: Iterable[datetime]) -> dict[datetime, int]:
    """Return at how many stations somebody charged last within a day of moments; 0 where that tells of no cause.

    Some always did: it tells of one where they are twice as many as those where somebody charged later; half as many
    are enough while the group is open.
    """
    share = 0.5 if _of_all(rule) in around.open_groups else 2.0
    hours, length = around.sessions.get(rule.rule_id, ()), span(rule).length
    found = {}
    for moment in moments:
        first, last = shifted(moment, -length), shifted(moment, length)
        stopped = sum(stations for hour, stations in hours if first <= hour <= last)
        later = sum(stations for hour, stations in hours if hour > last)
        found[moment] = stopped if stopped >= share * later else 0
    return found


def _together(began: Sequence[tuple[datetime, str]], moments: Iterable[datetime], within: Span) -> dict[datetime, int]:
    """Return at how many stations it began at the same time as at moments; all are in order."""
    counts: Counter[str] = Counter()
    found, first, last = {}, 0, 0
    for moment in moments:
        while last < len(began) and began[last][0] <= shifted(moment, within.length):
            counts[began[last][1]] += 1
            last += 1
        while first < last and began[first][0] < shifted(moment, -within.length):
            counts[began[first][1]] -= 1
            if not counts[began[first][1]]:
                del counts[began[first][1]]
            first += 1
        found[moment] = len(counts)
    return found


def _of_fleet(each: Candidate, around: Surroundings, together: int) -> Group | None:
    """Return the group of the fleet that one is in, if what it tells of began at so many stations `together`."""
    rule, since = each.rule, each.verdict.since
    edges = [
        edge for edge in around.edges if shifted(since, -_BEFORE_EDGE) <= edge.at <= shifted(since, span(rule).length)
    ]
    of_edge = bool(edges) and rule.kind == OFFLINE and together >= _LEAST_OF_EDGE
    if together < threshold(rule, around.fleet) and not of_edge:
        return None
    names = ", ".join(edge.name for edge in edges)
    why = f"{names} is heard no more." if of_edge else "They have one cause: a network, a service, a change of all."
    title = f"{together} stations at once: {_NAMES.get(rule.kind, rule.kind)}"
    detail = f"Within {span(rule).words} of {since:%Y-%m-%d %H:%M} UTC. {why}"
    return Group(_of_all(rule), rule, FLEET, FLEET, title, detail, dict(rule.labels))


def _of_all(rule: Rule) -> str:
    return f"{rule.rule_id}//{FLEET}"


def _of_site(each: Candidate, around: Surroundings) -> Group | None:
    parameters = each.rule.parameters
    if not isinstance(parameters, StationOffline):
        return None
    label = parameters.site_label
    site = each.station.labels.get(label, "")
    count = around.sites.get((label, site))
    if not site or count is None or count.stations < _LEAST_OF_SITE:
        return None
    cause = f"{each.rule.rule_id}//{label}={site}"
    whole = count.away >= count.stations
    if not whole and not (cause in around.open_groups and count.away * 2 > count.stations):
        return None
    title = f"All stations of {site} are offline"
    return Group(cause, each.rule, label, site, title, f"{count.away} of {count.stations} are.", {label: site})


_NAMES: Final[Mapping[str, str]] = {
    OFFLINE: "offline",
    "evse_faulted": "faulted",
    NO_SESSION: "nobody charges",
    "zero_energy": "sessions without energy",
    "repeated_boots": "boot again and again",
    "commands_failing": "fail at commands",
    "security_event": "security events",
    "monitored_variable": "monitored variables",
    "firmware_failed": "updates failed",
    "clock_wrong": "wrong clocks",
    "meter_stuck": "meters stand still",
    "breaks_specification": "break the specification",
    "certificate_expiring": "certificates run out",
    "connections_refused": "connections are refused",
    DISOBEYED: "draw more than they may",
}
