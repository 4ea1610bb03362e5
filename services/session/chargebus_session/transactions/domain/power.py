"""Owns the largest power of a transaction's place: by what is known of its EVSE and connector, else by the setting.

| of an EVSE | what counts |
|---|---|
| an operator registered a rating of it, or of all of its station's | that, and no report |
| its station reported one | that |
| a power and a connector's type | the lower |
| a connector and its EVSE | the lower; for the EVSE the strongest of its connectors, where all are known |
| nothing | the setting |

Spec: OCPP 2.0.1 Part 2 appendix 3 (EVSE.Power, EVSE.SupplyPhases, Connector.ConnectorType)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from chargebus_events.registry import Rating
from chargebus_ocppj.connectors import largest_power_w

ABOVE_RATING: Final = 1.25
"""What is rated is so at nominal voltage, which may be 10 % higher (EN 50160); currents and meters are not exact."""

ANY_EVSE: Final = 0
WHOLE_EVSE: Final = 0


class Place(NamedTuple):
    """An EVSE of a station with one of its connectors (0: whichever it is); EVSE 0: those that nothing is known of."""

    station_id: str
    evse_id: int
    connector_id: int


class PowerLimit(NamedTuple):
    """The largest power of a place, in W."""

    place: Place
    max_power_w: float


def power_limits(station_id: str, registered: Sequence[Rating], reported: Sequence[Rating]) -> list[PowerLimit]:
    """Return the largest power of each place of a station that anybody tells something of."""
    own = {rating.evse_id for rating in registered}
    believed = [] if ANY_EVSE in own else [rating for rating in reported if rating.evse_id not in own]
    by_evse: dict[int, dict[int, Rating]] = {}
    for rating in (*registered, *believed):
        by_evse.setdefault(rating.evse_id, {})[rating.connector_id] = rating
    return [
        PowerLimit(Place(station_id, evse_id, connector_id), round(power_w * ABOVE_RATING, 3))
        for evse_id, ratings in sorted(by_evse.items())
        for connector_id, power_w in _of_evse(ratings)
    ]


def limit_at(limits: Mapping[Place, float], place: Place) -> float | None:
    """Return the largest power of a place, None if nothing is known of it."""
    station_id, evse_id, _ = place
    for known in (place, Place(station_id, evse_id, WHOLE_EVSE), Place(station_id, ANY_EVSE, WHOLE_EVSE)):
        if known in limits:
            return limits[known]
    return None


def _of_evse(ratings: Mapping[int, Rating]) -> Iterable[tuple[int, float]]:
    whole = ratings.get(WHOLE_EVSE, Rating())
    power_w = _power_w(whole, whole.phases)
    connectors = {
        connector_id: _lower(_power_w(rating, whole.phases if rating.phases is None else rating.phases), power_w)
        for connector_id, rating in sorted(ratings.items())
        if connector_id != WHOLE_EVSE
    }
    known = {connector_id: each_w for connector_id, each_w in connectors.items() if each_w is not None}
    if power_w is None and known and len(known) == len(connectors):
        power_w = max(known.values())
    if power_w is not None:
        yield WHOLE_EVSE, power_w
    yield from known.items()


def _power_w(rating: Rating, phases: int | None) -> float | None:
    return _lower(rating.max_power_w, largest_power_w(rating.connector_type, phases))


def _lower(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)
