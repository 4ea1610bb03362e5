"""Variables, read and written in sets; rows are locked in the order of station and key."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.request import Limits
from chargebus_device.variables.domain.variable import MOST_VARIABLES, Reported, Variable, without_secret
from chargebus_device.variables.store.tables import VariableRow

Known = dict[str, Variable]
"""Variables of a station by the keys of their places."""


class Told(msgspec.Struct, frozen=True):
    """What a station said of a variable, when and in which message."""

    station_id: str
    reported: Reported
    read_at: datetime
    read_by: str

    @property
    def key(self) -> str:
        """The key of its place."""
        return self.reported.place.key

    @property
    def place(self) -> Place:
        """Its place."""
        return self.reported.place


class Filter(msgspec.Struct, frozen=True):
    """Which variables of a station are listed; None does not filter.

    Attributes:
        component, variable: by name, without case; `text`: a part of either.
        keys: places that are meant.
        pending: those that take a value with the next boot.
        known: those that the station has, or says it has not.
    """

    component: str | None = None
    variable: str | None = None
    text: str | None = None
    keys: tuple[str, ...] | None = None
    pending: bool | None = None
    known: bool | None = None


_ROWS: Final = Rows(VariableRow, sources={"reported.place": Place, "reported": Reported})
_TOLD: Final = Rows(
    VariableRow,
    without=("pending_value", "pending_since"),
    sources={"reported.place": Place, "reported": Reported},
)
_KEPT: Final = ("station_id", "key", "value", "is_known", "read_at", "read_by")
_KEEP: Final = f"""
{_TOLD.insert()} ON CONFLICT (station_id, key) DO UPDATE SET
    value = excluded.value, is_known = excluded.is_known, read_at = excluded.read_at, read_by = excluded.read_by,
    {", ".join(f"{name} = COALESCE(excluded.{name}, variable.{name})" for name in _TOLD.names if name not in _KEPT)}
WHERE excluded.read_at >= variable.read_at
"""
_SET_PENDING: Final = """
UPDATE variable AS v
SET pending_value = n.value, pending_since = CASE WHEN n.value IS NOT NULL THEN $4::timestamptz END
FROM unnest($2::text[], $3::text[]) AS n (key, value) WHERE v.station_id = $1 AND v.key = n.key
"""
_BOOTED: Final = f"""
UPDATE variable AS v SET pending_value = NULL, pending_since = NULL
FROM (
    SELECT station_id, key FROM variable JOIN boot b USING (station_id)
    WHERE station_id = ANY($1) AND pending_since IS NOT NULL AND b.booted_at > pending_since AND b.told = 'accepted'
    ORDER BY station_id, key FOR UPDATE OF variable
) AS n WHERE (v.station_id, v.key) = (n.station_id, n.key) RETURNING {_ROWS.select("v")}
"""  # noqa: S608 - names of columns
_FIND: Final = f"SELECT {_ROWS.select()} FROM variable WHERE station_id = ANY($1) AND key = ANY($2)"  # noqa: S608
_COUNT: Final = "SELECT station_id, count(*) FROM variable WHERE station_id = ANY($1) GROUP BY station_id"
_FORGET_OTHERS: Final = "DELETE FROM variable WHERE station_id = $1 AND read_at < $2"
_PAGE: Final = f"""
SELECT {_ROWS.select()} FROM variable WHERE station_id = $1 AND key > $2
    AND ($3::text IS NULL OR lower(component) = lower($3)) AND ($4::text IS NULL OR lower(variable) = lower($4))
    AND ($5::text IS NULL OR position(lower($5) IN lower(concat_ws(' ', component, variable))) > 0)
    AND ($6::text[] IS NULL OR key = ANY($6)) AND ($7::bool IS NULL OR (pending_since IS NOT NULL) = $7)
    AND ($8::bool IS NULL OR is_known = $8)
ORDER BY key LIMIT $9
"""  # noqa: S608
_LONGEST_LIMIT: Final = 9


async def keep(connection: asyncpg.Connection, told: Iterable[Told]) -> int:
    """Keep what stations said, of each variable the newest; nothing that is older than what is known.

    What they did not say of a variable stays as it was. Secrets are left out.

    Returns:
        How much was dropped, as so many variables of its station are known already.
    """
    newest: dict[tuple[str, str], Told] = {}
    for each in told:
        at = each.station_id, each.key
        if at not in newest or newest[at].read_at <= each.read_at:
            newest[at] = msgspec.structs.replace(each, reported=without_secret(each.reported))
    if not newest:
        return 0
    kept = await _within_bounds(connection, newest)
    await connection.execute(_KEEP, *_TOLD.arguments(kept))
    return len(newest) - len(kept)


async def _within_bounds(connection: asyncpg.Connection, told: Mapping[tuple[str, str], Told]) -> list[Told]:
    """Return what of the stations' variables is known already, and as many new ones as there is room for."""
    new = Counter(station_id for station_id, _ in told)
    room = {row["station_id"]: MOST_VARIABLES - row["count"] for row in await connection.fetch(_COUNT, list(new))}
    full = [station_id for station_id, count in new.items() if count > room.get(station_id, MOST_VARIABLES)]
    known = set()
    if full:
        keys = [key for station_id, key in told if station_id in full]
        known = {(row["station_id"], row["key"]) for row in await connection.fetch(_FIND, full, keys)}
    kept = []
    for at, each in told.items():
        if at not in known:
            room[at[0]] = left = room.get(at[0], MOST_VARIABLES) - 1
            if left < 0 and at[0] in full:
                continue
        kept.append(each)
    return kept


async def pend(connection: asyncpg.Connection, station_id: str, values: Mapping[str, str | None], at: datetime) -> None:
    """Note since when which values variables take with the next boot, None for none, by the keys of their places."""
    if values:
        await connection.execute(_SET_PENDING, station_id, list(values), list(values.values()), at)


async def booted(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, list[Place]]:
    """Return what of stations waited for a boot that came now; it does not wait any more."""
    found: dict[str, list[Place]] = {}
    for row in await connection.fetch(_BOOTED, list(station_ids)):
        found.setdefault(row["station_id"], []).append(_variable(row).place)
    return found


async def find(connection: asyncpg.Connection, station_ids: Collection[str], keys: Collection[str]) -> dict[str, Known]:
    """Return variables of stations, by the keys of their places."""
    found: dict[str, Known] = {}
    for row in await connection.fetch(_FIND, list(station_ids), list(keys)):
        found.setdefault(row["station_id"], {})[row["key"]] = _variable(row)
    return found


async def limits(connection: asyncpg.Connection, station_id: str, places: Sequence[Place | None]) -> Limits:
    """Return how much a station takes in one message: as it says at these places, of items and of bytes."""
    known = (await find(connection, [station_id], [each.key for each in places if each])).get(station_id, {})
    items, bytes_ = (_number(known.get(each.key)) if each else None for each in places)
    return Limits(items, bytes_)


async def forget_others(connection: asyncpg.Connection, station_id: str, before: datetime) -> None:
    """Drop what a station did not tell of since it was asked for all that it has."""
    await connection.execute(_FORGET_OTHERS, station_id, before)


async def page(
    connection: asyncpg.Connection, station_id: str, wanted: Filter, after: str, limit: int
) -> list[Variable]:
    """Return up to `limit` variables of a station in the order of their keys."""
    keys = None if wanted.keys is None else list(wanted.keys)
    given = wanted.component, wanted.variable, wanted.text, keys, wanted.pending, wanted.known
    return [_variable(row) for row in await connection.fetch(_PAGE, station_id, after, *given, limit)]


def _number(variable: Variable | None) -> int | None:
    text = "" if variable is None or variable.value is None else variable.value.strip()
    return int(text) or None if text.isascii() and text.isdigit() and len(text) <= _LONGEST_LIMIT else None


def _variable(row: asyncpg.Record) -> Variable:
    place = Place(**{name: row[name] for name in Place.__struct_fields__})
    return Variable(place=place, **{name: row[name] for name in Variable.__struct_fields__ if name != "place"})
