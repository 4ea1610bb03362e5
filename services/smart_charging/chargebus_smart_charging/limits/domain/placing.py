"""Whether a limit stands on a part of its site that there is."""

import msgspec

from chargebus_smart_charging.limits.domain.limit import KnownLimit
from chargebus_smart_charging.sites.domain.site import EvseKey, Site
from chargebus_smart_charging.sites.errors import Objection


class Parts(msgspec.Struct, frozen=True):
    """What a site has on which a limit may stand."""

    site_id: str
    nodes: frozenset[str]
    stations: frozenset[str]
    evses: frozenset[EvseKey]

    @classmethod
    def of(cls, site: Site) -> "Parts":
        """Return the parts of a site."""
        nodes = frozenset(node.node_id for node in site.nodes)
        stations = frozenset(evse.station_id for evse in site.evses)
        return cls(site.site_id, nodes, stations, frozenset(evse.key for evse in site.evses))


def unplaced(limit: KnownLimit, parts: Parts) -> list[Objection]:
    """Return that a limit stands where there is nothing, if so."""
    site_id, node_id, station_id, evse_id = parts.site_id, limit.node_id, limit.station_id, limit.evse_id
    if node_id and node_id not in parts.nodes:
        return [Objection("node_id", f"the site {site_id} has no node {node_id}")]
    if station_id and station_id not in parts.stations:
        return [Objection("station_id", f"the site {site_id} has no station {station_id}")]
    if evse_id and (station_id, evse_id) not in parts.evses:
        return [Objection("evse_id", f"the site {site_id} has no EVSE {evse_id} of {station_id}")]
    return []
