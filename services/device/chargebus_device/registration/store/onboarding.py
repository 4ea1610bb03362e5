"""Owns the queries about the onboarding policy."""

from datetime import datetime

import asyncpg
from chargebus_events.registry import OnboardingPolicy, UnknownStations

_LOAD = "SELECT unknown_stations, password_hash, updated_at FROM onboarding"
_SAVE = """
INSERT INTO onboarding (singleton, unknown_stations, password_hash, updated_at) VALUES (true, $1, $2, $3)
ON CONFLICT (singleton) DO UPDATE SET
    unknown_stations = excluded.unknown_stations, password_hash = excluded.password_hash,
    updated_at = GREATEST(excluded.updated_at, onboarding.updated_at + interval '1 microsecond')
RETURNING updated_at
"""


async def load(connection: asyncpg.Connection) -> OnboardingPolicy | None:
    """Return the policy, None while it was never set."""
    row = await connection.fetchrow(_LOAD)
    return None if row is None else OnboardingPolicy(row["unknown_stations"], row["updated_at"], row["password_hash"])


async def lock(connection: asyncpg.Connection) -> OnboardingPolicy | None:
    """Return the policy and lock it until the transaction ends."""
    row = await connection.fetchrow(f"{_LOAD} FOR UPDATE")
    return None if row is None else OnboardingPolicy(row["unknown_stations"], row["updated_at"], row["password_hash"])


async def save(
    connection: asyncpg.Connection, unknown_stations: UnknownStations, password_hash: str, now: datetime
) -> OnboardingPolicy:
    """Set the policy and return it."""
    updated_at = await connection.fetchval(_SAVE, unknown_stations, password_hash, now)
    return OnboardingPolicy(unknown_stations, updated_at, password_hash)
