"""Stations that ask for the limit of a dynamic profile: what they are answered. Spec: OCPP 2.1 K28."""

from datetime import datetime

import msgspec

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.habits import Rung
from chargebus_smart_charging.steering.domain.held import UNLIMITED, Pulled
from chargebus_smart_charging.steering.domain.profiles import in_unit, place_of
from chargebus_smart_charging.steering.domain.steered import Steered

_DYNAMIC: Rung = "TxProfile"


class Pull(msgspec.Struct, frozen=True):
    """A station asks for the limit of one of its profiles."""

    station_id: str
    profile_id: int

    @property
    def key(self) -> EvseKey | None:
        """The EVSE that the profile is for; None: it is none that can be dynamic."""
        place = place_of(self.profile_id)
        return (self.station_id, place[0]) if place is not None and place[1] == _DYNAMIC else None


def answer_to(steered: Steered, now: datetime) -> tuple[float, Pulled] | None:
    """Return the limit that a dynamic profile has now, in its unit, and what is to be kept of that.

    That is what its station was told last: it is counted already, taken or not. None: there is no such profile.
    """
    newest = steered.limit.newest
    if newest is None or newest.rung != _DYNAMIC or not steered.limit.is_dynamic:
        return None
    limit_a = newest.amperes_at(now)
    if limit_a >= UNLIMITED:
        return None
    return in_unit(limit_a, newest.per_a), Pulled(newest.number, limit_a, now, newest.until, newest.transaction_id)
