"""The life of an alert: it opens, is acknowledged, is over, and comes back.

One that comes back soon is the same, and counts up; what keeps coming back must be over for longer before it is said to
be. What an operator resolved stays so until it happens anew.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_notification.alerts.domain.rule import Rule, Severity, Verdict

State = Literal["open", "acknowledged", "resolved"]
Change = Literal["opened", "damped", "counted", "resolved", "told"]

_MOST_DOUBLINGS: Final = 4
_replace = msgspec.structs.replace


class Alert(msgspec.Struct, frozen=True):
    """Something that somebody should look at.

    Attributes:
        cause: rule, station and part: of one cause one alert is open at a time.
        told_id: its id on `alert.events`: its own, or that of the service that tells of it.
        source: which service says so.
        subject: the station, the site, or `fleet`.
        count: how often it happened, from `first_at` to `last_at`.
        returns: how often it came back after it was over for a moment.
        over_since: since when it is over, while it is not resolved for that yet.
        members: of a group: how many stations it stands for; else 0.
        group_by: of a group: `fleet`, or the label of the site.
        revision: how often it was published.
    """

    alert_id: str
    cause: str
    told_id: str
    source: str
    rule_id: str
    kind: str
    subject: str
    station_id: str
    evse_id: int
    site_id: str
    severity: Severity
    title: str
    detail: str
    labels: Mapping[str, str]
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    state: State = "open"
    count: int = 1
    returns: int = 0
    over_since: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    silence_id: str = ""
    group_by: str = ""
    members: int = 0
    revision: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.state != "resolved"

    @property
    def silenced(self) -> bool:
        """Whether a silence covers it."""
        return bool(self.silence_id)


class Step(msgspec.Struct, frozen=True):
    """An alert after a look at its cause, what changed, and when to look again without any news."""

    alert: Alert
    change: Change | None = None
    look_again_at: datetime | None = None


def seen(alert: Alert, verdict: Verdict, rule: Rule, now: datetime) -> Step | None:
    """Take that the cause of an alert is there; None: it is another alert, a new one, as this one is over for long."""
    times = sum(at > alert.last_at for at in (verdict.happened or (verdict.since,)))
    last_at = max(alert.last_at, verdict.last_at)
    told = _replace(
        alert,
        title=verdict.title,
        detail=verdict.detail,
        severity=rule.severity,
        count=alert.count + times,
        last_at=last_at,
        over_since=None,
    )
    if alert.is_open:
        if alert.over_since is not None:
            back = _replace(told, returns=alert.returns + 1, count=max(told.count, alert.count + 1))
            return Step(back, "damped", verdict.look_again_at)
        change = _change(alert, told)
        return Step(told, change, verdict.look_again_at)
    if not times and alert.resolved_by:
        return Step(alert, None, verdict.look_again_at)  # an operator resolved it, and nothing happened since
    if alert.resolved_at is not None and now - alert.resolved_at > timedelta(seconds=rule.reopen_within_s):
        return None
    state: State = "acknowledged" if alert.acknowledged_at is not None else "open"
    count = max(told.count, alert.count + 1)
    again = _replace(told, state=state, count=count, returns=alert.returns + 1, resolved_at=None, resolved_by="")
    return Step(again, "damped", verdict.look_again_at)


def _change(before: Alert, after: Alert) -> Change | None:
    if after.count != before.count:
        return "counted"
    if after.severity != before.severity:
        return "told"
    return None


def over(alert: Alert, rule: Rule | None, now: datetime) -> Step:
    """Take that the cause of an alert is not there: it is resolved once that has lasted; without its rule, at once."""
    if not alert.is_open:
        return Step(alert)
    since = alert.over_since or now
    calm_s = 0.0 if rule is None else rule.resolve_after_s * 2 ** min(alert.returns, _MOST_DOUBLINGS)
    until = since + timedelta(seconds=calm_s)
    if now < until:
        return Step(_replace(alert, over_since=since), None, until)
    return Step(_replace(alert, state="resolved", over_since=None, resolved_at=now), "resolved")


def acknowledged(alert: Alert, by: str, note: str, now: datetime) -> Alert:
    """Return an alert that somebody has taken on; who did last counts."""
    return _replace(alert, state="acknowledged", acknowledged_at=now, acknowledged_by=by, note=note or alert.note)


def resolved(alert: Alert, by: str, note: str, now: datetime) -> Alert:
    """Return an alert that somebody says is over."""
    return _replace(alert, state="resolved", over_since=None, resolved_at=now, resolved_by=by, note=note or alert.note)


def published(alert: Alert) -> Alert:
    """Return an alert that is published once more."""
    return _replace(alert, revision=alert.revision + 1)
