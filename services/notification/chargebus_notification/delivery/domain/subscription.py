"""A subscription: which alerts somebody wants to be told of, how and when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from chargebus_notification.delivery.domain.schedule import Digest, QuietHours

PARKED_RULE: Final = "receiver_parked"
"""The rule of the alert that tells of a receiver that is given up."""

SEVERITIES: Final = ("info", "warning", "critical")


class Webhook(msgspec.Struct, frozen=True, tag="webhook", tag_field="kind"):
    """Alerts are posted to a URL; what the further headers hold is kept with the secret."""

    url: str
    header_names: tuple[str, ...] = ()


class Mail(msgspec.Struct, frozen=True, tag="mail", tag_field="kind"):
    """Alerts are mailed."""

    addresses: tuple[str, ...]


class Wanted(msgspec.Struct, frozen=True):
    """What somebody wants; an empty filter lets everything pass."""

    name: str
    channel: Webhook | Mail
    labels: dict[str, str] = {}
    severity: Literal["info", "warning", "critical"] = "info"
    rules: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    digest: Digest | None = None
    quiet_hours: QuietHours | None = None

    def due_at(self, severity: str, now: datetime) -> datetime:
        """Return when an alert of that severity that comes now is to be told."""
        at = now if self.digest is None else self.digest.next_after(now)
        return self.when_not_quiet(severity, at)

    def when_not_quiet(self, severity: str, at: datetime) -> datetime:
        """Return `at`, or when the quiet hours end in which it lies."""
        quiet = self.quiet_hours
        if quiet is None or (quiet.critical_passes and severity == "critical"):
            return at
        return quiet.end_of(at) or at


class Secrets(msgspec.Struct, frozen=True):
    """What a webhook's subscription keeps sealed: what it signs with, and what its further headers hold.

    For a while after the secret was changed, the one before signs, too: its receiver learns the new one in between.
    """

    secret: str
    headers: dict[str, str] = {}
    previous: str = ""
    previous_until: datetime | None = None

    def signing(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets to sign with now."""
        both = self.previous_until is not None and now < self.previous_until
        return (self.secret, self.previous) if both else (self.secret,)


class Told(msgspec.Struct, frozen=True):
    """A change of an alert, as it is delivered; `body` is the public event's JSON."""

    event_id: str
    alert_id: str
    subject: str
    rule: str
    change: str
    severity: str
    at: datetime
    labels: Mapping[str, str]
    body: bytes
    station_id: str = ""
    silenced: bool = False


def as_wanted(wanted: Wanted, told: Told) -> Told:
    """Return a change as a subscription has it: who does not ask for what is acknowledged has it as open still."""
    if told.change == "acknowledged" and wanted.states and "acknowledged" not in wanted.states:
        return msgspec.structs.replace(told, change="open")
    return told


def matches(subscription_id: UUID, wanted: Wanted, told: Told, before: tuple[str, str] | None = None) -> bool:
    """Tell whether a subscription is told of a change; of its own receiver that is given up it is not.

    What it knows to be open, by what it was told `before`, is told as resolved though it is less severe by now.
    """
    ends = told.change == "resolved" and before is not None and before[0] != "resolved"
    return (
        (ends or SEVERITIES.index(told.severity) >= SEVERITIES.index(wanted.severity))
        and (not wanted.rules or told.rule in wanted.rules)
        and (not wanted.states or told.change in wanted.states)
        and wanted.labels.items() <= dict(told.labels).items()
        and (told.rule, told.subject) != (PARKED_RULE, str(subscription_id))
    )


def is_news(before: tuple[str, str] | None, told: Told) -> bool:
    """Tell whether a subscription is told of a change after what it was told of the alert last: a state and a severity.

    That it happened once more is no news. Of what is silenced only that is told which is known to be open already.
    """
    if told.silenced and (before is None or told.change != "resolved"):
        return False
    return before != (told.change, told.severity)
