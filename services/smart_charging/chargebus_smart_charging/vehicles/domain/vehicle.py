"""What is known of the vehicle at an EVSE: its session, what it drew, what it taught, what it needs."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase
from chargebus_smart_charging.vehicles.domain.learning import Allowed, Learned, learn
from chargebus_smart_charging.vehicles.domain.needs import EvNeeds, Kind, Needs, classes_of
from chargebus_smart_charging.vehicles.domain.samples import Sample

_NEEDS_COME_BEFORE: Final = timedelta(minutes=10)  # a vehicle may say what it needs before its session begins
_RECKONED_OVER: Final = timedelta(minutes=15)


class SessionTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What matters of an event of `session.events`."""

    session_id: str
    station_id: str
    state: str
    updated_at: datetime
    transaction_id: str = ""
    version: str = ""
    evse_id: int = 0
    id_token: str = ""
    id_token_type: str = ""
    token_group: str = ""
    started_at: datetime | None = None
    meter_start_wh: float | None = None
    energy_wh: float | None = None
    charging_state: str = ""

    @property
    def classes(self) -> tuple[tuple[Kind, str], ...]:
        """The classes of its token, the closest first."""
        return classes_of(self.id_token, self.token_group, self.id_token_type)

    @property
    def began_at(self) -> datetime:
        """When it began: a station whose clock is ahead did not begin it after it was told."""
        return min(self.started_at or self.updated_at, self.updated_at)

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return self.state == "active"


class Vehicle(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known at an EVSE. Amperes are on the connector's own phases: how they lie on the site's, the site says.

    Attributes:
        session: the newest one there, which may be over.
        measured_at, phase_a, tells_phases, power_w: the newest sample of current or power.
        register_at, register_wh: the newest of the energy register.
        first_wh: the register's first reading in the session, for one whose start nobody told.
        reckoned_wh: energy of the session, added up from power where no register tells it.
        asked: what was told over HTTP of the session; `ev` what the vehicle told; `preferred`: its driver asked for
            priority at the station (OCPP 2.1 K22).
    """

    station_id: str
    evse_id: int
    session: SessionTold | None = None
    measured_at: datetime | None = None
    phase_a: PerPhase | None = None
    tells_phases: bool = False
    power_w: float | None = None
    register_at: datetime | None = None
    register_wh: float | None = None
    first_wh: float | None = None
    reckoned_wh: float = 0.0
    learned: Learned = Learned()
    asked: Needs = Needs()
    ev: EvNeeds | None = None
    preferred: bool = False

    @property
    def key(self) -> EvseKey:
        """Its EVSE."""
        return self.station_id, self.evse_id

    @property
    def present(self) -> SessionTold | None:
        """The session that goes on; None: there is none."""
        return self.session if self.session is not None and self.session.active else None

    @property
    def energy_wh(self) -> float:
        """The energy of the session so far, by what tells most of it."""
        if self.session is None:
            return 0.0
        told = self.session.energy_wh or 0.0
        start = self.session.meter_start_wh if self.session.meter_start_wh is not None else self.first_wh
        if start is None or self.register_wh is None or not self._is_of_session(self.register_at):
            return max(told, self.reckoned_wh)
        return max(told, self.register_wh - start, 0.0)

    def _is_of_session(self, at: datetime | None) -> bool:
        return at is not None and self.session is not None and at >= self.session.began_at


def told(vehicle: Vehicle, event: SessionTold) -> Vehicle:
    """Return what is known after an event of a session at the EVSE.

    Of one session the later version counts, of two sessions the one that began later; whatever comes again, or late,
    changes nothing.
    """
    known = vehicle.session
    if known is not None and known.session_id == event.session_id:
        return vehicle if _is_older(event, known) else msgspec.structs.replace(vehicle, session=event)
    if known is not None and event.began_at <= known.began_at:
        return vehicle
    ev = vehicle.ev
    if ev is not None and ev.told_at < event.began_at - _NEEDS_COME_BEFORE:
        ev = None
    return msgspec.structs.replace(
        vehicle,
        session=event,
        first_wh=None,
        reckoned_wh=0.0,
        learned=Learned(),
        asked=Needs(),
        ev=ev,
        preferred=False,
    )


def _is_older(event: SessionTold, known: SessionTold) -> bool:
    """Tell which of two versions was told before; of two at the same moment an end is the later one."""
    return (event.updated_at, not event.active) < (known.updated_at, not known.active)


def measured(vehicle: Vehicle, sample: Sample, allowed: Allowed | None) -> Vehicle:
    """Return what is known after a sample, taken while the EVSE was allowed so much; one that comes late is no news."""
    changes = _registered(vehicle, sample) | _drawn(vehicle, sample, allowed)
    return msgspec.structs.replace(vehicle, **changes) if changes else vehicle


def teaches(before: Vehicle | None, after: Vehicle) -> bool:
    """Tell whether a vehicle is to be planned otherwise by what it has shown of itself meanwhile."""
    known = before.learned if before is not None else None
    learned = after.learned
    taught = (learned.phases, learned.most_a, learned.least_a)
    return known is None or (known.phases, known.most_a, known.least_a) != taught


def _registered(vehicle: Vehicle, sample: Sample) -> dict[str, Any]:
    """Return what a sample changes of the register."""
    if sample.register_wh is None or (vehicle.register_at is not None and sample.at <= vehicle.register_at):
        return {}
    first_wh = vehicle.first_wh
    if first_wh is None and vehicle.session is not None and sample.at >= vehicle.session.began_at:
        first_wh = sample.register_wh
    return {"register_at": sample.at, "register_wh": sample.register_wh, "first_wh": first_wh}


def _drawn(vehicle: Vehicle, sample: Sample, allowed: Allowed | None) -> dict[str, Any]:
    """Return what a sample changes of what is known to be drawn."""
    if sample.phase_a is None and sample.power_w is None:
        return {}
    if vehicle.measured_at is not None and sample.at <= vehicle.measured_at:
        return {}
    changes: dict[str, Any] = {
        "measured_at": sample.at,
        "phase_a": sample.phase_a,
        "tells_phases": sample.tells_phases,
        "power_w": sample.power_w,
    }
    if vehicle.present is not None and sample.at >= vehicle.present.began_at:
        changes["reckoned_wh"] = vehicle.reckoned_wh + _reckoned(vehicle, sample)
        changes["learned"] = learn(vehicle.learned, sample, allowed)
    return changes


def _reckoned(vehicle: Vehicle, sample: Sample) -> float:
    """Return the energy between the newest sample of power and this one; over a long silence nothing is reckoned."""
    if vehicle.measured_at is None or vehicle.power_w is None or sample.power_w is None:
        return 0.0
    lasted = sample.at - vehicle.measured_at
    if lasted > _RECKONED_OVER:
        return 0.0
    return (vehicle.power_w + sample.power_w) / 2 * lasted.total_seconds() / 3600
