"""The JSON of subscriptions and deliveries over HTTP."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from chargebus_runtime.http import Input, WholeNumber
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chargebus_notification.delivery.domain import schedule
from chargebus_notification.delivery.domain import subscription as domain
from chargebus_notification.delivery.domain.trying import Result
from chargebus_notification.delivery.store.deliveries import Attempt
from chargebus_notification.delivery.store.subscriptions import Subscription
from chargebus_notification.delivery.store.tables import DeliveryRow

_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

Severity = Literal["info", "warning", "critical"]
Change = Literal["open", "acknowledged", "resolved"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]
LabelText = Annotated[str, StringConstraints(max_length=100, pattern=_PLAIN)]
Labels = Annotated[dict[LabelText, LabelText], Field(max_length=50, json_schema_extra={"additionalProperties": False})]
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
HeaderValue = Annotated[str, StringConstraints(max_length=1024)]


class WebhookChannel(Input):
    """Alerts are posted to a URL."""

    kind: Literal["webhook"]
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(
        description="https, a public address; no user and password in it"
    )
    headers: dict[HeaderName, HeaderValue] | None = Field(
        default=None,
        max_length=20,
        description="sent with each message, such as Authorization; never shown again. Left out of a change they stay",
    )


class MailChannel(Input):
    """Alerts are mailed."""

    kind: Literal["mail"]
    addresses: list[Annotated[str, StringConstraints(min_length=3, max_length=254)]] = Field(
        min_length=1, max_length=50
    )


class EveryMinutes(Input):
    """A message every so many minutes, if there is something to tell."""

    every_minutes: WholeNumber = Field(ge=1, le=7 * 24 * 60)


class Daily(Input):
    """A message a day, if there is something to tell."""

    at: Clock = Field(description="such as 08:00")
    time_zone: Zone = Field(description="such as Europe/Berlin")


class QuietHours(Input):
    """When nothing is sent, each day; it waits for their end, which may be on the next day."""

    starts: Clock
    ends: Clock
    time_zone: Zone = Field(description="such as Europe/Berlin")
    critical_passes: bool = Field(default=False, description="alerts that are critical are sent all the same")


class SubscriptionDescription(Input):
    """Who wants to be told of which alerts; an empty filter lets everything pass."""

    name: Text
    channel: Annotated[WebhookChannel | MailChannel, Field(discriminator="kind")]
    labels: Labels = Field(default={}, description="the alert must have all of these")
    severity: Severity = Field(default="info", description="so severe at least")
    rules: list[Text] = Field(default=[], max_length=100, description="of one of these rules")
    states: list[Change] = Field(default=[], max_length=3, description="when an alert enters one of these")
    digest: EveryMinutes | Daily | None = Field(default=None, description="many alerts in one message")
    quiet_hours: QuietHours | None = None

    def headers(self) -> dict[str, str] | None:
        """Return the further headers of a webhook; None: nothing is said of them."""
        return self.channel.headers if isinstance(self.channel, WebhookChannel) else None

    def wanted(self) -> domain.Wanted:
        """Return it as the domain knows it."""
        channel: domain.Webhook | domain.Mail
        if isinstance(self.channel, WebhookChannel):
            channel = domain.Webhook(self.channel.url, tuple(sorted(self.channel.headers or ())))
        else:
            channel = domain.Mail(tuple(dict.fromkeys(self.channel.addresses)))
        digest = self.digest
        quiet = self.quiet_hours
        return domain.Wanted(
            name=self.name,
            channel=channel,
            labels=self.labels,
            severity=self.severity,
            rules=tuple(dict.fromkeys(self.rules)),
            states=tuple(dict.fromkeys(self.states)),
            digest=None if digest is None else schedule.Digest(**digest.model_dump()),
            quiet_hours=None if quiet is None else schedule.QuietHours(**quiet.model_dump()),
        )


class WebhookOut(BaseModel):
    """Alerts are posted to a URL."""

    kind: Literal["webhook"]
    url: str
    header_names: list[str] = Field(description="Of the further headers; what they hold is not shown")


class MailOut(BaseModel):
    """Alerts are mailed."""

    kind: Literal["mail"]
    addresses: list[str]


class DigestOut(BaseModel):
    """Many alerts in one message."""

    every_minutes: int | None
    at: str
    time_zone: str


class QuietHoursOut(BaseModel):
    """When nothing is sent."""

    starts: str
    ends: str
    time_zone: str
    critical_passes: bool


class SubscriptionOut(BaseModel):
    """A subscription, and how it goes."""

    subscription_id: UUID
    name: str
    channel: Annotated[WebhookOut | MailOut, Field(discriminator="kind")]
    labels: dict[str, str]
    severity: Severity
    rules: list[str]
    states: list[Change]
    digest: DigestOut | None
    quiet_hours: QuietHoursOut | None
    created_at: datetime
    updated_at: datetime
    status: Literal["active", "parked"] = Field(description="parked: its receiver is given up until it is resumed")
    reason: str = Field(description="Why it is parked")
    status_at: datetime = Field(description="Since when")
    trouble: str = Field(description="What the newest attempt met with; empty: nothing")
    failed_attempts: int = Field(description="In a row, of the message that is under way")
    failing_since: datetime | None

    @classmethod
    def of(cls, kept: Subscription) -> "SubscriptionOut":
        """Return a subscription as it is shown."""
        return cls.model_validate(_shown(kept))


class RevealedSubscription(SubscriptionOut):
    """A subscription with the secret that its messages are signed with, where that is new."""

    secret: str | None = Field(description="Shown this once; null: it has none, or the one that was shown before")

    @classmethod
    def revealed(cls, kept: Subscription, secret: str | None) -> "RevealedSubscription":
        """Return a subscription with its secret."""
        return cls.model_validate(_shown(kept) | {"secret": secret})


class Resumption(Input):
    """How a parked receiver is delivered to again."""

    discard: bool = Field(default=False, description="what waits for it is given up, and only what comes is delivered")


class TrialOut(BaseModel):
    """What came of a test message."""

    outcome: Literal["delivered", "failed", "gone"]
    status: int | None = Field(description="What the receiver or the mail server answered")
    error: str = Field(description="What went wrong; of what was delivered, who does not get it")
    took_ms: int

    @classmethod
    def of(cls, result: Result, took_ms: int) -> "TrialOut":
        """Return what came of it as it is shown."""
        return cls(outcome=result.outcome, status=result.status, error=result.error, took_ms=took_ms)


State = Literal["waiting", "delivered", "cancelled", "expired"]


class DeliveryOut(BaseModel):
    """A change of an alert that a subscription is told of."""

    model_config = ConfigDict(from_attributes=True)

    delivery_id: UUID
    subscription_id: UUID
    alert_id: str
    rule: str
    subject: str
    change: str = Field(description="Which state the alert entered")
    severity: Severity
    at: datetime
    received_at: datetime
    due_at: datetime = Field(description="Not before: a digest or the end of quiet hours is waited for")
    state: State
    message_id: UUID | None = Field(description="The `webhook-id`, or the Message-ID; several have it in a digest")
    attempts: int
    ended_at: datetime | None
    error: str = Field(description="Of the newest attempt")

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryOut":
        """Return a delivery as a list shows it."""
        return cls.model_validate(row)


class AttemptOut(BaseModel):
    """An attempt to deliver a message."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    took_ms: int
    outcome: Literal["delivered", "failed", "gone"]
    status: int | None
    error: str
    next_at: datetime | None = Field(description="When it is tried next")


class DeliveryDetail(DeliveryOut):
    """A delivery with its attempts."""

    tried: list[AttemptOut]

    @classmethod
    def detail(cls, row: DeliveryRow, attempts: list[Attempt]) -> "DeliveryDetail":
        """Return a delivery with its attempts."""
        shown = DeliveryOut.of(row).model_dump()
        return cls.model_validate(shown | {"tried": [AttemptOut.model_validate(each) for each in attempts]})


def _shown(kept: Subscription) -> dict[str, object]:
    wanted: dict[str, object] = msgspec.to_builtins(kept.wanted)
    return wanted | {
        "subscription_id": kept.subscription_id,
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
        "status": kept.status,
        "reason": kept.reason,
        "status_at": kept.status_at,
        "trouble": kept.trouble,
        "failed_attempts": kept.attempts,
        "failing_since": kept.failing_since,
    }
