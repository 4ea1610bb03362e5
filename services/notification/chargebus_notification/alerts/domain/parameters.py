"""What each kind of rule can be told; declared once, for rules and for the schema of the HTTP API."""

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_MINUTES: Final = 60.0 * 24 * 90


def _whole(given: object) -> object:
    return int(given) if isinstance(given, float) and given.is_integer() else given


Minutes = Annotated[float, Field(gt=0, le=MOST_MINUTES)]
Times = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class Parameters(BaseModel):
    """What a rule is told beside what all are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StationOffline(Parameters):
    """A station is away for too long."""

    minutes: Minutes = Field(default=10.0, description="how long it may be away")
    site_label: Word = Field(
        default="site", description="the label that names its site: where all of a site are away, one alert says so"
    )


class EvseFaulted(Parameters):
    """A connector, an EVSE or the station says that it is faulted."""

    minutes: Minutes = Field(default=2.0, description="how long it may say so")


class NoSession(Parameters):
    """Nobody charges where usually somebody does."""

    days: Annotated[float, Field(gt=0, le=60)] = Field(default=3.0, description="how long nobody may charge")
    usual_days: Annotated[int, Field(ge=1, le=28), BeforeValidator(_whole)] = Field(
        default=10, description="on how many of the four weeks before somebody must have charged for it to be usual"
    )


class ZeroEnergy(Parameters):
    """Sessions end one after the other without energy."""

    sessions: Annotated[int, Field(ge=1, le=20), BeforeValidator(_whole)] = Field(
        default=3, description="how many, one after the other at one EVSE"
    )
    below_wh: Annotated[float, Field(gt=0, le=10_000)] = Field(default=100.0, description="what counts as none")


class RepeatedBoots(Parameters):
    """A station boots again and again."""

    boots: Annotated[int, Field(ge=2, le=20), BeforeValidator(_whole)] = 3
    within_minutes: Minutes = 60.0


class CommandsFailing(Parameters):
    """A station fails at commands: it does not answer, or with errors."""

    commands: Annotated[int, Field(ge=1, le=20), BeforeValidator(_whole)] = 3
    within_minutes: Minutes = 60.0


class SecurityEvents(Parameters):
    """A station tells of a security event."""

    events: Annotated[list[Word], Field(min_length=1, max_length=100)] = Field(
        default=["TamperDetectionActivated", "InvalidFirmwareSignature", "AttemptedReplayAttacks"],
        description="their types; `*` is any",
    )
    quiet_minutes: Minutes = Field(default=60.0, description="it is over when none came for so long")


class MonitoredVariables(Parameters):
    """A monitor of a variable says that its condition holds."""

    severity: Annotated[int, Field(ge=0, le=9), BeforeValidator(_whole)] = Field(
        default=4, description="this severity and all graver ones: 0 is danger, 4 an alert, 9 debugging"
    )


class FirmwareFailed(Parameters):
    """An update of a station's firmware failed."""


class ClockWrong(Parameters):
    """A station's clock is not ours."""

    seconds: Annotated[float, Field(ge=10, le=86_400 * 366)] = Field(default=300.0, description="how far it may be off")


class MeterStuck(Parameters):
    """A register stands still while something flows."""

    minutes: Minutes = Field(default=15.0, description="how long it may stand")
    at_least_w: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        default=500.0, description="what must flow all the while, as the meter itself says"
    )


class CertificateExpiring(Parameters):
    """A certificate runs out."""

    days: Annotated[float, Field(gt=0, le=365)] = Field(default=30.0, description="how long before it runs out")
    kinds: Annotated[list[Word], Field(min_length=1, max_length=100)] = Field(
        default=["*"], description="what the certificates are for; `*` is any"
    )


class ConnectionsRefused(Parameters):
    """Connections of a station, or from an address, are refused again and again."""

    connections: Times = Field(default=10, description="how many within that time")
    within_minutes: Minutes = 60.0
    reasons: Annotated[list[Word], Field(min_length=1, max_length=100)] = Field(
        default=["*"], description="why they were refused; `*` is any"
    )


class LimitDisobeyed(Parameters):
    """An EVSE draws more than it may."""

    minutes: Annotated[float, Field(ge=0, le=MOST_MINUTES)] = Field(
        default=0.0, description="how long it may, after the time of grace that its site gives"
    )


class BreaksSpecification(Parameters):
    """What a station sends breaks the specification."""

    refused_only: bool = Field(default=True, description="only what could not be taken as meant")
    quiet_minutes: Minutes = Field(default=1440.0, description="it is over when nothing new came for so long")
