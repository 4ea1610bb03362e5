"""Owns whether a station has room for one more reservation: never two on one EVSE, and no more than there are EVSEs.

What is not known refuses nothing: of a station that told of no EVSE it decides by itself, and an EVSE whose connectors
nobody knows may have any.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from chargebus_session.reservations.domain.reservation import ANY_EVSE, Reservation
from chargebus_session.reservations.errors import NoSuchPlaceError, ReservedError

Evses = Mapping[int, frozenset[str]]
"""The EVSEs that are known of a station, each with the types of its connectors (in lower case), as far as known."""


class Place(msgspec.Struct, frozen=True):
    """Where somebody wants to charge: an EVSE (0: any), a connector of a type (empty: any)."""

    evse_id: int
    connector_type: str

    def fits(self, evse_id: int, types: frozenset[str]) -> bool:
        """Tell whether an EVSE with connectors of these types would do."""
        if self.evse_id not in (ANY_EVSE, evse_id):
            return False
        return not self.connector_type or not types or self.connector_type.lower() in types


class Wanted(msgspec.Struct, frozen=True):
    """What is to be reserved: where, for whom (a token, a group, or a token and its group), and until when."""

    station_id: str
    place: Place
    id_token: str
    group_id: str
    expires_at: datetime


def check_place(place: Place, evses: Evses) -> None:
    """Refuse what a station does not have.

    Raises:
        NoSuchPlaceError: there is no such EVSE, or no such connector.
    """
    if not evses:
        return
    if place.evse_id != ANY_EVSE and place.evse_id not in evses:
        raise NoSuchPlaceError(f"There is no EVSE {place.evse_id}: the station told of {_numbers(evses)}.")
    if not any(place.fits(*each) for each in evses.items()):
        known = sorted({kind for types in evses.values() for kind in types})
        where = "the station" if place.evse_id == ANY_EVSE else f"EVSE {place.evse_id}"
        raise NoSuchPlaceError(f"{where} has no connector of type {place.connector_type}; known are {', '.join(known)}")


def check_room(place: Place, running: Sequence[Reservation], evses: Evses) -> None:
    """Refuse a reservation beside those that run at its station.

    Raises:
        ReservedError: its EVSE is reserved, or there are not enough EVSEs.

    Spec: OCPP 2.0.1 H01 (S2, S3: not more than there are EVSEs, of the type that is wanted)
    """
    same = next((each for each in running if each.evse_id == place.evse_id != ANY_EVSE), None)
    if same is not None:
        raise ReservedError(
            f"EVSE {place.evse_id} is reserved until {_written(same.expires_at)} (reservation {same.reservation_id})."
        )
    taken = [Place(each.evse_id, each.connector_type) for each in running]
    counted = [each for each in taken if each.evse_id == ANY_EVSE or each.evse_id in evses]
    if evses and not _has_room([*counted, place], evses):
        numbers = ", ".join(str(each.reservation_id) for each in running)
        raise ReservedError(f"No EVSE is left: the station has {_numbers(evses)}, kept by the reservations {numbers}.")


def _has_room(places: Sequence[Place], evses: Evses) -> bool:
    """Tell whether each place can have an EVSE of its own (augmenting paths)."""
    owner: dict[int, int] = {}

    def give(number: int, tried: set[int]) -> bool:
        for evse_id, types in evses.items():
            if evse_id in tried or not places[number].fits(evse_id, types):
                continue
            tried.add(evse_id)
            if evse_id not in owner or give(owner[evse_id], tried):
                owner[evse_id] = number
                return True
        return False

    return all(give(number, set()) for number in range(len(places)))


def _numbers(evses: Evses) -> str:
    return "EVSE " + ", ".join(map(str, sorted(evses)))


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
