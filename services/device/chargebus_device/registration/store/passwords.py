"""Owns the queries about the passwords of registered stations."""

from collections.abc import Collection, Mapping
from datetime import datetime

import asyncpg
from chargebus_events.registry import RegisteredStation

from chargebus_device.registration.domain import Passwords
from chargebus_device.registration.store.registry import FIELDS, registered

_FIELDS = (
    "password_hash, newer_password_hashes, password_changed_at, password_used_at, older_passwords_until,"
    " service_password_hashes"
)
_LOCK = f"SELECT {_FIELDS} FROM station WHERE station_id = $1 FOR NO KEY UPDATE"  # noqa: S608 - no input
_LOCK_CHANGED = f"""
SELECT station_id, {_FIELDS}, GREATEST(created_at, credentials_changed_at) AS credentials_changed_at FROM station
WHERE station_id = ANY($1) ORDER BY station_id FOR NO KEY UPDATE
"""  # noqa: S608 - no input
# Those that have used the newest they were given are told of at each connection, too: nothing is to be done about them.
_LOCK_WAITING = f"""
SELECT station_id, {_FIELDS} FROM station
WHERE station_id = ANY($1) AND (newer_password_hashes <> '{{}}' OR password_used_at IS NULL)
ORDER BY station_id FOR NO KEY UPDATE
"""  # noqa: S608 - no input
_LOCK_EXPIRED = f"""
SELECT station_id, {_FIELDS} FROM station WHERE older_passwords_until <= $1
ORDER BY station_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - no input
_KEEP = f"""
UPDATE station SET
    password_hash = $2, newer_password_hashes = $3, password_changed_at = $4, password_used_at = $5,
    older_passwords_until = $6, service_password_hashes = $8,
    updated_at = GREATEST($7, updated_at + interval '1 microsecond')
WHERE station_id = $1 RETURNING {FIELDS}
"""  # noqa: S608 - no input
_KEEP_CHANGED = """
UPDATE station SET credentials_changed_at = changed_at
FROM unnest($1::text[], $2::timestamptz[]) AS n (changed_id, changed_at) WHERE station_id = changed_id
"""
_KEEP_FIRST_USE = """
UPDATE station SET password_used_at = used_at
FROM unnest($1::text[], $2::timestamptz[]) AS n (used_id, used_at) WHERE station_id = used_id
"""


async def lock(connection: asyncpg.Connection, station_id: str) -> Passwords | None:
    """Return a station's passwords and lock its row until the transaction ends; None if there is no such station."""
    row = await connection.fetchrow(_LOCK, station_id)
    return None if row is None else _passwords(row)


async def lock_changed(
    connection: asyncpg.Connection, station_ids: Collection[str]
) -> tuple[dict[str, Passwords], dict[str, datetime]]:
    """Return, locked, the passwords of stations, and when the newest change was asked for that is applied to each.

    For one without any that is when it was registered: what is older was meant for an earlier one of its id.
    """
    rows = await connection.fetch(_LOCK_CHANGED, list(station_ids))
    changed_at = {row["station_id"]: row["credentials_changed_at"] for row in rows}
    return {row["station_id"]: _passwords(row) for row in rows}, changed_at


async def lock_waiting(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Passwords]:
    """Return, locked, the passwords of those among stations that have not used the newest they were given."""
    return {row["station_id"]: _passwords(row) for row in await connection.fetch(_LOCK_WAITING, list(station_ids))}


async def lock_expired(connection: asyncpg.Connection, now: datetime, limit: int) -> list[tuple[str, Passwords]]:
    """Return, locked, the passwords of up to `limit` stations whose older ones end now."""
    return [(row["station_id"], _passwords(row)) for row in await connection.fetch(_LOCK_EXPIRED, now, limit)]


async def keep(
    connection: asyncpg.Connection, station_id: str, passwords: Passwords, now: datetime
) -> RegisteredStation | None:
    """Keep a station's passwords; return its new registry record, None if there is no such station."""
    row = await connection.fetchrow(
        _KEEP,
        station_id,
        passwords.current,
        list(passwords.newer),
        passwords.changed_at,
        passwords.used_at,
        passwords.older_until,
        now,
        sorted(passwords.by_services),
    )
    return None if row is None else registered(row)


async def keep_changed(connection: asyncpg.Connection, changed_at: Mapping[str, datetime]) -> None:
    """Keep when the newest changes were asked for that are applied to stations."""
    if changed_at:
        await connection.execute(_KEEP_CHANGED, list(changed_at), list(changed_at.values()))


async def keep_first_use(connection: asyncpg.Connection, used_at: Mapping[str, datetime]) -> None:
    """Keep when stations first used the newest password; that is nothing for the registry."""
    if used_at:
        await connection.execute(_KEEP_FIRST_USE, list(used_at), list(used_at.values()))


def _passwords(row: asyncpg.Record) -> Passwords:
    return Passwords(
        current=row["password_hash"],
        newer=tuple(row["newer_password_hashes"]),
        changed_at=row["password_changed_at"],
        used_at=row["password_used_at"],
        older_until=row["older_passwords_until"],
        by_services=frozenset(row["service_password_hashes"]),
    )
