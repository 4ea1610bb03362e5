"""Local controllers: stations of OCPP 2.x with those of others behind them, which get the limit of all of these."""

from collections.abc import Iterator

import msgspec

from chargebus_smart_charging.sites.domain.site import Evse, Node, Site
from chargebus_smart_charging.steering.domain.habits import LADDER, Rung
from chargebus_smart_charging.steering.domain.steered import Steerable

GROUP: Rung = "ChargingStationMaxProfile"
"""The one way in which a local controller is told its limit: for all that is behind it."""

_STATION = 0


def controllers_of(site: Site) -> Iterator[tuple[Node, Evse]]:
    """Yield the nodes of a site that have a local controller, each with that as the EVSE 0 of its station."""
    for node in site.nodes:
        if node.controller_station_id:
            yield node, Evse(node.controller_station_id, _STATION, node.node_id, min_a=0.0, step_a=0.0)


def as_controller(steerable: Steerable, limit_a: float) -> Steerable:
    """Return a local controller as it can be steered, where all behind it may draw so much on each phase.

    What it was told last stays where nobody tells it more: it goes over into no default.
    """
    others = tuple(rung for rung in LADDER[:-1] if rung != GROUP)
    habits = msgspec.structs.replace(steerable.habits, refused=others, takes_zero=True)
    evse = msgspec.structs.replace(steerable.evse, max_a=limit_a)
    return msgspec.structs.replace(steerable, evse=evse, habits=habits, default_a=limit_a, alone=True)
