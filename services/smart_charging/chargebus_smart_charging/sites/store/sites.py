"""Sites as their operators describe them, read and written in sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.sites.domain.site import CalendarEntry, Capacity, Evse, LoadMeter, Node, Policy, Site
from chargebus_smart_charging.sites.store.tables import EvseRow, NodeRow, SiteDueRow, SiteRow

_SITE: Final = Rows(SiteRow, sources={"site": Site})
_DUE: Final = Rows(SiteDueRow)
_NODE: Final = Rows(NodeRow, sources={"node.capacity": Capacity, "node": Node})
_EVSE: Final = Rows(EvseRow, sources={"evse": Evse})

_HOLD: Final = "SELECT pg_advisory_xact_lock(hashtext('site'))"
_SITES: Final = f"SELECT {_SITE.select()} FROM site WHERE site_id = ANY($1)"  # noqa: S608 - names of columns
_EXISTING: Final = "SELECT site_id FROM site WHERE site_id = ANY($1)"
_NODES: Final = f"SELECT {_NODE.select()} FROM node WHERE site_id = ANY($1) ORDER BY site_id, place"  # noqa: S608
_EVSES: Final = f"SELECT {_EVSE.select()} FROM evse WHERE site_id = ANY($1) ORDER BY site_id, place"  # noqa: S608
_PUT: Final = _SITE.upsert(keep=["created_at"])
_MAKE_DUE: Final = _DUE.insert_new()
_ADD_NODES: Final = _NODE.insert()
_ADD_EVSES: Final = _EVSE.insert()
_CLEAR: Final = ("DELETE FROM node WHERE site_id = $1", "DELETE FROM evse WHERE site_id = $1")
_REMOVE: Final = "DELETE FROM site WHERE site_id = $1 RETURNING site_id"
_REMOVE_DUE: Final = "DELETE FROM site_due WHERE site_id = $1"
_IN_ZONES: Final = "SELECT site_id FROM site WHERE zone = ANY($1) OR site_id = ANY($1)"
_PAGE: Final = """
SELECT s.site_id, s.name, s.zone, s.version, s.updated_at,
    (SELECT count(*) FROM node AS n WHERE n.site_id = s.site_id) AS nodes,
    (SELECT count(*) FROM evse AS e WHERE e.site_id = s.site_id) AS evses
FROM site AS s WHERE s.site_id > $1 ORDER BY s.site_id LIMIT $2
"""

_policy = msgspec.json.Decoder(Policy).decode
_calendar = msgspec.json.Decoder(tuple[CalendarEntry, ...]).decode
_meter = msgspec.json.Decoder(LoadMeter).decode


class Described(msgspec.Struct, frozen=True):
    """A site, and since when it has been described so."""

    site: Site
    created_at: datetime
    updated_at: datetime


class _Due(msgspec.Struct, frozen=True):
    site_id: str
    due_at: datetime
    marks: int = 0


class _PlacedNode(msgspec.Struct, frozen=True):
    """A node as it is kept; what is not its own comes first."""

    site_id: str
    place: int
    node: Node

    @property
    def meter_station_id(self) -> str | None:
        """The station whose main meter it is read from."""
        return (self.node.meter.station_id or None) if self.node.meter is not None else None


class _PlacedEvse(msgspec.Struct, frozen=True):
    site_id: str
    place: int
    evse: Evse


async def hold(connection: asyncpg.Connection) -> None:
    """Keep others from changing what sites are made of until the transaction ends: an EVSE is to be in one only."""
    await connection.execute(_HOLD)


async def load(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, Site]:
    """Return sites by their ids, those that there are."""
    return {site_id: found.site for site_id, found in (await described(connection, site_ids)).items()}


async def existing(connection: asyncpg.Connection, site_ids: Collection[str]) -> set[str]:
    """Return those of the sites that are described."""
    return {row["site_id"] for row in await connection.fetch(_EXISTING, list(site_ids))}


async def described(connection: asyncpg.Connection, site_ids: Collection[str]) -> dict[str, Described]:
    """Return sites by their ids, with the times of their descriptions."""
    wanted = list(site_ids)
    rows = await connection.fetch(_SITES, wanted)
    if not rows:
        return {}
    nodes, evses = defaultdict[str, list[Node]](list), defaultdict[str, list[Evse]](list)
    for row in await connection.fetch(_NODES, wanted):
        nodes[row["site_id"]].append(_node(row))
    for row in await connection.fetch(_EVSES, wanted):
        evses[row["site_id"]].append(_evse(row))
    return {
        row["site_id"]: Described(
            Site(
                site_id=row["site_id"],
                name=row["name"],
                nodes=tuple(nodes[row["site_id"]]),
                evses=tuple(evses[row["site_id"]]),
                zone=row["zone"],
                time_zone=row["time_zone"],
                policy=_policy(row["policy"]),
                version=row["version"],
            ),
            row["created_at"],
            row["updated_at"],
        )
        for row in rows
    }


async def put(connection: asyncpg.Connection, described: Described) -> None:
    """Keep a site in the place of what was known under its id; it is due at once."""
    site = described.site
    await connection.execute(_PUT, *_SITE.arguments([described]))
    for clear in _CLEAR:
        await connection.execute(clear, site.site_id)
    nodes = [_PlacedNode(site.site_id, place, node) for place, node in enumerate(site.nodes)]
    await connection.execute(_ADD_NODES, *_NODE.arguments(nodes))
    evses = [_PlacedEvse(site.site_id, place, evse) for place, evse in enumerate(site.evses)]
    await connection.execute(_ADD_EVSES, *_EVSE.arguments(evses))
    await connection.execute(_MAKE_DUE, *_DUE.arguments([_Due(site.site_id, described.updated_at)]))


async def remove(connection: asyncpg.Connection, site_id: str) -> bool:
    """Drop a site; tell whether there was one."""
    if await connection.fetchval(_REMOVE, site_id) is None:
        return False
    for clear in (*_CLEAR, _REMOVE_DUE):
        await connection.execute(clear, site_id)
    return True


async def page(connection: asyncpg.Connection, after: str, limit: int) -> Sequence[asyncpg.Record]:
    """Return up to `limit` sites in the order of their ids: what they are called, and how large they are."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(_PAGE, after, limit)
    return rows


async def in_zones(connection: asyncpg.Connection, zones: Iterable[str]) -> list[str]:
    """Return the sites that lie in one of the zones, or are one."""
    return [row["site_id"] for row in await connection.fetch(_IN_ZONES, list(zones))]


def _node(row: asyncpg.Record) -> Node:
    return Node(
        node_id=row["node_id"],
        parent_id=row["parent_id"],
        name=row["name"],
        capacity=Capacity(row["phase_a"], row["total_w"], row["total_va"]),
        margin=row["margin"],
        unbalance_a=row["unbalance_a"],
        calendar=_calendar(row["calendar"]),
        meter=None if row["meter"] is None else _meter(row["meter"]),
        controller_station_id=row["controller_station_id"],
    )


def _evse(row: asyncpg.Record) -> Evse:
    phases = row["phases"]
    return Evse(
        station_id=row["station_id"],
        evse_id=row["evse_id"],
        node_id=row["node_id"],
        current=row["current"],
        voltage_v=row["voltage_v"],
        phases=None if phases is None else tuple(phases),
        min_a=row["min_a"],
        max_a=row["max_a"],
        step_a=row["step_a"],
        priority=row["priority"],
    )
