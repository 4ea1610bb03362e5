"""Stations as they go by configurations; rows are locked in the order of their ids."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.configurations.domain.compared import Entry
from chargebus_device.configurations.domain.configuration import Selector, Station
from chargebus_device.configurations.store.tables import ConfigurationStationRow, ConfigurationVariableRow


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """A station that is looked after.

    Attributes:
        asking: what it is being asked, None: nothing.
        read_after: what it told before does not count.
        tries: how often in a row it could not be asked.
    """

    station_id: str
    asking: UUID | None = None
    read_after: datetime
    checked_at: datetime
    due_at: datetime | None = None
    tries: int = 0


_ROWS: Final = Rows(ConfigurationStationRow)
_ENTRIES: Final = Rows(ConfigurationVariableRow)
_VERSION: Final = "COALESCE(NULLIF(c.version, ''), b.version, '')"
_STATION: Final = f"""
SELECT s.station_id, s.vendor, s.model, s.firmware_version, s.labels::text AS labels, {_VERSION} AS version
FROM station s LEFT JOIN connection c USING (station_id) LEFT JOIN boot b USING (station_id)
"""  # noqa: S608 - names of columns
_BY: Final = """
($2::text[] = '{}' OR s.station_id = ANY($2)) AND s.labels @> $3::jsonb
AND ($4 = '' OR s.vendor = $4) AND ($5 = '' OR s.model = $5) AND ($6 = '' OR s.firmware_version = $6)
"""
_FACTS: Final = f"{_STATION} WHERE s.station_id = ANY($1)"
_MEANT: Final = f"""{_STATION}
WHERE s.station_id > $1 AND {_BY}
ORDER BY s.station_id LIMIT $7
"""
_COUNT: Final = """
SELECT count(*) FROM station s
WHERE ($1::text[] = '{}' OR s.station_id = ANY($1)) AND s.labels @> $2::jsonb
  AND ($3 = '' OR s.vendor = $3) AND ($4 = '' OR s.model = $4) AND ($5 = '' OR s.firmware_version = $5)
"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('configuration_station'))"
_ASKING: Final = "SELECT count(*) FROM configuration_station WHERE asking IS NOT NULL"
_PROOF_DUE: Final = f"""
SELECT {_ROWS.select("f")} FROM configuration_station f
WHERE f.due_at <= $1 AND f.asking IS NULL AND f.station_id IN (
    SELECT station_id FROM configuration_variable
    WHERE lost_at IS NOT NULL AND verdict <> 'lost' AND retry_at <= $1)
ORDER BY f.due_at LIMIT $2 FOR NO KEY UPDATE OF f SKIP LOCKED
"""  # noqa: S608
_DUE: Final = f"""
SELECT {_ROWS.select("f")} FROM configuration_station f JOIN connection c USING (station_id)
WHERE f.due_at <= $1 AND f.asking IS NULL AND c.connected AND f.station_id <> ALL($3)
ORDER BY f.due_at LIMIT $2 FOR NO KEY UPDATE OF f SKIP LOCKED
"""  # noqa: S608
_LOCK: Final = f"""
SELECT {_ROWS.select()} FROM configuration_station WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE
"""  # noqa: S608
_KEEP: Final = _ROWS.upsert()
_ALL_DUE: Final = f"""
INSERT INTO configuration_station (station_id, asking, read_after, checked_at, due_at, tries)
SELECT s.station_id, NULL, '1970-01-01Z', $1, $1, 0 FROM station s WHERE ({_BY}) OR s.station_id IN (
    SELECT station_id FROM configuration_variable WHERE configuration_id = $7)
ORDER BY s.station_id ON CONFLICT (station_id) DO UPDATE SET due_at = excluded.due_at
"""  # noqa: S608
_ITS_OWN_DUE: Final = """
UPDATE configuration_station AS f SET due_at = $2 FROM (
    SELECT station_id FROM configuration_station WHERE station_id IN (
        SELECT station_id FROM configuration_variable WHERE configuration_id = $1)
    ORDER BY station_id FOR NO KEY UPDATE
) AS n WHERE f.station_id = n.station_id
"""
_WAKE: Final = """
UPDATE configuration_station AS f SET due_at = $2 FROM (
    SELECT station_id FROM configuration_station
    WHERE asking IS NULL AND (due_at IS NULL OR due_at > $2) AND station_id IN (
        SELECT station_id FROM configuration_variable WHERE configuration_id = $1 AND verdict = 'waiting')
    ORDER BY station_id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
) AS n WHERE f.station_id = n.station_id
"""
_CHANGED: Final = """
INSERT INTO configuration_station (station_id, asking, read_after, checked_at, due_at, tries)
SELECT s.station_id, NULL, '1970-01-01Z', $1, $1, 0 FROM station s
LEFT JOIN configuration_station f USING (station_id)
WHERE EXISTS (SELECT FROM configuration) AND (
    f.station_id IS NULL OR (s.updated_at > f.checked_at AND (f.due_at IS NULL OR f.due_at > $1)))
ORDER BY s.station_id LIMIT $2 ON CONFLICT (station_id) DO UPDATE SET due_at = excluded.due_at
"""
_BOOTED: Final = """
INSERT INTO configuration_station (station_id, asking, read_after, checked_at, due_at, tries)
SELECT s.station_id, NULL, $2, $2, $3, 0 FROM station s JOIN boot b USING (station_id)
WHERE s.station_id = ANY($1) AND b.told = 'accepted' AND EXISTS (SELECT FROM configuration) ORDER BY s.station_id
ON CONFLICT (station_id) DO UPDATE SET read_after = excluded.read_after, due_at = excluded.due_at, tries = 0
"""
_HEARD: Final = """
UPDATE configuration_station AS f SET due_at = least(f.due_at, $2) FROM (
    SELECT station_id FROM configuration_station WHERE station_id = ANY($1) AND asking IS NULL AND tries = 0
        AND station_id IN (SELECT station_id FROM configuration_variable WHERE station_id = ANY($1))
    ORDER BY station_id FOR NO KEY UPDATE
) AS n WHERE f.station_id = n.station_id
"""
_FIND_ENTRIES: Final = f"SELECT {_ENTRIES.select()} FROM configuration_variable WHERE station_id = ANY($1)"  # noqa: S608
_KEEP_ENTRIES: Final = _ENTRIES.upsert()
_DROP_ENTRIES: Final = """
DELETE FROM configuration_variable AS v USING unnest($1::text[], $2::text[]) AS n (station_id, key)
WHERE (v.station_id, v.key) = (n.station_id, n.key)
"""
_PAGE: Final = f"""
SELECT {_ENTRIES.select()} FROM configuration_variable
WHERE configuration_id = $1 AND (station_id, key) > ($2, $3) AND ($4::text IS NULL OR verdict = $4)
ORDER BY station_id, key LIMIT $5
"""  # noqa: S608
_IS_REGISTERED: Final = "SELECT EXISTS (SELECT FROM station WHERE station_id = $1)"

_labels: Final = msgspec.json.Decoder(dict[str, str]).decode


async def facts(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return what configurations choose stations by."""
    return {row["station_id"]: _station(row) for row in await connection.fetch(_FACTS, list(station_ids))}


async def meant(connection: asyncpg.Connection, by: Selector, after: str, limit: int) -> list[Station]:
    """Return up to `limit` of the stations that are meant, in the order of their ids."""
    return [_station(row) for row in await connection.fetch(_MEANT, after, *_given(by), limit)]


async def count_meant(connection: asyncpg.Connection, by: Selector) -> int:
    """Return how many stations are meant."""
    return int(await connection.fetchval(_COUNT, *_given(by)))


async def take_due(connection: asyncpg.Connection, now: datetime, at_once: int, in_flight: int) -> Sequence[Follower]:
    """Return up to `at_once` stations that are due, locked: no more than leaves `in_flight` being asked.

    Those that have to prove that they came back from a change are first, connected or not; of the others those that
    are connected. Copies count one after the other.
    """
    await connection.execute(_ONE_AT_A_TIME)
    left = min(at_once, in_flight - int(await connection.fetchval(_ASKING)))
    if left <= 0:
        return []
    rows = await connection.fetch(_PROOF_DUE, now, left)
    if len(rows) < left:
        rows += await connection.fetch(_DUE, now, left - len(rows), [row["station_id"] for row in rows])
    return [Follower(**row) for row in rows]


async def lock(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Follower]:
    """Return stations, locked until the transaction ends."""
    rows = await connection.fetch(_LOCK, list(station_ids))
    return {row["station_id"]: Follower(**row) for row in rows}


async def keep(connection: asyncpg.Connection, followers: Collection[Follower]) -> None:
    """Keep what has changed."""
    if followers:
        await connection.execute(_KEEP, *_ROWS.arguments(followers))


async def all_due(connection: asyncpg.Connection, configuration_id: UUID, by: Selector, now: datetime) -> None:
    """Have the stations looked at that a configuration means, and those that it has meant."""
    await connection.execute(_ALL_DUE, now, *_given(by), configuration_id)


async def its_own_due(connection: asyncpg.Connection, configuration_id: UUID, now: datetime) -> None:
    """Have the stations looked at for which a configuration counts."""
    await connection.execute(_ITS_OWN_DUE, configuration_id, now)


async def wake(connection: asyncpg.Connection, configuration_id: UUID, now: datetime, limit: int) -> None:
    """Have up to `limit` stations looked at that wait for a configuration."""
    await connection.execute(_WAKE, configuration_id, now, limit)


async def changed(connection: asyncpg.Connection, now: datetime, limit: int) -> None:
    """Have stations looked at that are new, or were changed since: other configurations may mean them now."""
    await connection.execute(_CHANGED, now, limit)


async def booted(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime, due_at: datetime) -> None:
    """Have stations looked at that booted: what they told before does not count."""
    await connection.execute(_BOOTED, list(station_ids), now, due_at)


async def heard(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> None:
    """Have stations looked at whose variables were told, if they are not being asked."""
    await connection.execute(_HEARD, list(station_ids), now)


async def entries(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, dict[str, Entry]]:
    """Return what is wanted of stations as it stood last, by station and key."""
    found: dict[str, dict[str, Entry]] = {}
    for row in await connection.fetch(_FIND_ENTRIES, list(station_ids)):
        found.setdefault(row["station_id"], {})[row["key"]] = Entry(**row)
    return found


async def keep_entries(connection: asyncpg.Connection, kept: Collection[Entry], dropped: Iterable[Entry]) -> None:
    """Keep what is wanted of stations, and drop what is no more."""
    gone = [(each.station_id, each.key) for each in dropped]
    if gone:
        await connection.execute(_DROP_ENTRIES, [each[0] for each in gone], [each[1] for each in gone])
    if kept:
        await connection.execute(_KEEP_ENTRIES, *_ENTRIES.arguments(kept))


async def page(
    connection: asyncpg.Connection, configuration_id: UUID, verdict: str | None, after: tuple[str, str], limit: int
) -> list[Entry]:
    """Return up to `limit` variables that a configuration wants, in the order of stations and keys."""
    return [Entry(**row) for row in await connection.fetch(_PAGE, configuration_id, *after, verdict, limit)]


async def is_registered(connection: asyncpg.Connection, station_id: str) -> bool:
    """Tell whether there is such a station."""
    return bool(await connection.fetchval(_IS_REGISTERED, station_id))


def _given(by: Selector) -> tuple[object, ...]:
    labels = msgspec.json.encode(by.labels).decode()
    return list(by.station_ids), labels, by.vendor, by.model, by.firmware_version


def _station(row: asyncpg.Record) -> Station:
    return Station(**(dict(row) | {"labels": _labels(row["labels"])}))
