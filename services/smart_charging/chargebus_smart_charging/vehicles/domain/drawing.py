"""What a vehicle draws on the phases of the site: where its connector's own phases lie, the EVSE says."""

from datetime import datetime

from chargebus_smart_charging.sites.domain.site import NOTHING, Evse, PerPhase
from chargebus_smart_charging.vehicles.domain.learning import Learned
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle

THREE = (1, 2, 3)
USUAL_V = 230.0


def site_phases(evse: Evse) -> tuple[int, ...]:
    """Return the site's phases of an EVSE, from 0 to 2, in the order of its own."""
    return tuple(phase - 1 for phase in evse.phases or THREE)


def used_phases(learned: Learned, evse: Evse) -> tuple[int, ...]:
    """Return the site's phases, from 0 to 2, that a vehicle really uses: all of the EVSE's while that is not known."""
    every = site_phases(evse)
    if evse.current == "DC":
        return every
    used = tuple(every[phase] for phase in learned.phases if phase < len(every))
    return used or every


def drawn(vehicle: Vehicle, evse: Evse, since: datetime | None = None) -> PerPhase | None:
    """Return the newest measured amperes on each phase of the site; None: nothing was measured (since then).

    What flows at a DC outlet is power; on the grid's side it is on all phases alike.
    """
    if vehicle.measured_at is None or (since is not None and vehicle.measured_at < since):
        return None
    if evse.current == "DC" or vehicle.phase_a is None:
        return None if vehicle.power_w is None else _of_power(vehicle.power_w, vehicle.learned, evse)
    amperes = [0.0, 0.0, 0.0]
    for place, phase in enumerate(site_phases(evse)):
        amperes[phase] += vehicle.phase_a[place]
    return amperes[0], amperes[1], amperes[2]


def _of_power(power_w: float, learned: Learned, evse: Evse) -> PerPhase:
    used = used_phases(learned, evse)
    if not used:
        return NOTHING
    each = power_w / ((evse.voltage_v or USUAL_V) * len(used))
    first, second, third = (each if phase in used else 0.0 for phase in range(3))
    return first, second, third
