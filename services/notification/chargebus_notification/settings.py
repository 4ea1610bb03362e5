"""What an operator may change of notification."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

_ENVIRONMENT: Final = SettingsConfigDict(env_prefix="NOTIFICATION_", extra="ignore", frozen=True)


class EventSettings(ServiceSettings):
    """Events of stations: SecurityEventNotification and NotifyEvent."""

    model_config = _ENVIRONMENT

    keep_events_days: float = Field(default=90.0, gt=0, description="how many days events of stations are kept")
    sweep_events_every_s: float = Field(default=60.0, gt=0, description="how often older ones are looked for")


class DisplaySettings(ServiceSettings):
    """Messages on stations' displays."""

    model_config = _ENVIRONMENT

    displays_at_once: int = Field(
        default=50, ge=1, description="how many stations are told of display messages each second, at most"
    )
    displays_settle_s: float = Field(
        default=30.0, ge=0, description="how long after a boot a station is asked to report its display messages"
    )
    keep_displays_days: float = Field(
        default=30.0, gt=0, description="how many days display messages are kept that are wanted no more"
    )


class CustomerInformationSettings(ServiceSettings):
    """What stations tell of customers, which is personal."""

    model_config = _ENVIRONMENT

    keep_customer_information_h: float = Field(
        default=24.0, gt=0, le=720, description="how many hours what a station told of a customer is kept"
    )
    sweep_customer_information_every_s: float = Field(
        default=60.0, gt=0, description="how often what is to be deleted of it is looked for"
    )
    customer_information_within_s: float = Field(
        default=300.0, gt=0, description="after how long missing parts of it are not waited for any more"
    )


class DeliverySettings(ServiceSettings):
    """How alerts are delivered, and how long that is tried."""

    model_config = _ENVIRONMENT

    senders: int = Field(
        default=32, ge=0, le=1000, description="how many receivers a process delivers to at the same time; 0: none"
    )
    send_within_s: float = Field(
        default=10.0, gt=0, le=10, description="how long a receiver may take for a message, a mail server twice that"
    )
    retry_first_s: float = Field(default=5.0, gt=0, description="the pause after a message that failed first")
    retry_longest_s: float = Field(default=900.0, gt=0, description="the pause to which it is doubled each time")
    retry_for_s: float = Field(default=86_400.0, gt=0, description="how long a receiver may fail before it is parked")
    deliveries_keep_days: float = Field(default=30.0, gt=0, description="how many days deliveries are kept")


class WebhookSettings(ServiceSettings):
    """Where webhooks may lie."""

    model_config = _ENVIRONMENT

    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description='JSON list of networks that are not public, and are posted to all the same: ["10.1.0.0/16"]',
    )
    webhook_allow_http: bool = Field(default=False, description="webhooks need no TLS; for trials only")
    webhook_ca_file: str = Field(
        default="", description="file of certificates that are trusted beside the system's, in PEM"
    )


class MailSettings(ServiceSettings):
    """The mail server that takes what is mailed."""

    model_config = _ENVIRONMENT

    smtp_host: str = Field(default="", description="the mail server; without one nobody can subscribe by mail")
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="its port: 587 for STARTTLS, 465 for TLS")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls (from the first byte) or none; its certificate is verified"
    )
    smtp_username: str = Field(default="", description="who logs in; nobody if it is empty")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="the password for that")
    smtp_from: str = Field(
        default="", pattern=r"^([^\s@<>]+@[^\s@<>]+)?$", description="the address that mail comes from"
    )
    smtp_ca_file: str = Field(default="", description="file of certificates trusted beside the system's, in PEM")


class NotificationSettings(ServiceSettings):
    """Each is set by the environment variable `NOTIFICATION_<NAME>`, whatever its group."""

    model_config = _ENVIRONMENT

    events: EventSettings = Field(default_factory=EventSettings)
    displays: DisplaySettings = Field(default_factory=DisplaySettings)
    customer_information: CustomerInformationSettings = Field(default_factory=CustomerInformationSettings)
    keep_days: float = Field(
        default=90.0, gt=0, description="how many days a station that is not heard any more is kept"
    )
    forget_every_s: float = Field(default=60.0, gt=0, description="how often such stations are looked for")
    judge_every_s: float = Field(default=1.0, gt=0, description="how often rules look at stations that are due")
    alerts_keep_days: float = Field(default=90.0, gt=0, description="how many days a resolved alert is kept")
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
