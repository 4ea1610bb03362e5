"""What `session` told: whose transaction a session is, and at which EVSE."""

from collections.abc import Collection, Sequence

import asyncpg
from chargebus_runtime.columns import columns
from chargebus_runtime.rows import Rows

from chargebus_metering.domain.identity import Place, Transaction
from chargebus_metering.domain.sessions import KnownSession
from chargebus_metering.store.tables import ChargingSession

_ROWS = Rows(ChargingSession)

# The readings of a transaction that came before anybody told its EVSE get it in the same statement.
_REMEMBER = f"""
WITH told AS (
    {_ROWS.upsert()}
    WHERE (charging_session.transaction_id, charging_session.evse_id, charging_session.connector_id)
    IS DISTINCT FROM (excluded.transaction_id, excluded.evse_id, excluded.connector_id)
    RETURNING station_id, transaction_id, evse_id, connector_id
)
UPDATE meter_reading AS r SET evse_id = told.evse_id, connector_id = told.connector_id FROM told
WHERE told.evse_id <> 0 AND r.station_id = told.station_id AND r.transaction_id = told.transaction_id
AND r.evse_id = 0 AND r.transaction_id <> ''
"""  # noqa: S608 (names of columns)
# LATERAL with a LIMIT: an index probe for each, whatever the planner believes of the tables' sizes. A reading of the
# same transaction knows, too, and may be here before its session is.
_FIND_PLACES = """
SELECT t.station_id, t.transaction_id, s.evse_id, s.connector_id
FROM unnest($1::text[], $2::text[]) AS t (station_id, transaction_id) CROSS JOIN LATERAL (
    (SELECT evse_id, connector_id FROM charging_session
    WHERE station_id = t.station_id AND transaction_id = t.transaction_id AND evse_id <> 0 LIMIT 1)
    UNION ALL
    (SELECT evse_id, connector_id FROM meter_reading
    WHERE station_id = t.station_id AND transaction_id = t.transaction_id AND evse_id <> 0 LIMIT 1)
    LIMIT 1
) AS s
"""
_FIND = "SELECT station_id, transaction_id FROM charging_session WHERE session_id = $1"


async def remember(connection: asyncpg.Connection, sessions: Sequence[KnownSession]) -> None:
    """Keep whose transactions these sessions are, one of each id."""
    if sessions:
        await connection.execute(_REMEMBER, *_ROWS.arguments(sessions))


async def find_places(
    connection: asyncpg.Connection, transactions: Collection[Transaction]
) -> dict[Transaction, Place]:
    """Return the places of those transactions that a session, or an earlier reading, told of."""
    if not transactions:
        return {}
    rows = await connection.fetch(_FIND_PLACES, *columns(transactions))
    return {
        (row["station_id"], row["transaction_id"]): Place(
            row["station_id"], row["evse_id"], row["connector_id"], row["transaction_id"]
        )
        for row in rows
    }


async def find(pool: asyncpg.Pool, session_id: str) -> Transaction | None:
    """Return the transaction of a session, or None if nobody told of that session."""
    row = await pool.fetchrow(_FIND, session_id)
    return None if row is None else (row["station_id"], row["transaction_id"])
