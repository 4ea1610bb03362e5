"""What a rule is, and what it says of a station."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from chargebus_notification.alerts.domain.parameters import Parameters

Severity = Literal["info", "warning", "critical"]


class Rule(msgspec.Struct, frozen=True):
    """A rule, as an operator wants it.

    Attributes:
        kind: what it looks at; it decides what `parameters` are.
        labels: the stations that it is for have all of these.
        resolve_after_s: how long what it tells of must be over before its alert is; each time that it comes back
            doubles this, up to sixteen times.
        reopen_within_s: what comes back so soon after its alert was resolved counts that alert up.
        together_least, together_share: so many stations, and such a share of all, at once have one cause; what that is
            says the kind.
    """

    rule_id: str
    kind: str
    parameters: Parameters
    name: str = ""
    severity: Severity = "warning"
    enabled: bool = True
    labels: Mapping[str, str] = {}
    resolve_after_s: float = 60.0
    reopen_within_s: float = 1800.0
    together_least: int = 20
    together_share: float = 0.01

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it is for a station with these labels."""
        return self.labels.items() <= labels.items()


class Verdict(msgspec.Struct, frozen=True):
    """What a rule says of a part of a station.

    Attributes:
        since: when it began.
        part: which part, where a station can have several alerts of the rule: `1/2`, or what happened.
        is_open: somebody should look at it.
        happened: each time that it did, as far as known; at least once.
        look_again_at: when it may be something else without any news; None: only by news.
        told_id: the id under which another service tells of it; empty: none does.
    """

    since: datetime
    part: str = ""
    is_open: bool = True
    happened: tuple[datetime, ...] = ()
    look_again_at: datetime | None = None
    title: str = ""
    detail: str = ""
    evse_id: int = 0
    site_id: str = ""
    told_id: str = ""

    @property
    def last_at(self) -> datetime:
        """When it happened last."""
        return max(self.happened, default=self.since)
