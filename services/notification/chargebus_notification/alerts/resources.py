"""The JSON of rules, alerts and silences over HTTP."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from chargebus_runtime.http import Input, UtcDatetime, WholeNumber
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from chargebus_notification.alerts.domain import parameters as of
from chargebus_notification.alerts.domain.alert import Alert, State
from chargebus_notification.alerts.domain.rule import Rule, Severity
from chargebus_notification.alerts.domain.silence import Silence, Weekly

ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_PLAIN: Final = r"^[^\x00-\x1f]*$"
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ZONES: Final = frozenset(available_timezones())

LabelText = Annotated[str, StringConstraints(max_length=100, pattern=_PLAIN)]
Labels = Annotated[dict[LabelText, LabelText], Field(max_length=50, json_schema_extra={"additionalProperties": False})]
Text = Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN)]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class _RuleDescription(Input):
    """What all rules are told."""

    name: Text = ""
    severity: Severity = "warning"
    enabled: bool = True
    labels: Labels = Field(default={}, description="the stations that it is for have all of these")
    resolve_after_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60.0, description="how long it must be over; each time that it comes back doubles this, up to 16 times"
    )
    reopen_within_s: Annotated[float, Field(ge=0, le=604_800)] = Field(
        default=1800.0, description="what comes back so soon after it was resolved counts the alert up"
    )
    together_least: WholeNumber = Field(
        default=20, ge=2, le=1_000_000, description="so many at once have one cause, and make one alert"
    )
    together_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.01, description="and such a share of all stations"
    )


class StationOfflineRule(_RuleDescription):
    """A station is away for too long; where all of its site are, or many went at once, one alert says so."""

    kind: Literal["station_offline"]
    parameters: of.StationOffline = of.StationOffline()


class EvseFaultedRule(_RuleDescription):
    """A connector, an EVSE or the station is faulted."""

    kind: Literal["evse_faulted"]
    parameters: of.EvseFaulted = of.EvseFaulted()


class NoSessionRule(_RuleDescription):
    """Nobody charges where usually somebody does."""

    kind: Literal["no_session"]
    parameters: of.NoSession = of.NoSession()


class ZeroEnergyRule(_RuleDescription):
    """Sessions end one after the other without energy."""

    kind: Literal["zero_energy"]
    parameters: of.ZeroEnergy = of.ZeroEnergy()


class RepeatedBootsRule(_RuleDescription):
    """A station boots again and again."""

    kind: Literal["repeated_boots"]
    parameters: of.RepeatedBoots = of.RepeatedBoots()


class CommandsFailingRule(_RuleDescription):
    """A station fails at commands."""

    kind: Literal["commands_failing"]
    parameters: of.CommandsFailing = of.CommandsFailing()


class SecurityEventRule(_RuleDescription):
    """A station tells of a security event."""

    kind: Literal["security_event"]
    parameters: of.SecurityEvents = of.SecurityEvents()


class MonitoredVariableRule(_RuleDescription):
    """A monitor of a variable says that its condition holds."""

    kind: Literal["monitored_variable"]
    parameters: of.MonitoredVariables = of.MonitoredVariables()


class FirmwareFailedRule(_RuleDescription):
    """An update of a station's firmware failed."""

    kind: Literal["firmware_failed"]
    parameters: of.FirmwareFailed = of.FirmwareFailed()


class ClockWrongRule(_RuleDescription):
    """A station's clock is wrong."""

    kind: Literal["clock_wrong"]
    parameters: of.ClockWrong = of.ClockWrong()


class MeterStuckRule(_RuleDescription):
    """A register stands still while something flows."""

    kind: Literal["meter_stuck"]
    parameters: of.MeterStuck = of.MeterStuck()


class BreaksSpecificationRule(_RuleDescription):
    """What a station sends breaks the specification."""

    kind: Literal["breaks_specification"]
    parameters: of.BreaksSpecification = of.BreaksSpecification()


class CertificateExpiringRule(_RuleDescription):
    """A certificate runs out before long."""

    kind: Literal["certificate_expiring"]
    parameters: of.CertificateExpiring = of.CertificateExpiring()


class ConnectionsRefusedRule(_RuleDescription):
    """Connections of a station, or from an address, are refused again and again."""

    kind: Literal["connections_refused"]
    parameters: of.ConnectionsRefused = of.ConnectionsRefused()


class LimitDisobeyedRule(_RuleDescription):
    """An EVSE draws more than it may."""

    kind: Literal["limit_disobeyed"]
    parameters: of.LimitDisobeyed = of.LimitDisobeyed()


RuleDescription = Annotated[
    StationOfflineRule
    | EvseFaultedRule
    | NoSessionRule
    | ZeroEnergyRule
    | RepeatedBootsRule
    | CommandsFailingRule
    | SecurityEventRule
    | MonitoredVariableRule
    | FirmwareFailedRule
    | ClockWrongRule
    | MeterStuckRule
    | BreaksSpecificationRule
    | CertificateExpiringRule
    | ConnectionsRefusedRule
    | LimitDisobeyedRule,
    Field(discriminator="kind"),
]


def rule_of(rule_id: str, wanted: _RuleDescription) -> Rule:
    """Return a rule as the domain knows it."""
    return Rule(rule_id=rule_id, **{name: getattr(wanted, name) for name in type(wanted).model_fields})


class RuleOut(BaseModel):
    """A rule."""

    rule_id: str
    kind: str
    name: str
    severity: Severity
    enabled: bool
    labels: dict[str, str]
    resolve_after_s: float
    reopen_within_s: float
    together_least: int
    together_share: float
    parameters: dict[str, Any] = Field(description="those of its kind")

    @classmethod
    def of(cls, rule: Rule) -> "RuleOut":
        """Show a rule."""
        values = {name: getattr(rule, name) for name in cls.model_fields}
        return cls(**values | {"labels": dict(rule.labels), "parameters": rule.parameters.model_dump()})


class Note(Input):
    """What somebody says about an alert."""

    note: Text = ""


class AlertOut(BaseModel):
    """An alert."""

    model_config = ConfigDict(from_attributes=True)

    alert_id: str
    told_id: str = Field(description="its id on alert.events")
    source: str = Field(description="which service says so")
    rule_id: str
    kind: str
    subject: str = Field(description="the station, the site, or `fleet`")
    station_id: str
    evse_id: int
    site_id: str
    severity: Severity
    state: State
    title: str
    detail: str
    labels: dict[str, str]
    count: int = Field(description="how often it happened, from first_at to last_at")
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    returns: int = Field(description="how often it came back after it was over for a moment")
    over_since: datetime | None = Field(description="since when it is over, while that has not lasted yet")
    resolved_at: datetime | None
    resolved_by: str = Field(description="empty: its rule says that it is over")
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    silenced: bool = Field(description="a silence covers it: nobody is told")
    silence_id: str
    members: int = Field(description="it stands for so many stations at most; 0: for itself")

    @classmethod
    def of(cls, alert: Alert) -> "AlertOut":
        """Show an alert."""
        return cls.model_validate(alert)


class MemberOut(BaseModel):
    """A station that an alert stands for."""

    station_id: str
    since: datetime


def _zone(given: str) -> str:
    if given not in _ZONES:
        raise ValueError("is no time zone: give its IANA name, such as Europe/Amsterdam")
    return given


TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]


class WeeklyWindow(Input):
    """A window that comes back every week."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    begins: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        description="the time of the day there, such as 22:30"
    )
    minutes: Annotated[float, Field(ge=1, le=7 * 1440)] = Field(description="how long it is open; it may pass midnight")
    time_zone: TimeZone = Field(default="UTC", description="IANA name")

    def weekly(self) -> Weekly:
        """Return it as the domain knows it."""
        days = tuple(sorted({_DAYS.index(day) for day in self.days}))
        return Weekly(days, time.fromisoformat(self.begins), self.minutes, self.time_zone)


class SilenceDescription(Input):
    """What nobody wants to be told, and when; what is not named is any."""

    starts_at: UtcDatetime | None = Field(default=None, description="left out: now")
    ends_at: UtcDatetime
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_PLAIN)]
    rule_id: Text = ""
    station_id: Text = ""
    labels: Labels = Field(default={}, description="alerts of stations and sites that have all of these")
    weekly: WeeklyWindow | None = Field(default=None, description="only within this window; left out: all the time")

    def silence(self, silence_id: str, by: str, now: datetime) -> Silence:
        """Return it as the domain knows it."""
        return Silence(
            silence_id,
            self.starts_at or now,
            self.ends_at,
            self.reason,
            by,
            now,
            self.rule_id,
            self.station_id,
            self.labels,
            None if self.weekly is None else self.weekly.weekly(),
        )


class WeeklyOut(BaseModel):
    """A window that comes back every week."""

    days: list[Day]
    begins: str
    minutes: float
    time_zone: str


class SilenceOut(BaseModel):
    """A silence."""

    silence_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str
    created_at: datetime
    rule_id: str
    station_id: str
    labels: dict[str, str]
    weekly: WeeklyOut | None
    holds: bool = Field(description="whether it is in force now")

    @classmethod
    def of(cls, silence: Silence, now: datetime) -> "SilenceOut":
        """Show a silence."""
        values: Mapping[str, Any] = {name: getattr(silence, name) for name in silence.__struct_fields__}
        weekly = silence.weekly
        shown = weekly and WeeklyOut(
            days=[_DAYS[day] for day in weekly.days],
            begins=f"{weekly.begins:%H:%M}",
            minutes=weekly.minutes,
            time_zone=weekly.time_zone,
        )
        return cls(**{**values, "labels": dict(silence.labels), "weekly": shown, "holds": silence.holds(now)})
