"""Configurations, read and written, and how they go in sum."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_device.configurations.domain.compared import Trial
from chargebus_device.configurations.domain.configuration import Configuration, Selector, Setting
from chargebus_device.configurations.domain.shown import Sum
from chargebus_device.configurations.store.tables import ConfigurationRow

_ROWS: Final = Rows(ConfigurationRow)
_SELECT: Final = f"SELECT {_ROWS.select()} FROM configuration "  # noqa: S608 - names of columns
_ALL: Final = _SELECT + "ORDER BY configuration_id"
_PAGE: Final = _SELECT + "WHERE configuration_id > $1 ORDER BY configuration_id LIMIT $2"
_FIND: Final = _SELECT + "WHERE configuration_id = $1"
_LOCK: Final = _FIND + " FOR NO KEY UPDATE"
_KEEP: Final = _ROWS.upsert()
_DELETE: Final = "DELETE FROM configuration WHERE configuration_id = $1"
_COUNT: Final = "SELECT count(*) FROM configuration"
_COUNTS: Final = """
SELECT configuration_id, verdict, count(*) AS variables FROM configuration_variable
WHERE configuration_id = ANY($1) GROUP BY configuration_id, verdict
"""
_STATIONS: Final = """
SELECT configuration_id, count(DISTINCT station_id) AS stations,
       count(DISTINCT station_id) FILTER (WHERE verdict <> 'as_wanted') AS drifted
FROM configuration_variable WHERE configuration_id = ANY($1) GROUP BY configuration_id
"""
_BEGUN: Final = """configuration_id = $1 AND revision = $2
    AND (lost_at IS NOT NULL OR (breaks AND verdict = 'asked')) AND verdict <> 'lost'"""
_PROVED: Final = "configuration_id = $1 AND revision = $2 AND proved_at IS NOT NULL"
_LOST: Final = """configuration_id = $1 AND revision = $2 AND lost_at IS NOT NULL AND verdict = 'lost'
    AND ($3::timestamptz IS NULL OR changed_at > $3)"""
_STATIONS_OF: Final = "SELECT DISTINCT station_id FROM configuration_variable WHERE "
_TRIAL: Final = f"""
SELECT (SELECT count(*) FROM ({_STATIONS_OF} {_BEGUN} LIMIT $4) AS n) AS begun,
       (SELECT count(*) FROM ({_STATIONS_OF} {_PROVED} LIMIT $4) AS n) AS proved,
       (SELECT count(*) FROM ({_STATIONS_OF} {_LOST} LIMIT $4) AS n) AS lost
"""  # noqa: S608
_WITH_WAITING: Final = (
    _SELECT
    + """AS c WHERE state = 'active' AND EXISTS (
    SELECT FROM configuration_variable AS v WHERE v.configuration_id = c.configuration_id AND verdict = 'waiting')
"""
)
_HOLD: Final = "UPDATE configuration SET state = 'held' WHERE configuration_id = ANY($1) AND state = 'active'"


async def every(connection: asyncpg.Connection) -> list[Configuration]:
    """Return all configurations."""
    return [_configuration(row) for row in await connection.fetch(_ALL)]


async def page(connection: asyncpg.Connection, after: UUID, limit: int) -> list[Configuration]:
    """Return up to `limit`, in the order of their ids."""
    return [_configuration(row) for row in await connection.fetch(_PAGE, after, limit)]


async def find(connection: asyncpg.Connection, configuration_id: UUID) -> Configuration | None:
    """Return one."""
    row = await connection.fetchrow(_FIND, configuration_id)
    return None if row is None else _configuration(row)


async def lock(connection: asyncpg.Connection, configuration_id: UUID) -> Configuration | None:
    """Return one, locked until the transaction ends."""
    row = await connection.fetchrow(_LOCK, configuration_id)
    return None if row is None else _configuration(row)


async def keep(connection: asyncpg.Connection, configuration: Configuration) -> None:
    """Keep one, new or changed."""
    await connection.execute(_KEEP, *_ROWS.arguments([configuration]))


async def delete(connection: asyncpg.Connection, configuration_id: UUID) -> None:
    """Drop one."""
    await connection.execute(_DELETE, configuration_id)


async def count(connection: asyncpg.Connection) -> int:
    """Return how many there are."""
    return int(await connection.fetchval(_COUNT))


async def sums(connection: asyncpg.Connection, configuration_ids: Collection[UUID]) -> dict[UUID, Sum]:
    """Return how configurations go."""
    ids = list(configuration_ids)
    verdicts: dict[UUID, dict[str, int]] = {}
    for row in await connection.fetch(_COUNTS, ids):
        verdicts.setdefault(row["configuration_id"], {})[row["verdict"]] = row["variables"]
    return {
        row["configuration_id"]: Sum(row["stations"], row["drifted"], verdicts.get(row["configuration_id"], {}))
        for row in await connection.fetch(_STATIONS, ids)
    }


async def with_waiting(connection: asyncpg.Connection) -> list[Configuration]:
    """Return the configurations that may go on and of which stations wait."""
    return [_configuration(row) for row in await connection.fetch(_WITH_WAITING)]


async def trial(connection: asyncpg.Connection, configuration: Configuration) -> Trial:
    """Return how the changes that can break connections go with its stations; more than `first` are not counted."""
    given = configuration.configuration_id, configuration.trial, configuration.released_at, configuration.first
    return Trial(**await connection.fetchrow(_TRIAL, *given))


async def hold(connection: asyncpg.Connection, configuration_ids: Collection[UUID]) -> None:
    """Let no more stations get changes that can break connections."""
    await connection.execute(_HOLD, list(configuration_ids))


def _configuration(row: asyncpg.Record) -> Configuration:
    read: Any = _ROWS.read(row)
    values = {name: getattr(read, name) for name in Configuration.__struct_fields__}
    stations = msgspec.convert(read.stations, Selector)
    settings = msgspec.convert(read.settings, tuple[Setting, ...])
    return Configuration(**(values | {"stations": stations, "settings": settings}))
