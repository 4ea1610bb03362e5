"""What rules see of a station: facts, each with its time, so that what comes late or again never sets anything back.

What is told of no station, of a certificate of the CSMS or an address, is kept in the same way, under a name that no
station has.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

NEVER: Final = -1
FAULTED: Final = "Faulted"
DISOBEYED: Final = "limit_disobeyed"
OF_NO_STATION: Final = "/"
"""How names begin that no station has: its identity may not."""

CERTIFICATE: Final = f"{OF_NO_STATION}certificate/"
ADDRESS: Final = f"{OF_NO_STATION}address/"
FOUR_WEEKS: Final = 28
_OCCUPIED: Final = frozenset({"Occupied", "Charging", "Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing"})


class Boot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A boot, and why."""

    at: datetime
    reason: str = ""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """The status of a connector, an EVSE or the station; `since` is when it became so."""

    status: str
    at: datetime
    since: datetime
    error: str = ""


class EndedSession(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session that is over."""

    session_id: str
    evse_id: int
    at: datetime
    energy_wh: float | None = None
    flags: tuple[str, ...] = ()


class Meter(msgspec.Struct, frozen=True, omit_defaults=True):
    """An EVSE's register, and what flows there as its meter says.

    `standing_since`: since when the register has stood still while something was said to flow; None where it moves, or
    nothing flows. `watts` is the least that flowed since then.
    """

    at: datetime
    register_wh: float | None = None
    flowing_w: float = 0.0
    standing_since: datetime | None = None
    watts: float = 0.0


class Skew(msgspec.Struct, frozen=True):
    """How far a station's clock was ahead of ours when a reading arrived (negative: behind, or the reading waited)."""

    at: datetime
    seconds: float


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened at a moment: a security event, or a breach of the specification; `kind` says which."""

    event_id: str
    kind: str
    at: datetime
    detail: str = ""
    grave: bool = False


class Monitored(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a monitor of a variable said last; `active`: its condition holds. Severity 0 is the gravest, 9 the least."""

    at: datetime
    severity: int
    active: bool
    since: datetime
    detail: str = ""


class Update(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the newest update of a station's firmware."""

    update_id: str
    state: str
    at: datetime
    version: str = ""
    reason: str = ""


class Certificate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate that runs out before long; `replaced`: nobody needs it any more."""

    kind: str
    expires_at: datetime
    at: datetime
    subject: str = ""
    serial_number: str = ""
    issuer: str = ""
    replaced: bool = False


class Disobedience(msgspec.Struct, frozen=True, omit_defaults=True):
    """That an EVSE draws more than it may, while `active`, as who sets its limits says under the id `told_id`."""

    at: datetime
    since: datetime
    active: bool
    told_id: str = ""
    title: str = ""
    detail: str = ""
    site_id: str = ""


class Refusals(msgspec.Struct, frozen=True, omit_defaults=True):
    """Connections that an edge refused for a reason, from the first to the last of them."""

    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    address: str = ""
    detail: str = ""


class Station(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of a station.

    Attributes:
        labels: as its operator describes it, at `described_at`.
        connected: whether its socket is open since `connection_at`; None: it never was.
        boots, ended, security, breaches, failures (of commands): the newest last, a few of each.
        places: by `evse/connector`.
        active: sessions that are not over: since when, by id.
        charging_days: on which days (ordinals, UTC) a session began, the newest last.
        meters: by EVSE.
        skews: one in some minutes, the newest last.
        monitored: by what is monitored.
        certificates: those that run out before long, by their ids.
        refusals: of its connections, the newest last.
        disobeyed: which limits, by EVSE.
    """

    station_id: str
    name: str = ""
    labels: Mapping[str, str] = {}
    time_zone: str = ""
    described_at: datetime | None = None
    removed: bool = False
    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""
    version: str = ""
    connected: bool | None = None
    epoch: int = NEVER
    connection_at: datetime | None = None
    boots: tuple[Boot, ...] = ()
    places: Mapping[str, Place] = {}
    active: Mapping[str, datetime] = {}
    ended: tuple[EndedSession, ...] = ()
    charging_days: tuple[int, ...] = ()
    last_session_at: datetime | None = None
    meters: Mapping[int, Meter] = {}
    skews: tuple[Skew, ...] = ()
    security: tuple[Told, ...] = ()
    monitored: Mapping[str, Monitored] = {}
    update: Update | None = None
    breaches: tuple[Told, ...] = ()
    failures: tuple[Told, ...] = ()
    certificates: Mapping[str, Certificate] = {}
    refusals: tuple[Refusals, ...] = ()
    disobeyed: Mapping[int, Disobedience] = {}

    @property
    def is_station(self) -> bool:
        """Whether it is one, and not what is told of a certificate or an address."""
        return not self.station_id.startswith(OF_NO_STATION)

    @property
    def usual_days(self) -> int:
        """On how many of the four weeks before the last session one began."""
        if self.last_session_at is None:
            return 0
        before = self.last_session_at.toordinal() - FOUR_WEEKS
        return sum(day > before for day in self.charging_days)

    @property
    def online(self) -> bool:
        """Whether its socket is open."""
        return self.connected is True

    @property
    def offline_since(self) -> datetime | None:
        """Since when it is away; None: it is there, never was, or is nobody's any more."""
        return self.connection_at if self.connected is False and not self.removed else None

    @property
    def booted_at(self) -> datetime | None:
        """When it booted last, as far as known."""
        return self.boots[-1].at if self.boots else None

    @property
    def charging(self) -> bool:
        """Whether a session is going on."""
        return bool(self.active)

    @property
    def faulted(self) -> bool:
        """Whether any part of it says that it is faulted."""
        return any(place.status == FAULTED for place in self.places.values())

    @property
    def occupied(self) -> bool:
        """Whether any of its connectors says that it is."""
        return any(place.status in _OCCUPIED for place in self.places.values())


def is_fact(rule: str, station_id: str) -> bool:
    """Tell whether an alert of another service is what a rule of ours sees: that rule tells of it, and nobody else."""
    return rule == DISOBEYED and bool(station_id)
